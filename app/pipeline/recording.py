"""Writing down what came of work: tried for some seconds while Postgres is away, for the work itself is done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import events
from app.db import is_away, one_statement
from app.errors import InternalError
from app.events import EventDraft
from app.jobs import repository, slots
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.pipeline.outcome import Tools

log = structlog.get_logger(__name__)

RECORD_TRIES = 8
"""How often an outcome is written again while Postgres is away: for about ten seconds, half a lease."""


async def recorded(write: Callable[[], Awaitable[Job | None]]) -> Job | None:
    """What a write returns; None when Postgres stays away, and the lease will speak.

    Raises `InternalError` for a write that Postgres refuses.
    """
    for attempt in range(RECORD_TRIES):
        try:
            return await write()
        except (SQLAlchemyError, OSError) as error:
            if not is_away(error):
                log.exception("write_refused")
                raise InternalError("What came of the stage can't be written down.") from error
            log.warning("postgres_away", attempt=attempt, error=str(error))
            await asyncio.sleep(min(0.1 * 2**attempt, 3))
    return None


async def move(
    tools: Tools, job: Job, state: JobState, event: EventDraft, *, at_stage: Stage | None = None, **changes: Any
) -> Job | None:
    """One transition of a job as it was seen, under its fence, stage and state; then its listeners are told.

    `at_stage` is where the database has it, if that is behind; what else is given is for `repository.transition`.
    """

    async def write() -> Job:
        async with one_statement(tools.sessions) as session:
            seen: dict[str, Any] = {"fence": job.fence, "at_stage": at_stage or job.stage, "at_state": job.state}
            return await repository.transition(session, job.id, state, event=event, **seen, **changes)

    async def let_go(cancelled: Job) -> Job:
        async with one_statement(tools.sessions) as session:
            await slots.let_go(session, cancelled)
        return cancelled

    moved = await recorded(write)
    if moved is not None and moved.state is JobState.CANCELLED:
        cancelled = moved
        await recorded(lambda: let_go(cancelled))
        await tools.slots.free(cancelled)
    if moved is not None:
        await events.ring(
            tools.redis, moved.id, moved.last_event_number, project_id=moved.project_id, batch_id=moved.batch_id
        )
    return moved
