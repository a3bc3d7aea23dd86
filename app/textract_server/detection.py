"""Text detection, asynchronous and at once: what StartDocumentTextDetection, its Get, and DetectDocumentText do."""

import asyncio
import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from app.textract_server import page_process
from app.textract_server.blocks import unpack
from app.textract_server.errors import (
    BadDocumentError,
    DocumentTooLargeError,
    InvalidJobIdError,
    ProvisionedThroughputExceededError,
    UnsupportedDocumentError,
)
from app.textract_server.failures import FailureCode, ReadingError
from app.textract_server.jobs import Job, JobStatus, JobTable, PageFailure, S3Location
from app.textract_server.kinds import HEAD_BYTES, PAGED_KINDS, DocumentKind, sniff
from app.textract_server.limits import IMAGE_BYTES, PAGED_DOCUMENT_BYTES, SYNCHRONOUS_BYTES
from app.textract_server.paging import ResultTokens
from app.textract_server.readings import DocumentFile, PageRequest
from app.textract_server.runner import JobRunner, files_of

JSON = dict[str, Any]

OPERATION = "StartDocumentTextDetection"
MOST_RESULTS = 1000
MODEL_VERSION = {"DetectDocumentTextModelVersion": "1.0"}


@dataclass(frozen=True, slots=True)
class TextDetection:
    """What a caller can ask. Requests have been checked against their shapes."""

    runner: JobRunner
    tokens: ResultTokens
    retention_seconds: float
    max_open_jobs: int
    max_waiting_detections: int

    async def start(self, request: JSON) -> JSON:
        """Start a job, or return the one that the same token and parameters have started."""
        store = self.runner.store
        token, fingerprint = request.get("ClientRequestToken"), _fingerprint(request)
        if token is not None:
            await store.ask(JobTable.forget, self._oldest())
            earlier = await store.ask(JobTable.started_before, OPERATION, token, fingerprint)
            if earlier is not None:
                return {"JobId": earlier.job_id}
        location = _location(request["DocumentLocation"]["S3Object"])
        facts = await self.runner.source.facts(location)
        kind = _kind(facts.head)
        if facts.size_bytes > (PAGED_DOCUMENT_BYTES if kind in PAGED_KINDS else IMAGE_BYTES):
            raise DocumentTooLargeError
        job = Job(secrets.token_hex(32), OPERATION, token, fingerprint, location, facts.etag, kind, time.time())
        stored = await store.ask(JobTable.start, job, self.max_open_jobs)
        if stored is job:
            self.runner.launch(job)
        return {"JobId": stored.job_id}

    async def get(self, request: JSON) -> JSON:
        """Return a job's state and, once it has ended, one page of its blocks."""
        job_id: str = request["JobId"]
        store = self.runner.store
        job = await store.ask(JobTable.find, job_id, OPERATION, self._oldest())
        if job is None:
            raise InvalidJobIdError
        offset = self.tokens.offset(job_id, request["NextToken"]) if request.get("NextToken") else 0
        answer: JSON = {"JobStatus": job.status, **MODEL_VERSION}
        if job.status is JobStatus.IN_PROGRESS:
            return answer
        if job.status_message:
            answer["StatusMessage"] = job.status_message
        if warnings := _warnings(await store.ask(JobTable.failures, job_id)):
            answer["Warnings"] = warnings
        if job.page_count is not None:
            answer["DocumentMetadata"] = {"Pages": job.page_count}
        if job.status is not JobStatus.FAILED:
            limit = min(request.get("MaxResults") or MOST_RESULTS, MOST_RESULTS)
            answer |= await self._blocks(job_id, offset, limit)
        return answer

    async def detect(self, request: JSON) -> JSON:
        """Read a document of one page while the caller waits."""
        scheduler = self.runner.scheduler
        if scheduler.urgent_waiting >= self.max_waiting_detections:
            raise ProvisionedThroughputExceededError
        name = f"detect-{uuid4()}"
        with files_of(self.runner.folder, name) as path:
            document = request["Document"]
            if document.get("Bytes"):
                content = base64.b64decode(document["Bytes"])
                kind = _small_kind(content[:HEAD_BYTES], len(content))
                await asyncio.to_thread(path.write_bytes, content)
            else:
                location = _location(document["S3Object"])
                facts = await self.runner.source.facts(location)
                kind = _small_kind(facts.head, facts.size_bytes)
                await self.runner.source.download(location, facts.etag, path)
            return await self._read_at_once(name, DocumentFile(path, kind))

    async def _read_at_once(self, owner: str, file: DocumentFile) -> JSON:
        scheduler = self.runner.scheduler
        try:
            inspection = await scheduler.run_urgently(owner, page_process.inspect_document, file)
            if inspection.page_count > 1:
                raise UnsupportedDocumentError
            request = PageRequest(inspection.file, 1, numbered=False, limits=self.runner.limits)
            blocks = await scheduler.run_urgently(owner, page_process.read_page, request)
        except ReadingError as error:
            if error.code is FailureCode.PAGE_TOO_LARGE:
                raise DocumentTooLargeError(error.message) from error
            raise BadDocumentError(error.message) from error
        return {"DocumentMetadata": {"Pages": 1}, "Blocks": unpack(blocks.packed), **MODEL_VERSION}

    async def _blocks(self, job_id: str, offset: int, limit: int) -> JSON:
        """Collect `limit` blocks from `offset` on, opening only the pages that they are on."""
        counts = await self.runner.store.ask(JobTable.block_counts, job_id)
        blocks: list[orjson.Fragment] = []
        before = 0
        for page, count in counts:
            if before + count > offset and len(blocks) < limit:
                page_blocks = unpack(await self.runner.store.ask(JobTable.packed_blocks, job_id, page))
                first = max(0, offset - before)
                blocks += page_blocks[first : first + limit - len(blocks)]
            before += count
        more = {"NextToken": self.tokens.token(job_id, offset + limit)} if before > offset + limit else {}
        return {"Blocks": blocks, **more}

    def _oldest(self) -> float:
        return time.time() - self.retention_seconds


def _fingerprint(request: JSON) -> str:
    parameters = {name: value for name, value in request.items() if name != "ClientRequestToken"}
    return hashlib.sha256(orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _location(s3_object: JSON) -> S3Location:
    return S3Location(s3_object["Bucket"], s3_object["Name"], s3_object.get("Version"))


def _kind(head: bytes) -> DocumentKind:
    kind = sniff(head)
    if kind is None:
        raise UnsupportedDocumentError
    return kind


def _small_kind(head: bytes, size_bytes: int) -> DocumentKind:
    if size_bytes > SYNCHRONOUS_BYTES:
        raise DocumentTooLargeError
    return _kind(head)


def _warnings(failures: list[PageFailure]) -> list[JSON]:
    codes = dict.fromkeys(failure.code for failure in failures)
    return [
        {"ErrorCode": code, "Pages": [failure.page for failure in failures if failure.code is code]} for code in codes
    ]
