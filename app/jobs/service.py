"""What a caller can ask about jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import func, update

from app import events
from app.db import Sessions
from app.errors import LeaseLost, StateConflict
from app.events import Event
from app.jobs import repository
from app.jobs.models import Job
from app.jobs.states import TERMINAL_STATES, JobState

CANCEL_TRIES = 5
"""How often a job may change hands under a caller that wants it cancelled, before the caller is told to ask again."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a caller can ask about jobs."""

    sessions: Sessions
    redis: Redis

    async def find(self, project_id: UUID, job_id: UUID) -> Job:
        """One job of a project. Raises `JobNotFound`."""
        async with self.sessions() as session:
            return await repository.find(session, job_id, project_id=project_id)

    async def queue_position(self, job: Job) -> int | None:
        """How many jobs stand before one that hasn't begun."""
        async with self.sessions() as session:
            return await repository.queue_position(session, job)

    async def events_after(self, job_id: UUID, number: int) -> Sequence[Event]:
        """A job's events after a number, in order, as many as are read at once."""
        async with self.sessions() as session:
            return await repository.events_after(session, job_id, number)

    async def cancel(self, project_id: UUID, job_id: UUID) -> Job:
        """Stop a job: at once while it waits, before its next stage while it is being worked on.

        Cancelling a cancelled job changes nothing. Raises `JobNotFound`, and `StateConflict` for one that has ended.
        """
        for _ in range(CANCEL_TRIES):
            job = await self.find(project_id, job_id)
            if job.state is JobState.CANCELLED:
                return job
            if job.state in TERMINAL_STATES:
                raise StateConflict(f"The job is {job.state} already.")
            stopped = await (self._flag(job) if job.state is JobState.WORKING else self._stop(job))
            if stopped is not None:
                return stopped
        raise StateConflict("The job keeps changing hands; ask again in a moment.")

    async def _stop(self, job: Job) -> Job | None:
        """Cancel a job that waits; None when a worker has taken it meanwhile."""
        try:
            async with self.sessions.begin() as session:
                stopped = await repository.transition(
                    session, job.id, JobState.CANCELLED, fence=job.fence, event=repository.CANCELLED
                )
        except (LeaseLost, StateConflict):
            return None
        await events.ring(self.redis, stopped.id, stopped.last_event_number)
        return stopped

    async def _flag(self, job: Job) -> Job | None:
        """Ask the worker that has the job to stop; None when it has let go of it meanwhile."""
        held = (repository.jobs.c.id == job.id) & (repository.jobs.c.state == JobState.WORKING)
        change = update(repository.jobs).where(held).values(cancel_requested_at=func.now(), updated_at=func.now())
        async with self.sessions.begin() as session:
            row = (await session.execute(change.returning(repository.jobs))).one_or_none()
        return None if row is None else Job(**row._mapping)
