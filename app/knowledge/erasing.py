"""Erasing documents: their rows, their objects and what is cached of them, and whatever the project knows from them alone.

A document is gone for everybody with the first commit, which writes down that it is to be erased. All else can be done
twice, and is: at once, by whoever was asked; by any worker, where that one died or the bucket was out of reach; and once
more when every stage that was at work on it must have ended, for it may have stored something meanwhile.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import events
from app.db import Sessions, one_statement
from app.documents import repository as documents
from app.documents.format_cache import folder_of
from app.documents.models import Erasure
from app.documents.state_cache import state_key
from app.documents.text_cache import text_key
from app.errors import LeaseLost, StateConflict, StorageUnavailable
from app.events import EventDraft, EventType
from app.jobs import repository, slots
from app.jobs.models import Job
from app.jobs.slots import Slots
from app.jobs.states import WAITING_STATES, JobState
from app.knowledge import erasure_rows as rows
from app.storage.s3 import Bucket

log = structlog.get_logger(__name__)

ERASED = "document_erased"
AGAIN_AFTER = timedelta(minutes=1)
"""When a worker takes up what somebody else began to erase, and has perhaps died over."""
ERASING_SECONDS = 2.0
"""How often workers look for something to erase."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where Textract writes results to, if it does: a folder for each of its jobs."""

    bucket: Bucket
    folder: str


@dataclass(frozen=True, slots=True)
class Erasing:
    """Erases documents."""

    sessions: Sessions
    bucket: Bucket
    redis: Redis
    slots: Slots
    settles_after: timedelta
    """By then no stage works any more that did when a document was deleted."""
    output: Output | None = None

    async def erase(self, project_id: UUID, document_id: UUID) -> None:
        """Erase a document: it isn't there any more for anybody, whatever happens. Raises `DocumentNotFound`."""
        async with self.sessions.begin() as session:
            document = await documents.find(session, project_id, document_id, lock=True)
            jobs = await rows.jobs_of(session, document_id)
            erasure = await rows.begin(session, document, due_in=AGAIN_AFTER)
            # The ids go into the payload: the columns forget what isn't there any more.
            told = {"document_id": str(document_id), "job_ids": [str(job.id) for job in jobs]}
            await events.note(session, EventDraft(EventType.ACTION, told, code=ERASED), project_id=project_id)
        for job in jobs:
            await self._cancel(job)
        await events.ring_log(self.redis, project_id=project_id)
        try:
            await self._erase(erasure)
        except (StorageUnavailable, SQLAlchemyError, OSError) as error:
            log.warning("erasing_later", document_id=str(document_id), error=str(error))

    async def finish_erasures(self) -> None:
        """Go on with what wasn't erased to the end."""
        while (erasure := await self._take()) is not None:
            await self._erase(erasure)

    async def _take(self) -> Erasure | None:
        async with one_statement(self.sessions) as session:
            return await rows.take_due(session, again=AGAIN_AFTER)

    async def _cancel(self, job: Job) -> None:
        """Cancel a job that waits. One that is worked on finds its row gone, and stops."""
        if job.state is JobState.WORKING:
            await self.slots.free(job)
        if job.state not in WAITING_STATES:
            return
        try:
            async with self.sessions.begin() as session:
                cancelled = await repository.transition(
                    session, job.id, JobState.CANCELLED, fence=job.fence, event=repository.CANCELLED
                )
                await slots.let_go(session, cancelled)
        except (LeaseLost, StateConflict):
            return
        await events.ring(
            self.redis, job.id, cancelled.last_event_number, project_id=job.project_id, batch_id=job.batch_id
        )
        await self.slots.free(cancelled)

    async def _erase(self, erasure: Erasure) -> None:
        """Take away what is there: rows first, for they are what others would look for objects by."""
        if erasure.rows_gone_at is None:
            await self._erase_rows(erasure)
        await self._erase_objects(erasure)
        await self._erase_caches(erasure)
        async with self.sessions.begin() as session:
            if await rows.settle(session, erasure.document_id, after=self.settles_after):
                log.info("document_erased", document_id=str(erasure.document_id))

    async def _erase_rows(self, erasure: Erasure) -> None:
        """In slices, so that no transaction is long; who comes second finds less to do."""
        for table in rows.LARGE_TABLES:
            while True:
                async with self.sessions.begin() as session:
                    if not await rows.erase_slice(session, table, erasure.document_id):
                        break
        async with self.sessions.begin() as session:
            await rows.erase_knowledge(session, erasure.project_id, erasure.document_id)
            await rows.erase_document(session, erasure.document_id)

    async def _erase_objects(self, erasure: Erasure) -> None:
        await self.bucket.delete(erasure.s3_key)
        for folder in ("parts", "results"):
            await self.bucket.delete_all(f"{folder}/{erasure.document_id}/")
        await self.bucket.delete_all(folder_of(erasure.document_id))
        if self.output is not None:
            for textract_job_id in erasure.textract_job_ids:
                await self.output.bucket.delete_all(f"{self.output.folder}/{textract_job_id}/")

    async def _erase_caches(self, erasure: Erasure) -> None:
        """Those that outlive a Redis that is away now end by themselves within the hour."""
        keys = [state_key(erasure.document_id), text_key(erasure.document_id)]
        for textract_job_id in erasure.textract_job_ids:
            keys += [f"job:textract:result:{textract_job_id}", f"job:textract:status:{textract_job_id}"]
        try:
            await self.redis.delete(*keys)
        except (RedisError, OSError) as error:
            log.warning("caches_not_erased", document_id=str(erasure.document_id), error=str(error))
