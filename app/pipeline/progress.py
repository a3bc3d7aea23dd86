"""What a stage tells while it works on a long document: where it is, under the job's fence."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.events import EventDraft, EventType
from app.jobs import repository
from app.jobs.models import Job
from app.pipeline.holding import written
from app.pipeline.outcome import Tools


async def tell_progress(job: Job, tools: Tools, step: str, **figures: Any) -> None:
    """Write an event that says how far a step has come. Raises `LeaseLost`."""
    await written(job)
    async with tools.sessions.begin() as session:
        last = await note_progress(session, job, step, **figures)
    await events.ring(tools.redis, job.id, last, project_id=job.project_id)


async def note_progress(
    session: AsyncSession, job: Job, step: str, *, cursor: int | None = None, **figures: Any
) -> int:
    """The same within a transaction, with the place to go on from, should this try be cut off; returns the event's number.

    The moves of the job are to be `written` before that transaction begins.
    """
    draft = EventDraft(EventType.PROGRESS, {"step": step, **figures})
    changes = {} if cursor is None else {"stage_cursor": cursor}
    return await repository.append_events(session, job, [draft], **changes)
