"""Documents whose bytes are in S3 already: copied in from an allowed bucket, or uploaded there by the client itself.

What is slow and outside, the work in S3, is done before the caller's transaction; the rows are written in it. An
arrival whose rows aren't committed leaves nothing behind.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Sessions, new_id
from app.documents import upload_rows
from app.documents.intake import EXTENSIONS, SNIFF_BYTES, SizeLimits, sniff
from app.documents.models import Document
from app.documents.sources import AllowedSources, Source
from app.documents.submission import Description, StoredBytes, Submission, record
from app.documents.upload_rows import DirectUpload, Keeping
from app.errors import ChecksumMismatch, Refused, SourceNotFound, SourceUnreadable, StorageUnavailable, UploadInProgress
from app.storage import staging
from app.storage.origins import Origin, copy_in, first_bytes, look_at
from app.storage.s3 import Bucket

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Arrival:
    """A document whose bytes are in our bucket, and whose rows are still to be written."""

    project_id: UUID
    stored: StoredBytes
    described: Description
    """What is known of it: what the upload said, or the source's name."""
    upload: DirectUpload | None = None
    recorded: bool = False

    async def record(
        self, session: AsyncSession, described: Description | None = None, **job_values: Any
    ) -> Submission:
        """Write the document and its job, with another description where one is given. Doesn't commit.

        `job_values` are columns of the job (`batch_id`, say). Raises `UploadInProgress` where another request has
        taken the upload over meanwhile.
        """
        self.recorded = True
        submission = await record(session, self.project_id, self.stored, described or self.described, **job_values)
        if self.upload is not None:
            await upload_rows.complete(session, self.upload, submission.document.id, submission.job.id)
        return submission


@dataclass(frozen=True, slots=True)
class Said:
    """What a client says of an upload when it completes it."""

    etags: Mapping[int, str] | None = None
    """Of its parts, by number; the store's own are taken where it says none."""
    sha256: str | None = None


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Takes in what is in S3 already.

    Both ways are used as `async with … as arrival:`, with the caller's transaction in it, and nothing after the
    commit: leaving with an exception takes the bytes away again.
    """

    sessions: Sessions
    bucket: Bucket
    sizes: SizeLimits
    allowed: AllowedSources
    keeping: Keeping = field(default_factory=Keeping)

    @asynccontextmanager
    async def of_source(self, project_id: UUID, source: str) -> AsyncIterator[Arrival]:
        """A copy of `s3://bucket/key`.

        Raises `SourceInvalid`, `SourceNotAllowed`, `SourceNotFound`, `SourceUnreadable`, a `Refused` for bytes that
        can't be taken, `StorageUnavailable`.
        """
        place = Source.parse(source)
        self.allowed.check(place)
        stored = await self._copy_in(await look_at(self.bucket, place.bucket, place.key))
        async with self._removed_on_failure(Arrival(project_id, stored, Description(place.filename))) as arrival:
            yield arrival

    @asynccontextmanager
    async def of_upload(self, project_id: UUID, upload_id: UUID, said: Said = NOTHING_SAID) -> AsyncIterator[Arrival]:
        """What a client has uploaded, whose parts must all be there.

        Raises `UploadNotFound`, `UploadCompleted` (which names the document), `UploadInProgress`, `UploadEnded`,
        `UploadIncomplete`, a `Refused` for bytes that can't be taken, `StorageUnavailable`.
        """
        async with self.sessions.begin() as session:
            upload = await upload_rows.take(session, project_id, upload_id, self.keeping)
        async with self._given_back_on_failure(upload):
            stored = await self._take_up(upload, said)
            arrival = Arrival(project_id, stored, description_of(upload), upload)
            async with self._removed_on_failure(arrival):
                yield arrival
        # What it was made from is of no use any more; the sweep takes it away if we die here.
        await self.bucket.clean_up(partial(self.clean, upload))

    async def clean(self, upload: DirectUpload) -> None:
        """Take away what is left in S3 of an upload that has ended. Raises `StorageUnavailable`."""
        await self.bucket.abort(upload.s3_key, upload.s3_upload_id)
        await self.bucket.delete(upload.s3_key)
        async with self.sessions.begin() as session:
            await upload_rows.cleaned(session, upload, self.keeping)

    async def _take_up(self, upload: DirectUpload, said: Said) -> StoredBytes:
        """Have the store join an upload's parts, and copy the whole to where documents are."""
        try:
            await staging.join(self.bucket, parts_of(upload), said.etags)
            found = await look_at(self.bucket, self.bucket.name, upload.s3_key)
            return await self._copy_in(found, frozenset(filter(None, [upload.sha256, said.sha256])))
        except (SourceNotFound, SourceUnreadable) as error:  # it was there a moment ago, and it is ours
            raise StorageUnavailable from error
        except Refused as error:
            await asyncio.shield(self._refuse(upload, error))
            raise

    async def _copy_in(self, origin: Origin, expected: frozenset[str] = frozenset()) -> StoredBytes:
        """Look at what an object is, and copy it to where documents are."""
        self.sizes.check(origin.size_bytes)
        media_type = sniff(await first_bytes(self.bucket, origin, SNIFF_BYTES))
        self.sizes.check(origin.size_bytes, media_type)
        document_id = new_id()
        key = f"documents/{document_id}{EXTENSIONS[media_type]}"
        sha256 = await copy_in(self.bucket, origin, key, media_type)
        if expected - {sha256}:
            await self.bucket.clean_up(partial(self.bucket.delete, key))
            raise ChecksumMismatch
        return StoredBytes(document_id, self.bucket.name, key, media_type, origin.size_bytes, sha256)

    @asynccontextmanager
    async def _removed_on_failure(self, arrival: Arrival) -> AsyncIterator[Arrival]:
        try:
            yield arrival
        except BaseException:
            await asyncio.shield(self._remove(arrival))
            raise
        if not arrival.recorded:
            await self._remove(arrival)

    @asynccontextmanager
    async def _given_back_on_failure(self, upload: DirectUpload) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await asyncio.shield(self._give_back(upload))
            raise

    async def _remove(self, arrival: Arrival) -> None:
        """Take an arrival's bytes away, unless its rows are there: a commit may count although its answer got lost."""
        if arrival.recorded:
            try:
                async with self.sessions() as session:
                    if await session.get(Document, arrival.stored.document_id) is not None:
                        return
            except (SQLAlchemyError, OSError) as error:
                log.warning("arrival_left_behind", key=arrival.stored.key, error=str(error))
                return
        await self.bucket.clean_up(partial(self.bucket.delete, arrival.stored.key))

    async def _refuse(self, upload: DirectUpload, error: Refused) -> None:
        """Write the refusal down, and take the bytes away."""
        with suppress(UploadInProgress):
            async with self.sessions.begin() as session:
                await upload_rows.refuse(session, upload, error)
            await self.bucket.clean_up(partial(self.clean, upload))

    async def _give_back(self, upload: DirectUpload) -> None:
        """Open an upload again; where that can't be done now, its lock runs out."""
        try:
            async with self.sessions.begin() as session:
                await upload_rows.give_back(session, upload)
        except UploadInProgress:  # it was refused, or another attempt has it
            return
        except (SQLAlchemyError, OSError) as error:
            log.warning("upload_not_given_back", upload_id=str(upload.id), error=str(error))


def parts_of(upload: DirectUpload) -> staging.Parts:
    """Where an upload's parts are, and how large each is to be."""
    return staging.Parts(upload.s3_key, upload.s3_upload_id, upload.size_bytes, upload.part_size_bytes)


def description_of(upload: DirectUpload) -> Description:
    """What was said of a document when its upload was begun."""
    return Description(
        filename=upload.filename,
        external_id=upload.external_id,
        metadata=upload.details,
        priority=upload.priority,
        options=upload.options,
        callback_url=upload.callback_url,
    )
