"""What a caller can ask about documents."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from app.db import Sessions, new_id, one_statement
from app.documents import repository
from app.documents.intake import EXTENSIONS, SizeLimits, read_head, sniff
from app.documents.listing import DocumentFilter, Listed, list_documents
from app.documents.models import Page
from app.documents.submission import Description, StoredBytes, Submission, record
from app.errors import ResultNotReady, ResultUnavailable
from app.idempotency import Keep, keep_nothing
from app.jobs import repository as jobs_repository
from app.jobs.listing import Place
from app.jobs.models import Job
from app.jobs.states import LIVE_STATES
from app.queue import Queue
from app.storage.s3 import Bucket
from app.storage.upload import Upload


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a submission as they arrive, and what is said of them, which is whole only after the last byte."""

    chunks: AsyncIterator[bytes]
    describe: Callable[[], Description]


@dataclass(frozen=True, slots=True)
class Documents:
    """What a caller can ask about documents."""

    sessions: Sessions
    bucket: Bucket
    queue: Queue
    sizes: SizeLimits
    part_bytes: int
    parts_in_flight: int
    background: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def submit(self, project_id: UUID, content: Content, *, keep: Keep[Submission] = keep_nothing) -> Submission:
        """Take a document in, and queue the job that reads it.

        Raises a `Refused` for bytes that can't be taken, and `StorageUnavailable`.
        """
        stored = await self._store(new_id(), content)
        try:
            made = await self._record(project_id, stored, content.describe(), keep)
        except BaseException:
            await asyncio.shield(self.bucket.clean_up(partial(self.bucket.delete, stored.key)))
            raise
        # After the commit: no worker may look for what isn't there. If we die here, the sweep finds it.
        self._ring(made.job)
        return made

    async def fingerprint(self, content: Content) -> str:
        """What tells a submission from others, of bytes that aren't kept. Raises `DocumentTooLarge`."""
        digest, size_bytes = hashlib.sha256(), 0
        async for chunk in content.chunks:
            size_bytes += len(chunk)
            self.sizes.check(size_bytes)
            digest.update(chunk)
        return content.describe().fingerprint(digest.hexdigest())

    async def find(self, project_id: UUID, document_id: UUID) -> Submission:
        """A document and its newest job. Raises `DocumentNotFound`."""
        async with self.sessions() as session:
            document = await repository.find(session, project_id, document_id)
            job = await jobs_repository.latest_of(session, document_id)
            return Submission(document, job, await jobs_repository.cost_of_document(session, document_id))

    async def list(
        self, project_id: UUID, wanted: DocumentFilter, *, before: Place | None, limit: int
    ) -> "Sequence[Listed]":
        """Documents of a project with their newest jobs, the newest first."""
        async with self.sessions() as session:
            return await list_documents(session, project_id, wanted, before=before, limit=limit)

    async def pages(self, project_id: UUID, document_id: UUID, *, after: int, limit: int) -> "Sequence[Page]":
        """Pages after a number. Raises `DocumentNotFound`, `ResultNotReady`, `ResultUnavailable`."""
        job = await self.readable_job(project_id, document_id)
        return await self.pages_of_run(job.id, after=after, limit=limit)

    async def pages_of_run(self, job_id: UUID, *, after: int, limit: int) -> "Sequence[Page]":
        """Pages of a run that the caller was shown, after a number."""
        async with self.sessions() as session:
            return await repository.list_pages(session, job_id, after=after, limit=limit)

    async def page(self, project_id: UUID, document_id: UUID, number: int) -> Page:
        """One page. Raises as `pages` does, and `PageNotFound`."""
        job = await self.readable_job(project_id, document_id)
        async with self.sessions() as session:
            return await repository.get_page(session, job.id, number)

    async def readable_job(self, project_id: UUID, document_id: UUID) -> Job:
        """The job whose results a document shows. Raises `DocumentNotFound`, `ResultNotReady`, `ResultUnavailable`."""
        async with self.sessions() as session:
            await repository.find(session, project_id, document_id)
            job = await repository.readable_job(session, document_id)
            if job is not None:
                return job
            latest = await jobs_repository.latest_of(session, document_id)
        if latest.state in LIVE_STATES:
            raise ResultNotReady
        raise ResultUnavailable(f"The document could not be read: {latest.error_message or 'its job was cancelled.'}")

    async def _store(self, document_id: UUID, content: Content) -> StoredBytes:
        head = await read_head(content.chunks)
        media_type = sniff(head)
        key = f"documents/{document_id}{EXTENSIONS[media_type]}"
        async with Upload(self.bucket, key, media_type, self.part_bytes, self.parts_in_flight) as upload:
            await upload.write(head)
            self.sizes.check(upload.size_bytes, media_type)
            async for chunk in content.chunks:
                self.sizes.check(upload.size_bytes + len(chunk), media_type)
                await upload.write(chunk)
            content.describe()  # what is said must be sound before the object appears
            await upload.complete()
        return StoredBytes(document_id, self.bucket.name, key, media_type, upload.size_bytes, upload.sha256)

    async def _record(
        self, project_id: UUID, stored: StoredBytes, described: Description, keep: Keep[Submission]
    ) -> Submission:
        if keep is keep_nothing:
            async with one_statement(self.sessions) as session:
                return await record(session, project_id, stored, described)
        async with self.sessions.begin() as session:
            made = await record(session, project_id, stored, described)
            await keep(session, made)
        return made

    def _ring(self, job: Job) -> None:
        """Ring beside the answer, not before it: the client has waited for the commit, and needs nothing more."""
        task = asyncio.create_task(self.queue.announce(job))
        self.background.add(task)
        task.add_done_callback(self.background.discard)
