"""How batches stop: what is left of one is cancelled, and one whose items have all ended is over."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from redis.asyncio import Redis
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.batches import repository
from app.batches.models import Batch, BatchState
from app.batches.progress import counts_of
from app.db import Sessions
from app.events import EventType
from app.jobs import many
from app.jobs.many import SLICE_JOBS, Moved

log = structlog.get_logger(__name__)


async def cancel_jobs(sessions: Sessions, redis: Redis, project_id: UUID, batch_id: UUID) -> int:
    """Cancel the jobs of a batch that no worker has, slice by slice, and ask the others to stop; returns how many were."""
    cancelled, last = 0, SLICE_JOBS
    while last == SLICE_JOBS:
        async with sessions.begin() as session:
            moved = await many.cancel_waiting(session, batch_id, limit=SLICE_JOBS)
        await ring_for(redis, project_id, batch_id, moved)
        last = len(moved)
        cancelled += last
    async with sessions.begin() as session:
        await many.ask_to_stop(session, batch_id)
    return cancelled


async def ring_for(redis: Redis, project_id: UUID, batch_id: UUID, moved: Sequence[Moved]) -> None:
    """Tell whoever follows jobs that were moved together, or their batch."""
    news = ((job.id, job.last_event_number) for job in moved)
    await events.ring_all(redis, news, project_id=project_id, batch_id=batch_id)


async def end_batch(sessions: Sessions, redis: Redis, batch_id: UUID) -> Batch | None:
    """End a batch whose items have all ended; None where it is not that far, or ended already."""
    async with sessions.begin() as session:
        # Its row is held, so that no retry comes between the look and the end.
        batch = await repository.lock_open(session, batch_id, cancelled=True)
        if batch is None or await repository.is_unfinished(session, batch_id):
            return None
        ended = await end(session, batch)
    await events.ring_log(redis, project_id=ended.project_id, batch_id=ended.id)
    return ended


async def end(session: AsyncSession, batch: Batch) -> Batch:
    """Write down that a batch is over; the caller holds its row, and has seen that nothing of it is left."""
    state = BatchState.DONE if batch.cancel_requested_at is None else BatchState.CANCELLED
    counts = await counts_of(session, batch)
    counted = {"documents_refused": counts.documents_refused, "documents_failed": counts.documents_failed}
    ended = await repository.change(session, batch.id, state=state, finished_at=func.now(), percent=100, **counted)
    told = {"items": counts.items, "jobs": counts.jobs, "errors": counts.errors}
    await repository.note(session, batch, f"batch_{state}", EventType.DONE, **told)
    log.info("batch_ended", batch_id=str(batch.id), state=state, **told)
    return ended
