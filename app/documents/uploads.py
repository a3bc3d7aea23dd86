"""What a caller can ask about uploads straight to S3: begin one, send its parts, complete it, or give it up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from app import events
from app.db import Sessions, new_id
from app.documents import repository, upload_rows
from app.documents.arrivals import NOTHING_SAID, Arrivals, Said, parts_of
from app.documents.intake import clean_filename
from app.documents.submission import Description, Submission
from app.documents.upload_rows import DirectUpload, UploadState
from app.errors import StorageUnavailable, TooManyUploads, UploadCompleted
from app.events import EventDraft, EventType
from app.idempotency import Keep, keep_nothing
from app.jobs import repository as jobs_repository
from app.queue import Queue
from app.storage import staging

log = structlog.get_logger(__name__)

FIRST_PARTS = 100
"""Parts whose URLs come with the answer that begins an upload."""

SWEPT_AT_ONCE = 50

ABORTED = "upload_aborted"


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is to be sent, or has been."""

    number: int
    size_bytes: int
    url: str
    etag: str | None
    """Where it is in the store."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An upload and some of its parts, with the moment until which their URLs hold."""

    upload: DirectUpload
    parts: list[Part]
    urls_expire_at: datetime


@dataclass(frozen=True, slots=True)
class Announced:
    """What a client says of an upload that it begins."""

    size_bytes: int
    described: Description
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Uploads:
    """What a caller can ask about uploads straight to S3."""

    arrivals: Arrivals
    queue: Queue
    part_bytes: int
    lasts: timedelta
    """How long a client has for an upload."""
    url_seconds: int
    most_open: int
    """Uploads of one project that may be open at once."""

    @property
    def sessions(self) -> Sessions:
        """Where the rows are."""
        return self.arrivals.sessions

    async def begin(self, project_id: UUID, announced: Announced, *, keep: Keep[Begun] = keep_nothing) -> Begun:
        """Begin an upload. Raises `DocumentTooLarge`, `TooManyUploads`, `StorageUnavailable`."""
        self.arrivals.sizes.check(announced.size_bytes)
        await self._require_room(project_id)
        upload_id = new_id()
        key = f"uploads/{upload_id}"
        s3_upload_id = await staging.begin(self.arrivals.bucket, key)
        async with self._aborted_on_failure(key, s3_upload_id):
            upload = self._row(project_id, upload_id, announced, key, s3_upload_id)
            begun = await self._with_parts(upload, range(1, min(parts_of(upload).count, FIRST_PARTS) + 1), {})
            async with self.sessions.begin() as session:
                session.add(upload)
                await session.flush()
                await session.refresh(upload)
                await keep(session, begun)
        return begun

    async def find(self, project_id: UUID, upload_id: UUID) -> DirectUpload:
        """One upload. Raises `UploadNotFound`."""
        async with self.sessions() as session:
            return await upload_rows.find(session, project_id, upload_id)

    async def parts(self, project_id: UUID, upload_id: UUID, *, first: int, limit: int) -> Begun:
        """Parts of an open upload from a number on, with fresh URLs, and which of them are there.

        Raises `UploadNotFound`, `StorageUnavailable`, and for one that isn't open what completing it would.
        """
        upload = await self.find(project_id, upload_id)
        if upload.state is not UploadState.OPEN or upload.expires_at <= datetime.now(UTC):
            raise upload_rows.why_not(upload)
        parts = parts_of(upload)
        numbers = range(first, min(parts.count, first + limit - 1) + 1)
        sent = await staging.sent_parts(self.arrivals.bucket, parts, after=first - 1, limit=limit)
        return await self._with_parts(upload, numbers, sent or {})

    async def complete(
        self,
        project_id: UUID,
        upload_id: UUID,
        said: Said = NOTHING_SAID,
        *,
        keep: Keep[Submission] = keep_nothing,
    ) -> Submission:
        """Make a document of an upload, once: one that was completed before gives the same document and job again.

        Raises `UploadNotFound`, `UploadInProgress`, `UploadEnded`, `UploadIncomplete`, a `Refused` for bytes that can't
        be taken, `StorageUnavailable`.
        """
        try:
            async with (
                self.arrivals.of_upload(project_id, upload_id, said) as arrival,
                self.sessions.begin() as session,
            ):
                made = await arrival.record(session)
                await keep(session, made)
        except UploadCompleted as earlier:
            return await self._made_earlier(project_id, earlier, keep)
        # After the commit: no worker may look for what isn't there. If we die here, the sweep finds it.
        await self.queue.announce(made.job)
        return made

    async def abort(self, project_id: UUID, upload_id: UUID) -> None:
        """Give an upload up; one that ended without a document is fine.

        Raises `UploadNotFound`, `UploadCompleted`, `UploadInProgress`.
        """
        async with self.sessions.begin() as session:
            aborted = await upload_rows.abort(session, project_id, upload_id)
            if aborted is None:
                return
            draft = EventDraft(EventType.ACTION, {"upload_id": str(upload_id)}, code=ABORTED)
            await events.note(session, draft, project_id=project_id)
        await self.arrivals.bucket.clean_up(partial(self.arrivals.clean, aborted))

    async def sweep(self) -> None:
        """Expire uploads that nobody completed, and take away what is left of those that have ended."""
        async with self.sessions.begin() as session:
            ended = await upload_rows.take_due(session, self.arrivals.keeping, limit=SWEPT_AT_ONCE)
        for upload in ended:
            try:
                await self.arrivals.clean(upload)
            except StorageUnavailable as error:  # it is due again soon
                log.warning("upload_not_cleaned", upload_id=str(upload.id), error=error.detail)
            else:
                log.info("upload_cleaned", upload_id=str(upload.id), state=upload.state)

    async def _require_room(self, project_id: UUID) -> None:
        """See that one more may be open. Calls at the same moment may pass the limit by as many as they are."""
        async with self.sessions() as session:
            if await upload_rows.count_open(session, project_id, most=self.most_open) >= self.most_open:
                raise TooManyUploads(f"The project has {self.most_open} uploads open; complete some, or give them up.")

    async def _made_earlier(self, project_id: UUID, earlier: UploadCompleted, keep: Keep[Submission]) -> Submission:
        if earlier.document_id is None or earlier.job_id is None:
            raise earlier
        async with self.sessions.begin() as session:
            document = await repository.find(session, project_id, earlier.document_id)
            made = Submission(document, await jobs_repository.find(session, earlier.job_id))
            await keep(session, made)
        return made

    async def _with_parts(self, upload: DirectUpload, numbers: range, sent: dict[int, staging.SentPart]) -> Begun:
        bucket, parts = self.arrivals.bucket, parts_of(upload)
        now = datetime.now(UTC)
        expire_at = min(now + timedelta(seconds=self.url_seconds), upload.expires_at)
        seconds = max(1, int((expire_at - now).total_seconds()))
        return Begun(
            upload,
            [
                Part(
                    number=number,
                    size_bytes=parts.size_of(number),
                    url=await staging.part_url(bucket, parts, number, seconds=seconds),
                    etag=sent[number].etag if number in sent else None,
                )
                for number in numbers
            ],
            expire_at,
        )

    def _row(
        self, project_id: UUID, upload_id: UUID, announced: Announced, key: str, s3_upload_id: str
    ) -> DirectUpload:
        described, expires_at = announced.described, datetime.now(UTC) + self.lasts
        return DirectUpload(
            id=upload_id,
            project_id=project_id,
            filename=clean_filename(described.filename),
            external_id=described.external_id,
            details=described.metadata,
            priority=described.priority,
            options=described.options,
            callback_url=described.callback_url,
            size_bytes=announced.size_bytes,
            sha256=announced.sha256,
            part_size_bytes=staging.part_size(announced.size_bytes, self.part_bytes),
            s3_key=key,
            s3_upload_id=s3_upload_id,
            expires_at=expires_at,
            due_at=expires_at,
        )

    @asynccontextmanager
    async def _aborted_on_failure(self, key: str, s3_upload_id: str) -> AsyncIterator[None]:
        bucket = self.arrivals.bucket
        try:
            yield
        except BaseException:
            await asyncio.shield(bucket.clean_up(partial(bucket.abort, key, s3_upload_id)))
            raise
