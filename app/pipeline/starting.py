"""`start_textract_job`: have an engine begin to read, at its moment, at its price, and once.

Nobody waits here: a job that may not start yet goes back into the backlog, from where the sweep admits it in its turn.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.db import one_statement
from app.documents import repository as documents
from app.documents.intake import MediaType
from app.documents.models import Document
from app.errors import (
    DocumentCorrupt,
    DocumentUnreachable,
    OcrRequestInvalid,
    OcrSlotsFull,
    OcrUnavailable,
    QuireError,
    WaitsForTurn,
)
from app.jobs import textract_jobs
from app.jobs.models import Job, TextractJob, TextractJobStatus
from app.jobs.textract_jobs import Beginning, member_of
from app.ocr.engine import ReadRequest
from app.ocr.pacing import Lane, Refusal
from app.ocr.router import Choice
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.parts import Part, parts_of
from app.pipeline.polling import patience
from app.pipeline.reading_at_once import ReadingAtOnce
from app.pipeline.reuse import reading_changes, reuse, take_over_paid, take_reading
from app.pipeline.spending import begin_within_cap, choose_engine
from app.pipeline.tokens import textract_token

SYNCHRONOUS_BYTES = 10 * 1024 * 1024
"""Textract's own limit of a document that is read while the caller waits."""

READ_AT_ONCE_INSTEAD = (WaitsForTurn, OcrSlotsFull, DocumentUnreachable, OcrRequestInvalid)
"""What keeps a job from starting and not a synchronous call: that has quotas of its own, no topic and no output bucket,
and can be given the bytes."""


async def start_textract_job(job: Job, tools: Tools) -> Outcome:
    """Start reading a document, unless it has been read or is being read already. Raises a `Parked` where it has to wait."""
    async with tools.sessions() as session:
        document = await documents.get(session, job.document_id)
    if (reused := await reuse(job, document, job.content_key or "", tools)) is not None:
        return reused
    await take_reading(job, tools)
    if (paid := await take_over_paid(job, tools)) is not None:
        return paid
    request = ReadRequest.from_options(job.options)
    if request.queries and job.parts:
        raise OcrRequestInvalid(
            "Questions can't be put to a document so large that it is read in parts: split it by hand."
        )
    choice = await choose_engine(job, request, tools)
    try:
        return await Starting(job, document, request, choice, tools).run()
    finally:
        await tools.ocr.router.give_back(choice)  # a probe that was used is none any more


@dataclass(frozen=True, slots=True)
class Starting:
    """One job's start, part by part."""

    job: Job
    document: Document
    request: ReadRequest
    choice: Choice
    tools: Tools

    async def run(self) -> Outcome:
        """Start every part that isn't yet, or read the one page at once."""
        async with self.tools.sessions() as session:
            rows = {row.part: row for row in await textract_jobs.of_job(session, self.job.id) if not row.synchronous}
        if not rows and not self._prefers_a_job and await self._may_read_at_once():
            return await self._read_at_once()
        try:
            for part in parts_of(self.job, self.document):
                if part.number not in rows or rows[part.number].status is TextractJobStatus.STARTING:
                    rows[part.number] = await self._start(part)
        except READ_AT_ONCE_INSTEAD as error:
            if not await self._may_read_at_once():
                raise
            return await self._read_at_once(error)
        return await self._outcome([rows[number] for number in sorted(rows)])

    async def _outcome(self, rows: list[TextractJob]) -> Outcome:
        first_poll = await self.tools.estimates.first_poll(self._lane, max(row.page_count or 1 for row in rows))
        changes = reading_changes(rows)
        now = datetime.now(UTC)
        changes |= {"fallback_reason": self.choice.fallback_reason, "textract_start_time": now}
        changes |= {"textract_deadline": now + patience(self.job, self.tools.settings)}
        details = {"textract_job_id": rows[0].textract_job_id, "engine": rows[0].engine}
        if self.choice.fallback_reason:
            details["fallback_reason"] = self.choice.fallback_reason
        return Outcome(changes=changes, details=details, due_in=timedelta(seconds=first_poll))

    async def _start(self, part: Part) -> TextractJob:
        """Start one part. Raises `WaitsForTurn` where the pace or the slots don't allow it now."""
        await self._check_object(part)
        member = member_of(self.job.id, part.number)
        permit = await self.tools.ocr.pacer.start(self._lane, member)
        if permit.refusal is not None:
            raise WaitsForTurn(_reason(permit.refusal), retry_in_seconds=0)
        row = await self._begin(part)
        await asyncio.sleep(permit.wait_seconds)
        try:
            textract_job_id = await self.tools.ocr.start(
                self.choice, part.source, self.request, token=row.token, tag=str(self.document.id)
            )
        except OcrUnavailable:
            raise  # whether it was started isn't known: the row and the slot stay until that is
        except QuireError as error:
            await self.tools.ocr.pacer.release(self._lane, member)
            async with one_statement(self.tools.sessions) as session:
                await textract_jobs.refused(session, row, error.detail)
            raise
        async with one_statement(self.tools.sessions) as session:
            await textract_jobs.started(session, row, textract_job_id)
        row.textract_job_id, row.status = textract_job_id, TextractJobStatus.IN_PROGRESS
        return row

    async def _check_object(self, part: Part) -> None:
        """Textract would say no more of a missing object than that it can't be read."""
        bucket = self.tools.bucket
        if part.source.bucket == bucket.name and await bucket.head(part.source.key) is None:
            raise DocumentCorrupt("The document's bytes are gone from the bucket; submit it again.")

    async def _begin(self, part: Part) -> TextractJob:
        """Write the token down, before the call that it is for. Raises `DailyCostReached`."""
        engine = self.choice.engine
        beginning = Beginning(
            part=part.number,
            first_page=part.first_page,
            page_count=part.page_count,
            engine=engine.name,
            operation=self.request.operation,
            token=textract_token(self.job, self.document, part.source, engine),
            price_microdollars=self.tools.ocr.prices.price_per_page(engine.name, self.request),
        )
        try:
            return await begin_within_cap(self.job, beginning, self.tools)
        except QuireError:
            await self.tools.ocr.pacer.release(self._lane, member_of(self.job.id, part.number))
            raise

    @property
    def _lane(self) -> Lane:
        return Lane(self.choice.engine.name, self.request.operation)

    @property
    def _prefers_a_job(self) -> bool:
        return self.document.media_type is not MediaType.PDF or self.tools.settings.textract_use_async_for_pdf

    async def _may_read_at_once(self) -> bool:
        """Whether the document is one for the synchronous call, and that has room now."""
        fits = self.job.pages_total == 1 and not self.job.parts and self.document.size_bytes <= SYNCHRONOUS_BYTES
        return fits and (await self.tools.ocr.pacer.read(self._lane)).refusal is None

    async def _read_at_once(self, error: QuireError | None = None) -> Outcome:
        return await ReadingAtOnce(
            self.job, self.document, self.request, self.choice, self.tools, instead_of=error
        ).run()


def _reason(refusal: Refusal) -> str:
    if refusal is Refusal.SLOTS_FULL:
        return OcrSlotsFull.message
    return WaitsForTurn.message
