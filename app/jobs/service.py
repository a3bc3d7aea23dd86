"""What a caller can ask about jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import func, update
from sqlalchemy.exc import IntegrityError

from app import events
from app.db import Sessions
from app.errors import LeaseLost, OcrFailed, StateConflict
from app.events import Event
from app.jobs import repository
from app.jobs.many import RETRIED, reopen_batch
from app.jobs.models import Job
from app.jobs.states import TERMINAL_STATES, JobState, Stage
from app.ocr.engine import OcrStatus
from app.queue import Queue

CANCEL_TRIES = 5
"""How often a job may change hands under a caller that wants it cancelled, before the caller is told to ask again."""


NO_ERROR = {"error_code": None, "error_message": None, "error_retryable": None, "error_stage": None}


def _read_again(job: Job) -> dict[str, Any]:
    """What a retry changes of the OCR job: one that failed is started anew, one that was waited for too long is waited for."""
    not_a_page_read = job.stage is Stage.PARSED and job.error_code == OcrFailed.code
    if not_a_page_read or (job.stage is Stage.PARSING and job.textract_job_status == OcrStatus.FAILED):
        fresh = {
            "textract_job_id": None,
            "textract_job_status": None,
            "textract_generation": job.textract_generation + 1,
        }
        return {"stage": Stage.JOB_VALIDATED, "result_key": None, **fresh}
    return {"textract_deadline": None} if job.stage is Stage.PARSING else {}


def _may_read(job: Job) -> bool:
    """Whether a retry is of a job that an engine reads or is to read, for all jobs of the same content."""
    reads = job.stage in {Stage.JOB_VALIDATED, Stage.PARSING, Stage.PARSED}
    return reads and job.content_key is not None and not job.options.get("force_reprocess")


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a caller can ask about jobs."""

    sessions: Sessions
    redis: Redis
    queue: Queue

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

    async def retry(self, project_id: UUID, job_id: UUID) -> Job:
        """Run a job that was given up again, from the stage that failed. Raises `JobNotFound` and `StateConflict`."""
        job = await self.find(project_id, job_id)
        if job.state is not JobState.DEADLETTER:
            raise StateConflict(f"The job is {job.state}; only one in deadletter can be tried again.")
        try:
            retried = await self._run_again(job, reads=_may_read(job))
        except IntegrityError:  # another job of the same content reads by now
            retried = await self._run_again(job, reads=False)
        # After the commit: no worker may look for what isn't there. If we die here, the sweep finds it.
        await self.queue.advance(retried)
        await events.ring(
            self.redis, retried.id, retried.last_event_number, project_id=retried.project_id, batch_id=retried.batch_id
        )
        return retried

    async def _run_again(self, job: Job, *, reads: bool) -> Job:
        changes = {"attempts": 0, "reads": reads, **NO_ERROR, **_read_again(job)}
        async with self.sessions.begin() as session:
            if job.batch_id is not None:
                await reopen_batch(session, job.batch_id)
            return await repository.transition(
                session, job.id, JobState.QUEUED, fence=job.fence, at_state=job.state, event=RETRIED, **changes
            )

    async def _stop(self, job: Job) -> Job | None:
        """Cancel a job that waits; None when a worker has taken it meanwhile."""
        try:
            async with self.sessions.begin() as session:
                stopped = await repository.transition(
                    session, job.id, JobState.CANCELLED, fence=job.fence, event=repository.CANCELLED
                )
        except (LeaseLost, StateConflict):
            return None
        await events.ring(
            self.redis, stopped.id, stopped.last_event_number, project_id=stopped.project_id, batch_id=stopped.batch_id
        )
        return stopped

    async def _flag(self, job: Job) -> Job | None:
        """Ask the worker that has the job to stop; None when it has let go of it meanwhile."""
        held = (repository.jobs.c.id == job.id) & (repository.jobs.c.state == JobState.WORKING)
        change = update(repository.jobs).where(held).values(cancel_requested_at=func.now(), updated_at=func.now())
        async with self.sessions.begin() as session:
            row = (await session.execute(change.returning(repository.jobs))).one_or_none()
        return None if row is None else Job(**row._mapping)
