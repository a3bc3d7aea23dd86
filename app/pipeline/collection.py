"""A result on its way in: the raw blocks into one compressed S3 object, the pages into Postgres, under one numbering.

Memory is bounded by one portion of the result and a commit's worth of pages, whatever the document's size.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from isal import isal_zlib

from app import at_hand, events
from app.db import one_statement
from app.documents import repository as documents
from app.documents.page_writing import ByStatus, save_pages
from app.errors import OcrResultInvalid
from app.jobs.models import Job
from app.knowledge.pages import KEPT_PAGES, keep
from app.ocr.answers import MODEL_VERSION
from app.ocr.blocks import PageAssembler, PageText, page_text
from app.ocr.engine import Block, OcrStatus, Operation, PageWarning, ResultPart
from app.pipeline.outcome import Tools
from app.pipeline.reuse import result_key
from app.storage.compression import GZIP, compressor
from app.storage.upload import Upload

PAGES_PER_COMMIT = 25


@dataclass(slots=True)
class Collection:
    """What was seen of a result so far, and the pages that are whole and not yet saved."""

    job: Job
    tools: Tools
    upload: Upload
    operation: Operation
    status: OcrStatus
    page_count: int
    """The pages that the engine says there are, in all parts together."""
    pages_saved: int = 0
    _numbers: set[int] = field(default_factory=set)
    _compressor: isal_zlib.Compress = field(default_factory=compressor)
    _begun: bool = False
    _blocks: int = 0
    _model_version: str = "1.0"
    _message: str | None = None
    _assembler: PageAssembler = field(default_factory=PageAssembler)
    _pages: list[PageText] = field(default_factory=list)
    _saved: list[PageText] = field(default_factory=list)
    """The first that were, for the stages that read them next where there are no more."""
    _are_all: bool = False
    """Whether the run has no other pages than those that were saved, of an earlier try."""
    _warnings: list[PageWarning] = field(default_factory=list)

    @property
    def failed_pages(self) -> list[int]:
        """The pages that the engine says it could not read."""
        return sorted({number for warning in self._warnings for number in warning.pages})

    @property
    def pages_done(self) -> int:
        """Pages done so far, never more than the document was counted to have."""
        return min(self.pages_saved, self.job.pages_total or self.pages_saved)

    async def add(self, portion: ResultPart, *, first_page: int = 1) -> None:
        """Take a portion in, of a part that begins with a page of the document, and save the pages that it completed."""
        offset = first_page - 1
        blocks = portion.blocks if offset == 0 else [_shifted(block, offset) for block in portion.blocks]
        self._model_version, self._message = (
            portion.model_version or self._model_version,
            portion.message or self._message,
        )
        for warning in portion.warnings:
            self._warn(PageWarning(warning.code, tuple(page + offset for page in warning.pages)))
        raw = orjson.dumps(blocks) if offset or portion.raw_blocks is None else portion.raw_blocks
        await self._store(self._raw(raw, len(blocks)))
        self._pages += self._assembler.add(blocks)
        await self._save(at_least=PAGES_PER_COMMIT)

    def lose(self, first_page: int, page_count: int, code: str) -> None:
        """Take note of a part whose job failed: its pages are lost, and the others stand."""
        self._warn(PageWarning(code, tuple(range(first_page, first_page + page_count))))

    async def finish(self) -> None:
        """Save the last pages, mark the failed ones, and check that none is missing. Raises `OcrResultInvalid`."""
        self._pages += self._assembler.finish()
        await self._save()
        seen = self._assembler.pages_seen
        # A failed page may have no block of its own; whether it is counted as announced then, Textract doesn't say.
        absent = [number for number in self.failed_pages if number not in self._numbers]
        if not seen <= self.page_count <= seen + len(absent) or not self.page_count:
            raise OcrResultInvalid(f"Textract announced {self.page_count} pages, and its result has {seen}.")
        self._pages = [page_text(number, []) for number in absent]
        await self._save()
        self.page_count = seen + len(absent)
        for warning in self._warnings:
            async with self.tools.sessions.begin() as session:
                last = await documents.fail_pages(session, self.job, warning.pages, warning.code)
            await events.ring(self.tools.redis, self.job.id, last)
        await self._store(self._raw_end())
        await self.upload.write(self._compressor.flush())
        await self.upload.complete()
        if not self._warnings:
            keep(self.job.id, self._saved)
            if self._are_all and len(self._saved) == self.pages_saved:
                at_hand.keep(self.job.id, ByStatus.of(self._saved))

    def _warn(self, warning: PageWarning) -> None:
        if warning not in self._warnings:
            self._warnings.append(warning)

    async def _store(self, raw: bytes) -> None:
        """Add a piece to the object, whose beginning goes before the first."""
        if not self._begun:
            raw, self._begun = self._raw_begin() + raw, True
        await self.upload.write(self._compressor.compress(raw))

    def _raw(self, array: bytes, count: int) -> bytes:
        """A JSON array of so many blocks as a piece of the one JSON object that the whole result is."""
        comma = b"," if count and self._blocks else b""
        self._blocks += count
        return comma + array[1:-1]

    def _raw_begin(self) -> bytes:
        head = {"DocumentMetadata": {"Pages": self.page_count}, "JobStatus": self.status}
        return orjson.dumps(head)[:-1] + b',"Blocks":['

    def _raw_end(self) -> bytes:
        """What comes after the last block. Members without a value are left out, as Textract leaves them out."""
        tail: dict[str, object] = {MODEL_VERSION[self.operation]: self._model_version}
        if self._message:
            tail["StatusMessage"] = self._message
        if self._warnings:
            tail["Warnings"] = [{"ErrorCode": each.code, "Pages": list(each.pages)} for each in self._warnings]
        return b"]," + orjson.dumps(tail)[1:]

    async def _save(self, *, at_least: int = 1) -> None:
        """Save the pages that are whole, a commit's worth at a time, while there are so many."""
        while len(self._pages) >= at_least:
            pages, self._pages = self._pages[:PAGES_PER_COMMIT], self._pages[PAGES_PER_COMMIT:]
            self.pages_saved += len(pages)
            self._numbers.update(page.number for page in pages)
            async with one_statement(self.tools.sessions) as session:
                saved = await save_pages(session, self.job, pages, pages_done=self.pages_done)
            self._are_all |= saved.are_first
            self._saved += pages[: KEPT_PAGES + 1 - len(self._saved)]
            await events.ring(self.tools.redis, self.job.id, saved.last_event_number)


@asynccontextmanager
async def collecting(
    job: Job, tools: Tools, operation: Operation, status: OcrStatus, page_count: int
) -> AsyncIterator[Collection]:
    """Collect a result under the job's key; left before it is finished, it leaves no object behind."""
    settings = tools.settings
    sizes = settings.upload_part_bytes, settings.upload_parts_in_flight
    async with Upload(tools.bucket, result_key(job), "application/json", *sizes, content_encoding=GZIP) as upload:
        yield Collection(job, tools, upload, operation, status, page_count)


def _shifted(block: Block, pages: int) -> Block:
    return block | {"Page": block.get("Page", 1) + pages}
