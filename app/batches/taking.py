"""Taking batches apart: each item becomes a job, a slice in one transaction, so that a crash loses or doubles nothing.

Whoever takes from a batch holds its row for as long as a slice lasts: a cancel waits for that, and stops what would
come after.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from uuid import UUID

import structlog
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches import repository
from app.batches.drafts import ItemDraft
from app.batches.models import Batch, BatchState
from app.batches.warming import Warming
from app.db import Sessions, new_id
from app.documents.arrivals import Arrival, Arrivals
from app.errors import DocumentNotFound, QuireError, StateConflict, UploadCompleted, UploadInProgress
from app.jobs import many
from app.jobs.many import JobTerms, Moved
from app.jobs.models import Job
from app.ocr.engine import ReadRequest
from app.queue import Queue, QueueName

log = structlog.get_logger(__name__)

TAKING_SECONDS = 60.0
"""How long one task takes from a batch; the sweep rings for the rest, so that batches of one queue take turns."""

SOURCES_AT_ONCE = 4
SOURCES_LOOKED_AT = 40

OF_THE_BATCH = ("warm_cache",)
"""Options that say something of the batch, and nothing of its jobs."""


@dataclass(frozen=True, slots=True)
class Taking:
    """Takes batches apart for one worker process."""

    sessions: Sessions
    redis: Redis
    queue: Queue
    arrivals: Arrivals
    warming: Warming
    slice_items: int

    async def take(self, batch_id: UUID) -> None:
        """Make jobs of a batch's items until none wait, the batch is cancelled, or others are to have their turn."""
        until = time.monotonic() + TAKING_SECONDS
        with structlog.contextvars.bound_contextvars(batch_id=str(batch_id)):
            await self.warming.warm(batch_id)
            await self._take_documents(batch_id, until)
            await self._take_sources(batch_id, until)
            await self._take_documents(batch_id, until)  # of uploads that turned out to be some

    async def _take_documents(self, batch_id: UUID, until: float) -> None:
        while time.monotonic() < until and await self._take_slice(batch_id):
            pass

    async def _take_slice(self, batch_id: UUID) -> bool:
        """Take a slice of items whose documents are there; whether there were any."""
        async with self.sessions.begin() as session:
            batch = await repository.lock_open(session, batch_id)
            if batch is None:
                return False
            wanted = await repository.waiting_documents(session, batch_id, limit=self.slice_items)
            if not wanted:
                return False
            taken = await _take(session, batch, [(row.number, row.document_id) for row in wanted])
            await repository.set_working(session, batch_id)
        log.info("batch_slice_taken", items=len(wanted), jobs=len(taken))
        if batch.state is BatchState.QUEUED:
            await self._ring(taken)
        return True

    async def _ring(self, taken: Sequence[Moved]) -> None:
        """Ring for the first of a batch, so that a small one needn't wait for the sweep; it fills no more than half the room."""
        room = await self.queue.room(QueueName.OCR)
        for job in taken[: max(0, room // 2)]:
            await self.queue.advance(job)

    async def _take_sources(self, batch_id: UUID, until: float) -> None:
        """Take the items whose documents are yet to be fetched, a few at a time.

        Those that fail for now are left waiting; where all of some do, the sweep rings for them later.
        """
        slots, after, some_ended = asyncio.Semaphore(SOURCES_AT_ONCE), 0, True
        while some_ended and time.monotonic() < until:
            async with self.sessions.begin() as session:
                batch = await repository.lock_open(session, batch_id)
                if batch is None:
                    return
                waiting = await repository.waiting_sources(session, batch_id, after=after, limit=SOURCES_LOOKED_AT)
                if not waiting:
                    return
                await repository.set_working(session, batch_id)
            ended = await asyncio.gather(*(self._take_source(batch, item, slots) for item in waiting))
            after, some_ended = waiting[-1].number, any(ended)

    async def _take_source(self, batch: Batch, item: ItemDraft, slots: asyncio.Semaphore) -> bool:
        """Take one item; False where it has to wait."""
        async with slots:
            try:
                if "document_id" in item.asked:  # it was there when the batch was submitted
                    raise DocumentNotFound
                async with self._arrival(batch, item) as arrival:
                    job = await self._record(batch, item, arrival)
            except UploadCompleted as error:
                return await self._name(batch, item, error)
            except UploadInProgress:
                return False
            except QuireError as error:
                return await self._refuse(batch, item, error)
            else:
                await self.queue.advance(job)
            return True

    def _arrival(self, batch: Batch, item: ItemDraft) -> AbstractAsyncContextManager[Arrival]:
        """The bytes of an item, brought to where documents are with no transaction open."""
        if "source" in item.asked:
            return self.arrivals.of_source(batch.project_id, item.asked["source"])
        return self.arrivals.of_upload(batch.project_id, UUID(item.asked["upload_id"]))

    async def _record(self, batch: Batch, item: ItemDraft, arrival: Arrival) -> Job:
        """Make a document and a job of what has arrived. Raises `StateConflict` where the item isn't there any more."""
        described = replace(
            arrival.described,
            external_id=item.external_id or arrival.described.external_id,
            metadata=item.metadata or arrival.described.metadata,
        )
        values = asdict(_terms(batch)) | {"callback_url": None}
        del values["project_id"]
        async with self.sessions.begin() as session:
            if await repository.lock_open(session, batch.id) is None:
                raise StateConflict("The batch was cancelled.")
            made = await arrival.record(session, described, **values)
            if not await repository.mark_taken(session, batch.id, item.number, made.document.id, made.job.id):
                raise StateConflict("The item has been taken already.")
            await repository.set_working(session, batch.id)
        return made.job

    async def _name(self, batch: Batch, item: ItemDraft, error: UploadCompleted) -> bool:
        """Have an upload that is a document by now be taken as that."""
        if error.document_id is None:
            return await self._refuse(batch, item, error)
        async with self.sessions.begin() as session:
            await repository.name_document(session, batch.id, item.number, error.document_id)
        return True

    async def _refuse(self, batch: Batch, item: ItemDraft, error: QuireError) -> bool:
        """Say why an item can't be taken; False where that may pass, and the item waits."""
        if error.retryable:
            log.warning("batch_item_put_off", number=item.number, code=error.code, error=error.detail)
            return False
        async with self.sessions.begin() as session:
            await repository.refuse(session, batch.id, item.number, error.code, error.detail)
        return True


async def _take(session: AsyncSession, batch: Batch, wanted: Sequence[tuple[int, UUID]]) -> list[Moved]:
    """Make the jobs of a slice, and mark its items: taken, or refused where a document is gone or under way by now."""
    pairs = [(document_id, new_id()) for _, document_id in wanted]
    await session.execute(_LOCK_DOCUMENTS, {"ids": [document_id for document_id, _ in pairs]})
    taken = await many.create_of(session, _terms(batch), pairs)
    told = {
        "batch": batch.id,
        "numbers": [number for number, _ in wanted],
        "jobs": [job_id for _, job_id in pairs],
        "made": [job.id for job in taken],
        "code": StateConflict.code,
        "message": repository.UNDER_WAY,
    }
    await session.execute(_MARK, told)
    return taken


def _terms(batch: Batch) -> JobTerms:
    options = {name: value for name, value in batch.options.items() if name not in OF_THE_BATCH}
    return JobTerms(
        project_id=batch.project_id,
        batch_id=batch.id,
        priority=batch.priority,
        options=options,
        operation=ReadRequest.from_options(options).operation,
        request_id=batch.request_id,
    )


# In one order for all who lock several, and against whoever would make a job of one meanwhile.
_LOCK_DOCUMENTS = text("SELECT FROM documents WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE")

_MARK = text("""
    UPDATE batch_items SET updated_at = now(),
        status = CASE WHEN taken.made THEN 'taken' ELSE 'refused' END,
        job_id = CASE WHEN taken.made THEN taken.job END,
        error_code = CASE WHEN NOT taken.made THEN :code END,
        error_message = CASE WHEN NOT taken.made THEN :message END
    FROM (
        SELECT number, job, job = ANY(CAST(:made AS uuid[])) AS made
        FROM unnest(CAST(:numbers AS int[]), CAST(:jobs AS uuid[])) AS of (number, job)
    ) AS taken
    WHERE batch_id = :batch AND batch_items.number = taken.number AND status = 'waiting'
""")
