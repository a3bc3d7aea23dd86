"""Carries one job through its stages: claim, work with no transaction open, record the outcome with the next move."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from app.at_hand import at_hand
from app.db import is_away, one_statement
from app.errors import (
    DatabaseUnavailable,
    InternalError,
    JobNotFound,
    LeaseLost,
    QuireError,
    StageTimeout,
    StateConflict,
)
from app.events import EventDraft, EventType
from app.jobs import repository
from app.jobs.models import Job
from app.jobs.repository import CANCELLED, GIVEN_BACK
from app.jobs.states import JobState, Stage
from app.pipeline.failures import CLEARED_ERROR, failure_of
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.recording import move, recorded
from app.pipeline.stages import ROWS, StageRow, next_wanted
from app.queue import Queue, QueueName

log = structlog.get_logger(__name__)

STOPS_SECONDS = 1.0
"""How often a worker looks whether somebody asked for what it works on to be stopped."""


class Stopped(Exception):
    """A stage that was cut short, because somebody asked for its job to be stopped."""


SHORT_PAGES = 25
"""A document of so few pages takes less time at each stage than at a queue: it runs on through those that the process serves."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Runs stages for one worker process."""

    tools: Tools
    queue: Queue
    worker_id: str
    queues: Collection[QueueName] = ()
    """The queues that the process serves."""
    running: dict[UUID, int] = field(default_factory=dict)
    """What this process works on now, and under which fence: the heartbeat renews the leases of these, and no others."""
    limits: dict[UUID, asyncio.Timeout] = field(default_factory=dict)
    """The time that those stages have which can be cut short."""

    async def advance(self, job_id: UUID, stage: Stage) -> None:
        """Carry a job on from a stage, as far as its queue goes. A job that isn't there to be taken is left alone."""
        row = ROWS.get(stage)
        if row is None:
            return
        if row.is_brief:
            await self._advance(job_id, stage, row)
            return
        async with self.tools.turns.turn():
            await self._advance(job_id, stage, row)

    async def advance_in_turn(self, job_id: UUID, stage: Stage) -> None:
        """The same for who has a turn already."""
        await self._advance(job_id, stage, ROWS[stage])

    async def _advance(self, job_id: UUID, stage: Stage, row: StageRow) -> None:
        job = await recorded(lambda: self._claim(job_id, stage))
        if job is None and row.during is not None:
            # Cut off while it was at work, the job is at the stage that has that work's name.
            during = row.during
            job = await recorded(lambda: self._claim(job_id, during))
        if job is None:
            return
        fence = self.running[job_id] = job.fence
        with structlog.contextvars.bound_contextvars(job_id=str(job_id), request_id=job.request_id), at_hand():
            try:
                while job is not None and job.state is JobState.WORKING:
                    job = await self._step(job, row.queue)
            finally:
                # After a lost lease another task of this process may have claimed the job: its entry stays.
                if self.running.get(job_id) == fence:
                    del self.running[job_id]

    async def stop_cancelled(self) -> None:
        """Cut the stages short whose jobs somebody asked to stop: every stage may be cut off, and leaves nothing half done."""
        fences = {job_id: self.running[job_id] for job_id in self.limits if job_id in self.running}
        if not fences:
            return
        async with one_statement(self.tools.sessions) as session:
            told = await repository.to_be_stopped(session, fences)
        for job_id in told:
            if self.running.get(job_id) == fences[job_id] and (limit := self.limits.pop(job_id, None)) is not None:
                log.info("stage_cut_short", job_id=str(job_id))
                limit.reschedule(asyncio.get_running_loop().time())

    async def _claim(self, job_id: UUID, stage: Stage) -> Job | None:
        lease = timedelta(seconds=self.tools.settings.lease_seconds)
        async with one_statement(self.tools.sessions) as session:
            return await repository.claim(session, job_id, stage, worker=self.worker_id, lease=lease)

    async def _step(self, job: Job, queue: QueueName) -> Job | None:
        """Run one stage, in a task of some queue, and record how it ended; None where that is no longer ours to record."""
        row = ROWS[job.stage]
        try:
            if job.cancel_requested_at is not None:
                return await self._move(job, JobState.CANCELLED, event=CANCELLED)
            if row.during is not None and job.stage is row.stage:
                return await self._move(job, JobState.WORKING, event=EventDraft(EventType.STAGE), stage=row.during)
            try:
                outcome, seconds = await self._run(job, row)
            except Stopped:
                return await self._move(job, JobState.CANCELLED, event=CANCELLED)
            return await self._succeed(job, queue, outcome, seconds)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(job))
            raise
        except (LeaseLost, StateConflict, JobNotFound) as error:
            log.warning("outcome_not_ours", stage=job.stage, error=error.detail)
            return None
        except QuireError as error:
            return await self._fail(job, error)

    async def _run(self, job: Job, row: StageRow) -> tuple[Outcome, float]:
        """The stage's outcome, and how many seconds it took. Whatever it raises comes out as an error of our tree.

        Raises `Stopped` where it was cut short.
        """
        began = time.monotonic()
        try:
            async with self._limited(job, row):
                outcome = await row.run(job, self.tools)
        except (QuireError, Stopped):
            raise
        except TimeoutError as error:
            raise StageTimeout from error
        except Exception as error:
            if is_away(error):
                log.warning("stage_interrupted", stage=job.stage, error=str(error))
                raise DatabaseUnavailable from error
            log.exception("stage_crashed", stage=job.stage)
            raise InternalError(f"{row.task} failed unexpectedly ({type(error).__name__}).") from error
        return outcome, time.monotonic() - began

    @asynccontextmanager
    async def _limited(self, job: Job, row: StageRow) -> AsyncIterator[None]:
        """The time that a stage has. Raises `TimeoutError`, and `Stopped` where it was cut short."""
        limit = asyncio.timeout(self.tools.settings.stage_timeout_seconds)
        try:
            async with limit:
                if row.can_be_cut_short:
                    self.limits[job.id] = limit
                yield
        except TimeoutError:
            if limit.expired() and row.can_be_cut_short and job.id not in self.limits:
                raise Stopped from None
            raise
        finally:
            if self.limits.get(job.id) is limit:
                del self.limits[job.id]

    async def _succeed(self, job: Job, queue: QueueName, outcome: Outcome, seconds: float) -> Job | None:
        """Move on: to the end, to another queue, or straight into the next stage where nothing keeps us from it."""
        to = next_wanted(job, outcome.to or ROWS[job.stage].to)
        following = ROWS.get(to)
        goes_on = following is not None and outcome.due_in is None and self._runs_here(job, following, queue)
        state = JobState.WORKING if goes_on else JobState.QUEUED if following else JobState.DONE
        timing = {"seconds": round(seconds, 6)}
        moved = await self._move(
            job,
            state,
            event=EventDraft(EventType.STAGE if following else EventType.DONE, outcome.details),
            delay=outcome.due_in or timedelta(0),
            stage=to,
            attempts=0,
            stage_timings=job.stage_timings | {job.stage: timing},
            stage_cursor=None,
            **CLEARED_ERROR,
            **outcome.changes,
        )
        if moved is not None and moved.state is JobState.QUEUED and outcome.due_in is None:
            await self.queue.advance(moved)
        return moved

    def _runs_here(self, job: Job, row: StageRow, queue: QueueName) -> bool:
        """Whether a stage runs on in a task of some queue. Those that collect results make room for the next result."""
        is_short = 0 < job.pages_done <= SHORT_PAGES and queue is not QueueName.OCR
        return row.queue is queue or (row.queue in self.queues and (row.is_brief or is_short))

    async def _fail(self, job: Job, error: QuireError) -> Job | None:
        failure = failure_of(job, error, self.tools.settings)
        log.warning("stage_failed", stage=job.stage, code=error.code, error=error.detail, state=failure.state)
        try:
            return await self._move(job, failure.state, event=failure.event, delay=failure.delay, **failure.changes)
        except QuireError as lost:  # not ours any more, or not to be written: the lease will speak
            log.warning("failure_not_recorded", stage=job.stage, error=lost.detail)
            return None

    async def _give_back(self, job: Job) -> None:
        """A worker that is told to stop lets go of its job at once, at no cost to it."""
        try:
            await self._move(job, JobState.QUEUED, event=GIVEN_BACK)
        except QuireError as error:
            log.warning("job_not_given_back", job_id=str(job.id), error=error.detail)

    async def _move(self, job: Job, state: JobState, *, event: EventDraft, **changes: Any) -> Job | None:
        """One transition under our fence, from the stage that we worked on, written again while Postgres is away."""
        return await move(self.tools, job, state, event, **changes)
