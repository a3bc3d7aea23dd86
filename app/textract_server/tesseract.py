"""The engine that reads: jobs kept in the job table and carried out by the runner, single pages read between them."""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson

from app.textract_server import page_process
from app.textract_server.blocks import unpack
from app.textract_server.errors import (
    BadDocumentError,
    DocumentTooLargeError,
    ProvisionedThroughputExceededError,
    UnsupportedDocumentError,
)
from app.textract_server.failures import FailureCode, ReadingError
from app.textract_server.families import Family
from app.textract_server.faults import Faults
from app.textract_server.intake import job_document, sent_document, stored_document
from app.textract_server.jobs import Job, JobTable
from app.textract_server.kinds import DocumentKind
from app.textract_server.orders import JSON, JobOrder, features_of
from app.textract_server.readings import DocumentFile, PageRequest
from app.textract_server.results import JobState, Portion
from app.textract_server.runner import JobRunner, files_of
from app.textract_server.statistics import Statistics


@dataclass(frozen=True, slots=True)
class TesseractEngine:
    """Reads documents with Tesseract."""

    runner: JobRunner
    faults: Faults
    statistics: Statistics
    retention_seconds: float
    max_open_jobs: int
    max_waiting_detections: int

    async def start(self, order: JobOrder) -> str:
        """Start a job, or find the one that the same token and parameters have started."""
        store = self.runner.store
        if order.token is not None:
            await self.forget_expired()
            earlier = await store.ask(JobTable.started_before, order)
            if earlier is not None:
                return earlier.job_id
        kind, facts = await job_document(self.runner.source, order.location)
        fresh = Job(secrets.token_hex(32), order, facts.etag, kind, time.time())
        if order.output is not None:
            await self.runner.output.check_access(order.output, fresh.job_id)
        job = await store.ask(JobTable.start, fresh, self.max_open_jobs)
        if job.job_id == fresh.job_id:
            self.runner.launch(job, self.faults.fate(order.family.start))
            self.statistics.job_made(order.family.start, job.job_id, self.open_jobs()[order.family.start])
        return job.job_id

    async def find(self, job_id: str, family: Family) -> JobState | None:
        """How a job of this family stands; None where there is none, or it has expired."""
        return await self.runner.store.ask(JobTable.state, job_id, family.start, self._oldest())

    async def portion(self, state: JobState, offset: int, limit: int) -> Portion:
        """Collect `limit` blocks from `offset` on, opening only the pages that they are on."""
        return await self.runner.store.portion(state.job_id, offset, limit)

    async def read(self, family: Family, request: JSON) -> Portion:
        """Read a page before all pages of jobs."""
        if self.runner.scheduler.urgent_waiting >= self.max_waiting_detections:
            raise ProvisionedThroughputExceededError
        name = f"detect-{uuid4()}"
        with files_of(self.runner.folder, name) as path:
            kind = await self._fetch_page(request["Document"], path)
            blocks = await self._read_at_once(name, DocumentFile(path, kind), features_of(family, request))
            return Portion(blocks, has_more=False)

    def open_jobs(self) -> Counter[str]:
        """How many jobs are in progress, by the Start of their family."""
        return Counter(self.runner.open_jobs)

    async def forget_expired(self) -> int:
        """Delete expired jobs, with their tokens; return how many they were."""
        return await self.runner.store.ask(JobTable.forget, self._oldest())

    async def _fetch_page(self, document: JSON, path: Path) -> DocumentKind:
        if (sent := sent_document(document)) is not None:
            await asyncio.to_thread(path.write_bytes, sent.content)
            return sent.kind
        stored = await stored_document(self.runner.source, document)
        await self.runner.source.download(stored.location, stored.etag, path)
        return stored.kind

    async def _read_at_once(self, owner: str, file: DocumentFile, features: frozenset[str]) -> list[orjson.Fragment]:
        scheduler = self.runner.scheduler
        try:
            inspection = await scheduler.run_urgently(owner, page_process.inspect_document, file)
            if inspection.page_count > 1:
                raise UnsupportedDocumentError
            request = PageRequest(inspection.file, 1, numbered=False, limits=self.runner.limits, features=features)
            (blocks,) = await scheduler.run_urgently(owner, page_process.read_pages, request)
        except ReadingError as error:
            if error.code is FailureCode.PAGE_TOO_LARGE:
                raise DocumentTooLargeError(error.message) from error
            raise BadDocumentError(error.message) from error
        return unpack(blocks.packed)

    def _oldest(self) -> float:
        return time.time() - self.retention_seconds
