"""`start_textract_job` and `collect_textract_result`: the two ends of an OCR job that nobody waits for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from app import events
from app.documents import repository as documents
from app.errors import OcrResultInvalid
from app.jobs.models import Job
from app.ocr.blocks import PageAssembler, PageText, page_text
from app.ocr.engine import OcrStatus, PageWarning, ResultPart
from app.pipeline.outcome import Outcome, Tools
from app.storage.upload import Upload

PAGES_PER_COMMIT = 25


async def start_textract_job(job: Job, tools: Tools) -> Outcome:
    """Start reading a document, and write the Textract job's id down. The token was committed with the stage before."""
    async with tools.sessions() as session:
        document = await documents.get(session, job.document_id)
    textract_job_id = await tools.ocr.start(
        bucket=document.s3_bucket, key=document.s3_key, token=job.textract_token or "", tag=str(document.id)
    )
    return Outcome(
        changes={
            "textract_job_id": textract_job_id,
            "textract_job_status": OcrStatus.IN_PROGRESS,
            "textract_start_time": datetime.now(UTC),
            "textract_end_time": None,
            "textract_error_message": None,
            "textract_polls": 0,
        },
        details={"textract_job_id": textract_job_id},
        due_in=timedelta(seconds=tools.settings.textract_async_initial_delay_seconds),
    )


async def collect_textract_result(job: Job, tools: Tools) -> Outcome:
    """Fetch an ended job's whole result: the raw blocks into one S3 object, the pages into Postgres.

    Memory is bounded by one portion of the result and one page, whatever the document's size.
    """
    key = f"results/{job.document_id}/{job.id}/textract.json"
    settings = tools.settings
    collection = Collection(job, tools)
    async with Upload(
        tools.bucket, key, "application/json", settings.upload_part_bytes, settings.upload_parts_in_flight
    ) as upload:
        async for part in tools.ocr.results(job.textract_job_id or ""):
            await upload.write(collection.raw(part))
            await collection.add(part)
        await collection.finish()
        await upload.write(collection.raw_end())
        await upload.complete()
    return Outcome(
        changes={"result_key": key, "textract_page_count": collection.page_count, "pages_done": collection.pages_done},
        details={"pages": collection.page_count, "failed_pages": collection.failed_pages},
    )


@dataclass(slots=True)
class Collection:
    """A result on its way in: what was seen so far, and the pages that are whole and not yet saved."""

    job: Job
    tools: Tools
    page_count: int = 0
    pages_saved: int = 0
    _numbers: set[int] = field(default_factory=set)
    _wrote_blocks: bool = False
    _last: ResultPart | None = None
    _assembler: PageAssembler = field(default_factory=PageAssembler)
    _pages: list[PageText] = field(default_factory=list)
    _warnings: list[PageWarning] = field(default_factory=list)

    @property
    def failed_pages(self) -> list[int]:
        """The pages that the engine says it could not read."""
        return sorted({number for warning in self._warnings for number in warning.pages})

    @property
    def pages_done(self) -> int:
        """Pages done so far, never more than the document was counted to have."""
        return min(self.pages_saved, self.job.pages_total or self.pages_saved)

    async def add(self, part: ResultPart) -> None:
        """Take a portion in, and save the pages that it completed."""
        self.page_count = self.page_count or part.page_count
        self._last = part
        self._warnings += (warning for warning in part.warnings if warning not in self._warnings)
        self._pages += self._assembler.add(part.blocks)
        await self._save(at_least=PAGES_PER_COMMIT)

    async def finish(self) -> None:
        """Save the last pages, mark the failed ones, and check that none is missing. Raises `OcrResultInvalid`."""
        self._pages += self._assembler.finish()
        await self._save()
        seen = self._assembler.pages_seen
        # A failed page may have no block of its own; whether it is counted as announced then, Textract doesn't say.
        absent = [number for number in self.failed_pages if number not in self._numbers]
        if self.page_count not in {seen, seen + len(absent)} or not self.page_count:
            raise OcrResultInvalid(f"Textract announced {self.page_count} pages, and its result has {seen}.")
        self._pages = [page_text(number, []) for number in absent]
        await self._save()
        self.page_count = seen + len(absent)
        for warning in self._warnings:
            async with self.tools.sessions.begin() as session:
                last = await documents.fail_pages(session, self.job, warning.pages, warning.code)
            await events.ring(self.tools.redis, self.job.id, last)

    def raw(self, part: ResultPart) -> bytes:
        """A portion's blocks as a piece of the one JSON object that the whole result is."""
        blocks = b",".join(orjson.dumps(block) for block in part.blocks)
        if blocks and self._wrote_blocks:
            blocks = b"," + blocks
        self._wrote_blocks = self._wrote_blocks or bool(blocks)
        if self._last is None:
            head = {"DocumentMetadata": {"Pages": part.page_count}, "JobStatus": part.status}
            return orjson.dumps(head)[:-1] + b',"Blocks":[' + blocks
        return blocks

    def raw_end(self) -> bytes:
        """What comes after the last block. Members without a value are left out, as Textract leaves them out."""
        last = self._last
        if last is None:
            raise OcrResultInvalid
        tail = {"DetectDocumentTextModelVersion": last.model_version or "1.0"}
        if last.message:
            tail["StatusMessage"] = last.message
        warnings = [{"ErrorCode": warning.code, "Pages": list(warning.pages)} for warning in self._warnings]
        extra = b',"Warnings":' + orjson.dumps(warnings) if warnings else b""
        return b"]" + extra + b"," + orjson.dumps(tail)[1:]

    async def _save(self, *, at_least: int = 1) -> None:
        """Save the pages that are whole, a commit's worth at a time, while there are so many."""
        while len(self._pages) >= at_least:
            pages, self._pages = self._pages[:PAGES_PER_COMMIT], self._pages[PAGES_PER_COMMIT:]
            self.pages_saved += len(pages)
            self._numbers.update(page.number for page in pages)
            async with self.tools.sessions.begin() as session:
                last = await documents.save_pages(session, self.job, pages, pages_done=self.pages_done)
            await events.ring(self.tools.redis, self.job.id, last)
