"""What a caller can ask about jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app import events
from app.db import Sessions, one_statement
from app.errors import LeaseLost, OcrFailed, StateConflict
from app.events import Event, EventDraft, EventType
from app.jobs import listing, many, repository, slots
from app.jobs.listing import DeadLetters, JobFilter, Place
from app.jobs.many import RETRIED, SLICE_JOBS, Again, reopen_batch
from app.jobs.models import Job
from app.jobs.slots import Slots
from app.jobs.states import TERMINAL_STATES, JobState, Stage
from app.ocr.engine import OcrStatus
from app.queue import Queue

CANCEL_TRIES = 5
"""How often a job may change hands under a caller that wants it cancelled, before the caller is told to ask again."""

RETRYABLE_STATES = frozenset({JobState.DEADLETTER, JobState.CANCELLED})
"""The ends from which a job can be run again."""

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
class Retried:
    """What came of retrying many: how many, and whether there may be more."""

    jobs: int
    more: bool


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a caller can ask about jobs."""

    sessions: Sessions
    redis: Redis
    queue: Queue
    slots: Slots

    async def find(self, project_id: UUID, job_id: UUID) -> Job:
        """One job of a project. Raises `JobNotFound`."""
        async with one_statement(self.sessions) as session:
            return await repository.find(session, job_id, project_id=project_id)

    async def list(self, project_id: UUID, wanted: JobFilter, *, before: Place | None, limit: int) -> list[Job]:
        """Jobs of a project, the newest first."""
        async with self.sessions() as session:
            return await listing.list_jobs(session, project_id, wanted, before=before, limit=limit)

    async def dead_letters(self, project_id: UUID) -> "Sequence[DeadLetters]":
        """What was given up, by code."""
        async with self.sessions() as session:
            return await listing.dead_letters(session, project_id)

    async def events_after(self, job_id: UUID, number: int) -> "Sequence[Event]":
        """A job's events after a number, in order, as many as are read at once."""
        async with self.sessions() as session:
            return await repository.events_after(session, job_id, number)

    async def cancel(self, project_id: UUID, job_id: UUID) -> Job:
        """Stop a job: at once while it waits, within seconds while it is being worked on.

        Cancelling a cancelled job changes nothing. Raises `JobNotFound`, and `StateConflict` for one that has ended.
        """
        for _ in range(CANCEL_TRIES):
            job = await self.find(project_id, job_id)
            if job.state is JobState.CANCELLED or _is_told_to_stop(job):
                return job
            if job.state in TERMINAL_STATES:
                raise StateConflict(f"The job is {job.state} already.")
            stopped = await (self._flag(job) if job.state is JobState.WORKING else self._stop(job))
            if stopped is not None:
                return stopped
        raise StateConflict("The job keeps changing hands; ask again in a moment.")

    async def retry(self, project_id: UUID, job_id: UUID) -> Job:
        """Run a job that was given up or cancelled again, from the stage that it had come to.

        Raises `JobNotFound` and `StateConflict`.
        """
        job = await self.find(project_id, job_id)
        if job.state not in RETRYABLE_STATES:
            raise StateConflict(
                f"The job is {job.state}; only one in deadletter, or a cancelled one, can be tried again."
            )
        try:
            retried = await self._run_again(job, reads=_may_read(job))
        except IntegrityError:  # another job of the same content reads by now
            retried = await self._run_again(job, reads=False)
        # After the commit: no worker may look for what isn't there. If we die here, the sweep finds it.
        await self.queue.advance(retried)
        await self._ring(retried)
        return retried

    async def retry_many(self, project_id: UUID, again: Again, *, limit: int) -> Retried:
        """Run a project's jobs again that were given up or cancelled, slice by slice; the sweep rings for them.

        A job is tried again once however often that is asked for: then it waits, and is asked for no more.
        """
        async with self.sessions() as session:
            began = (await session.execute(select(func.clock_timestamp()))).scalar_one()
        jobs, last = 0, SLICE_JOBS
        while last == SLICE_JOBS and jobs < limit:
            size = min(SLICE_JOBS, limit - jobs)
            async with self.sessions.begin() as session:
                moved = await many.retry_some(session, project_id, again, ended_before=began, limit=size)
                if moved:
                    told = {"jobs": len(moved), "states": list(again.states), "codes": list(again.codes)}
                    draft = EventDraft(EventType.ACTION, told, code="jobs_retried")
                    await events.note(session, draft, project_id=project_id, batch_id=again.batch_id)
            await events.ring_all(self.redis, ((job.id, job.last_event_number) for job in moved), project_id=project_id)
            jobs, last = jobs + len(moved), len(moved)
        return Retried(jobs, more=jobs == limit)

    async def _run_again(self, job: Job, *, reads: bool) -> Job:
        changes = {"attempts": 0, "reads": reads, "cancel_requested_at": None, **NO_ERROR, **_read_again(job)}
        async with self.sessions.begin() as session:
            if job.batch_id is not None:
                await reopen_batch(session, job.batch_id)
            await slots.take_back(session, [job])
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
                await slots.let_go(session, stopped)
        except (LeaseLost, StateConflict):
            return None
        await self._ring(stopped)
        await self.slots.free(stopped)
        return stopped

    async def _flag(self, job: Job) -> Job | None:
        """Ask the worker that has the job to stop; None when it has let go of it meanwhile, or somebody else asked."""
        async with self.sessions.begin() as session:
            flagged = await repository.ask_to_stop(session, job.id)
        if flagged is not None:
            await self._ring(flagged)
        return flagged

    async def _ring(self, job: Job) -> None:
        await events.ring(self.redis, job.id, job.last_event_number, project_id=job.project_id, batch_id=job.batch_id)


def _is_told_to_stop(job: Job) -> bool:
    return job.state is JobState.WORKING and job.cancel_requested_at is not None
