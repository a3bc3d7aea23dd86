"""What a caller can ask about batches."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import func

from app import event_log, events
from app.batches import repository
from app.batches.contents import ItemFilter, ItemFound, list_items
from app.batches.drafts import BatchDraft
from app.batches.ending import cancel_jobs, end, end_batch, ring_for
from app.batches.models import Batch, BatchState
from app.batches.preflight import Preflight
from app.batches.progress import Progress, ProgressBook
from app.batches.repository import RefusedItem
from app.db import Sessions
from app.errors import (
    SourceNotAllowed,
    SourceNotFound,
    SourceUnreadable,
    StateConflict,
    StorageUnavailable,
    UploadIncomplete,
    UploadInProgress,
)
from app.event_log import Position
from app.events import EventType
from app.idempotency import Keep, keep_nothing
from app.jobs import many
from app.jobs.many import SLICE_JOBS
from app.queue import Queue

REPORT_ITEMS = 500
"""Items of a report that are in memory at a time."""

MAY_PASS = tuple(
    each.code
    for each in (
        *(StateConflict, StorageUnavailable),
        *(UploadIncomplete, UploadInProgress),
        *(SourceNotFound, SourceUnreadable, SourceNotAllowed),
    )
)
"""Why items were refused that a retry takes up again, for it may have been mended; the others would be refused again."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that was taken in, and those of its items that were not."""

    batch: Batch
    refused: list[RefusedItem]


@dataclass(frozen=True, slots=True)
class Batches:
    """What a caller can ask about batches."""

    sessions: Sessions
    redis: Redis
    queue: Queue
    preflight: Preflight
    book: ProgressBook

    async def submit(self, project_id: UUID, draft: BatchDraft, *, keep: Keep[Accepted] = keep_nothing) -> Accepted:
        """Take a batch in. Items that can't be taken are refused in place.

        Raises `NoWorkers`, `StorageUnavailable` and `OcrEnginesAway` where the batch requires that it can be worked on.
        """
        warnings = await self.preflight.check(project_id, draft)
        async with self.sessions.begin() as session:
            batch, refused = await repository.add(session, project_id, draft, warnings)
            await repository.note(
                session, batch, "batch_submitted", EventType.ACTION, items=batch.item_count, refused=len(refused)
            )
            if len(refused) == batch.item_count:
                batch = await end(session, batch)
            accepted = Accepted(batch, refused)
            await keep(session, accepted)
        # After the commit: no worker may look for what isn't there. If we die here, the sweep finds it.
        await events.ring_log(self.redis, project_id=project_id, batch_id=batch.id)
        if batch.finished_at is None:
            await self.queue.take_batch(batch.id, batch.priority, repository.chance_of(batch))
        return accepted

    async def check(self, project_id: UUID, draft: BatchDraft) -> Sequence[Mapping[str, Any]]:
        """What a batch would meet with if it were submitted now, as its warnings; raises what `submit` would."""
        return await self.preflight.check(project_id, draft, rehearsed=True)

    async def find(self, project_id: UUID, batch_id: UUID) -> Batch:
        """One batch of a project. Raises `BatchNotFound`."""
        async with self.sessions() as session:
            return await repository.find(session, project_id, batch_id)

    async def list(
        self, project_id: UUID, *, before: UUID | None, states: Sequence[BatchState], limit: int
    ) -> list[Batch]:
        """Batches of a project, the newest first."""
        async with self.sessions() as session:
            return await repository.list_batches(session, project_id, before=before, states=states, limit=limit)

    async def progress(self, batch: Batch) -> Progress:
        """How far a batch has come, as it was counted a moment ago."""
        return await self.book.of(batch)

    async def items(self, batch: Batch, wanted: ItemFilter, *, after: int, limit: int) -> Sequence[ItemFound]:
        """Items of a batch with their jobs, by number, after one."""
        async with self.sessions() as session:
            return await list_items(session, batch.id, wanted, after=after, limit=limit)

    async def report(self, batch: Batch) -> AsyncIterator[Sequence[ItemFound]]:
        """All items of a batch with their jobs, some at a time."""
        after = 0
        while found := await self.items(batch, ItemFilter(), after=after, limit=REPORT_ITEMS):
            yield found
            after = found[-1].number

    async def position(self) -> Position:
        """The place in the log of events after all that can be told of now."""
        async with self.sessions() as session:
            return await event_log.now(session)

    async def has_news(self, batch_id: UUID, position: Position) -> bool:
        """Whether the log has, or will tell, events of a batch after a place."""
        async with self.sessions() as session:
            return await repository.has_events_after(session, batch_id, position.transaction_id, position.event_id)

    async def cancel(self, project_id: UUID, batch_id: UUID) -> Batch:
        """Cancel the rest of a batch: what waits at once, what is being worked on before its next stage.

        Cancelling a cancelled batch changes nothing. Raises `BatchNotFound`, and `StateConflict` for one that is done.
        """
        async with self.sessions.begin() as session:
            batch = await repository.find(session, project_id, batch_id, lock=True)
            if batch.state is BatchState.CANCELLED:
                return batch
            if batch.state is BatchState.DONE:
                raise StateConflict("The batch is done already.")
            if batch.cancel_requested_at is None:
                cancelled = await repository.cancel_waiting_items(session, batch.id)
                batch = await repository.change(session, batch.id, cancel_requested_at=func.now())
                await repository.note(session, batch, "batch_cancelled", EventType.ACTION, items=cancelled)
        # From here on nothing new is taken. If we die here, the sweep cancels what is left.
        await cancel_jobs(self.sessions, self.redis, project_id, batch.id)
        await end_batch(self.sessions, self.redis, batch.id)
        return await self.find(project_id, batch_id)

    async def retry(self, project_id: UUID, batch_id: UUID) -> tuple[Batch, int]:
        """Try again all that failed of a batch, and say how many documents that is.

        Jobs that were given up go on from the stage that failed; items that were refused for what may have passed are
        taken again. Raises `BatchNotFound`, and `StateConflict` for a cancelled batch.
        """
        retried, last = 0, SLICE_JOBS
        while last == SLICE_JOBS:
            batch, last = await self._retry_slice(project_id, batch_id)
            retried += last
        async with self.sessions.begin() as session:
            batch = await repository.find(session, project_id, batch_id, lock=True)
            again = await repository.wait_again(session, batch.id, MAY_PASS)
            if again:
                batch = await repository.change(session, batch.id, **repository.REOPENED)
            if again or retried:
                await repository.note(session, batch, "batch_retried", EventType.ACTION, jobs=retried, items=again)
        if again:
            await self.queue.take_batch(batch.id, batch.priority, repository.chance_of(batch))
        return batch, retried + again

    async def _retry_slice(self, project_id: UUID, batch_id: UUID) -> tuple[Batch, int]:
        """Queue some jobs again that were given up; the sweep rings for them, as far as there is room."""
        async with self.sessions.begin() as session:
            # Its row first: whoever ends batches holds it too, and sees either all of this slice or nothing.
            batch = await repository.find(session, project_id, batch_id, lock=True)
            if batch.cancel_requested_at is not None:
                raise StateConflict("The batch was cancelled; submit what is to be read as a new one.")
            moved = await many.retry_failed(session, batch.id, limit=SLICE_JOBS)
            if moved:
                batch = await repository.change(session, batch.id, **repository.REOPENED)
        await ring_for(self.redis, project_id, batch.id, moved)
        return batch, len(moved)
