"""Reading a document of one page by the synchronous call: no job, no slot, no poll, and paid for at every call."""

from dataclasses import dataclass
from uuid import uuid4

from app.db import one_statement
from app.documents.models import Document
from app.errors import DocumentCorrupt, DocumentUnreachable, OcrUnavailable, QuireError, WaitsForTurn
from app.jobs import textract_jobs
from app.jobs.models import Job, TextractJob, TextractJobStatus
from app.jobs.states import Stage
from app.jobs.textract_jobs import Beginning
from app.ocr.engine import OcrStatus, ReadRequest, ResultPart, Source
from app.ocr.pacing import Lane, Permit
from app.ocr.router import Choice
from app.pipeline.collection import collecting
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.reuse import result_key
from app.pipeline.spending import begin_within_cap
from app.turns import sleep_aside


@dataclass(frozen=True, slots=True)
class ReadingAtOnce:
    """One document of a single page, read while its stage runs."""

    job: Job
    document: Document
    request: ReadRequest
    choice: Choice
    tools: Tools
    permit: Permit
    """For the first call."""
    paid_microdollars: int = 0
    """What the job has cost before."""
    instead_of: QuireError | None = None
    """Why no job reads it, where one was to."""

    async def run(self) -> Outcome:
        """Read it, and store its result as a job's is stored."""
        row = await self._begin()
        try:
            await sleep_aside(self.permit.wait_seconds)
            portion = await self._read()
        except QuireError as error:
            async with one_statement(self.tools.sessions) as session:
                if isinstance(error, OcrUnavailable) and error.may_have_arrived:
                    # It may have been read, and only the answer was lost: counted as paid for.
                    await textract_jobs.end(session, row, TextractJobStatus.FAILED, pages=1, message=error.detail)
                else:
                    await textract_jobs.refused(session, row, error.detail)
            raise
        pages = portion.page_count or 1
        async with one_statement(self.tools.sessions) as session:
            await textract_jobs.end(session, row, TextractJobStatus.SUCCEEDED, pages=pages)
        self.tools.ocr.telemetry.read_at_once(row.engine, row.operation, pages=pages)
        return await self._store(row, portion)

    async def _begin(self) -> TextractJob:
        """Each call is a row of its own, for each is paid for."""
        engine = self.choice.engine.name
        beginning = Beginning(
            part=1,
            first_page=1,
            page_count=1,
            engine=engine,
            operation=self.request.operation,
            token=f"at-once-{uuid4()}",
            price_microdollars=self.tools.ocr.prices.price_per_page(engine, self.request),
            synchronous=True,
        )
        return await begin_within_cap(self.job, [beginning], self.tools)

    async def _read(self) -> ResultPart:
        """Have the engine fetch the document or, where it can't get at it in the bucket, give it the bytes."""
        if not isinstance(self.instead_of, DocumentUnreachable):
            try:
                place = Source(self.document.s3_bucket, self.document.s3_key)
                return await self.tools.ocr.read(self.choice, place, self.request)
            except DocumentUnreachable:
                lane = Lane(self.choice.engine.name, self.request.operation)
                permit = await self.tools.ocr.pacer.read(lane)
                if permit.refusal is not None:
                    raise WaitsForTurn from None
                await sleep_aside(permit.wait_seconds)
        return await self.tools.ocr.read(self.choice, await self._bytes(), self.request)

    async def _bytes(self) -> bytes:
        try:
            async with self.tools.bucket.open(self.document.s3_key) as chunks:
                return b"".join([chunk async for chunk in chunks])
        except FileNotFoundError as error:
            raise DocumentCorrupt("The document's bytes are gone from the bucket; submit it again.") from error

    async def _store(self, row: TextractJob, portion: ResultPart) -> Outcome:
        pages = portion.page_count or 1
        async with collecting(self.job, self.tools, self.request.operation, OcrStatus.SUCCEEDED, pages) as collection:
            await collection.add(portion)
            await collection.finish()
        details = {"pages": pages, "engine": row.engine, "synchronous": True}
        if self.instead_of is not None:
            details["instead_of"] = self.instead_of.code
        return Outcome(
            changes={
                "engine": row.engine,
                "fallback_reason": self.choice.fallback_reason,
                "textract_job_status": OcrStatus.SUCCEEDED,
                "textract_page_count": pages,
                "result_key": result_key(self.job),
                "pages_done": collection.pages_done,
                "cost_microdollars": row.price_microdollars * pages + self.paid_microdollars,
            },
            details=details,
            to=Stage.PARSED,
        )
