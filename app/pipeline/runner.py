"""Carries one job through its stages: claim, work with no transaction open, record the outcome with the next move."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from app.at_hand import at_hand, keep
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
from app.jobs.statements import Claim
from app.jobs.states import JobState, Priority, Stage
from app.jobs.textract_jobs import EverOfJob
from app.pipeline.carried import Carried
from app.pipeline.failures import CLEARED_ERROR, failure_of
from app.pipeline.holding import Holding, Kept
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.recording import move, recorded
from app.pipeline.stages import ROWS, StageRow, next_wanted
from app.queue import Queue, QueueName
from app.turns import Turn, be_urgent, hand_over

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
    carried: Carried = field(default_factory=Carried)
    """The documents that go on in this process once their results are collected."""

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

    async def collect(self, job: Job, event: EventDraft, ever: EverOfJob, **changes: Any) -> None:
        """Write down that a job's OCR has ended and take the job, in one, and carry it on: for who has a turn already.

        `ever` has its OCR jobs as they are now. Raises `LeaseLost` and `StateConflict` where it isn't as it was seen.
        """
        ended = Kept(event, job.stage, changes.get("attempts", job.attempts), JobState.QUEUED)
        said = {"claim": Claim(self.worker_id, self._lease), "earlier": [ended.before_another()], **changes}
        taken = await move(self.tools, job, JobState.WORKING, EventDraft(EventType.STAGE), **said)
        if taken is not None:
            await self._hold(taken, ROWS[taken.stage].queue, ever)

    async def _advance(self, job_id: UUID, stage: Stage, row: StageRow) -> None:
        job = await recorded(lambda: self._claim(job_id, stage))
        if job is None and row.during is not None:
            # Cut off while it was at work, the job is at the stage that has that work's name.
            during = row.during
            job = await recorded(lambda: self._claim(job_id, during))
        if job is not None:
            await self._hold(job, row.queue)

    async def _hold(self, job: Job, queue: QueueName, ever: EverOfJob | None = None) -> None:
        """Work on a job under the claim that it was just taken by, in a task of some queue."""
        self.running[job.id] = job.fence
        with structlog.contextvars.bound_contextvars(job_id=str(job.id), request_id=job.request_id), at_hand():
            holding = Holding(self.tools, job)
            keep(job.id, holding)
            if ever is not None:
                keep(job.id, ever)
            await self._run_on(holding, queue)

    async def _run_on(self, holding: Holding, queue: QueueName) -> None:
        """Run stages, as long as the job is ours; those that collecting leads to go on in a task of their own."""
        is_ours, goes_on_beside = True, False
        try:
            while is_ours and holding.job.state is JobState.WORKING:
                row = ROWS[holding.job.stage]
                if queue is QueueName.OCR and row.queue is not queue and not row.is_brief:
                    goes_on_beside = True
                    self.carried.begin(self._carry_on(holding, row.queue, hand_over()))
                    break
                is_ours = await self._step(holding, queue)
        finally:
            if not goes_on_beside:
                await self._let_go(holding)

    async def _carry_on(self, holding: Holding, queue: QueueName, turn: Turn | None) -> None:
        """Go on with a job that was collected, in the turn that this took: whoever collected it is free for the next."""
        be_urgent(urgent=holding.job.priority is Priority.HIGH)
        try:
            async with self.tools.turns.turn(turn):
                await self._run_on(holding, queue)
        except asyncio.CancelledError:
            if holding.job.state is JobState.WORKING:  # it had no turn yet
                await asyncio.shield(self._give_back(holding))
            raise
        except Exception:  # the edge of the loop: its lease will speak
            log.exception("run_crashed")
        finally:
            await self._let_go(holding)

    async def _let_go(self, holding: Holding) -> None:
        # After a lost lease another task of this process may have claimed the job: its entry stays.
        if self.running.get(holding.job.id) == holding.job.fence:
            del self.running[holding.job.id]
        await holding.let_go()

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

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.tools.settings.lease_seconds)

    async def _claim(self, job_id: UUID, stage: Stage) -> Job | None:
        claim = partial(repository.claim, job_id=job_id, stage=stage, worker=self.worker_id, lease=self._lease)
        async with one_statement(self.tools.sessions) as session:
            if stage is Stage.JOB_VALIDATED:
                with suppress(IntegrityError):  # another job reads the same, which the stage sees by itself
                    return await claim(session, reading=True)
            return await claim(session)

    async def _step(self, holding: Holding, queue: QueueName) -> bool:
        """Run one stage, in a task of some queue, and record how it ended; False where that is no longer ours to record."""
        job = holding.job
        row = ROWS[job.stage]
        try:
            if not row.can_be_cut_short:
                await holding.write()
            if job.cancel_requested_at is not None:
                return await holding.end(JobState.CANCELLED, CANCELLED) is not None
            if row.during is not None and job.stage is row.stage:
                await holding.go_on(EventDraft(EventType.STAGE), stage=row.during)
                return True
            try:
                outcome, seconds = await self._run(job, row)
            except Stopped:
                return await holding.end(JobState.CANCELLED, CANCELLED) is not None
            return await self._succeed(holding, queue, outcome, seconds)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(holding))
            raise
        except (LeaseLost, StateConflict, JobNotFound) as error:
            log.warning("outcome_not_ours", stage=job.stage, error=error.detail)
            return False
        except QuireError as error:
            return await self._fail(holding, error)

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

    async def _succeed(self, holding: Holding, queue: QueueName, outcome: Outcome, seconds: float) -> bool:
        """Move on: to the end, to another queue, or straight into the next stage where nothing keeps us from it."""
        job, row = holding.job, ROWS[holding.job.stage]
        to = next_wanted(job, outcome.to or row.to)
        following = ROWS.get(to)
        changes: dict[str, Any] = {
            "stage": to,
            "attempts": 0,
            "stage_timings": job.stage_timings | {job.stage.value: {"seconds": round(seconds, 6)}},
            "stage_cursor": None,
            **CLEARED_ERROR,
            **outcome.changes,
        }
        event = EventDraft(EventType.STAGE if following else EventType.DONE, outcome.details)
        if following is not None and outcome.due_in is None and self._runs_here(job, following, queue):
            await holding.go_on(event, outcome.once_written, **changes)
            if not row.can_be_cut_short:
                await holding.write()
            return True
        state = JobState.QUEUED if following else JobState.DONE
        delay = outcome.due_in or timedelta(0)
        moved = await holding.end(state, event, outcome.once_written, delay=delay, **changes)
        if moved is not None and moved.state is JobState.QUEUED and outcome.due_in is None:
            await self.queue.advance(moved)
        return moved is not None

    def _runs_here(self, job: Job, row: StageRow, queue: QueueName) -> bool:
        """Whether a stage follows in the same process, after one that ran in a task of some queue."""
        if row.queue is queue:
            return True
        if row.queue not in self.queues or not (row.is_brief or 0 < job.pages_done <= SHORT_PAGES):
            return False
        # What collects results makes room for the next one: what follows goes on beside it, as far as there is room.
        return row.is_brief or queue is not QueueName.OCR or self.carried.has_room(job.priority)

    async def _fail(self, holding: Holding, error: QuireError) -> bool:
        job = holding.job
        failure = failure_of(job, error, self.tools.settings)
        log.warning("stage_failed", stage=job.stage, code=error.code, error=error.detail, state=failure.state)
        try:
            moved = await holding.end(failure.state, failure.event, delay=failure.delay, **failure.changes)
        except QuireError as lost:  # not ours any more, or not to be written: the lease will speak
            log.warning("failure_not_recorded", stage=job.stage, error=lost.detail)
            return False
        return moved is not None

    async def _give_back(self, holding: Holding) -> None:
        """A worker that is told to stop lets go of its job at once, at no cost to it."""
        try:
            await holding.end(JobState.QUEUED, GIVEN_BACK)
        except QuireError as error:
            log.warning("job_not_given_back", job_id=str(holding.job.id), error=error.detail)
