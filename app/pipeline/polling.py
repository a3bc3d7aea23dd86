"""`poll_textract_jobs`: asks about the OCR jobs that are due, as many as the Get budget allows, and waits for none."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.db import one_statement, transaction
from app.errors import (
    InternalError,
    JobNotFound,
    LeaseLost,
    OcrFailed,
    OcrJobLost,
    QuireError,
    StateConflict,
)
from app.events import EventDraft, EventType
from app.jobs import polls, textract_jobs
from app.jobs.models import Job, TextractJob, TextractJobStatus
from app.jobs.states import JobState, Priority
from app.jobs.textract_jobs import EverOfJob
from app.ocr.engine import EngineName, OcrStatus
from app.ocr.pacing import Lane
from app.pipeline.ends import record_end, record_lost, record_timeout
from app.pipeline.failures import CLEARED_ERROR, failure_of
from app.pipeline.outcome import Tools
from app.pipeline.recording import move
from app.queue import Queue
from app.turns import be_urgent, sleep_aside

log = structlog.get_logger(__name__)

POLL_LEASE = timedelta(seconds=120)
"""For how long a job that is being asked about is left alone by others: longer than the SDK takes to give up, twice."""
TURN_SECONDS = 1.0
"""How long one turn goes on asking; the budget is kept for a fifth of a second only, so a turn takes it bit by bit."""
PAUSE_SECONDS = 0.05
LEAST_WAIT_SECONDS = 0.5
"""How long jobs are left alone at least whose engine is away."""


@dataclass(slots=True)
class Round:
    """What came of asking about some jobs, to be written down together."""

    probe: bool = False
    """Whether the one call that is made is to show if its engine is back."""
    gets: Counter[UUID] = field(default_factory=Counter)
    to_wait: list[tuple[Job, float]] = field(default_factory=list)
    due: dict[UUID, float] = field(default_factory=dict)
    """When each job was to be asked about, by the process's clock."""

    def late_seconds(self, job_id: UUID | None) -> float:
        """How long ago that was."""
        now = time.monotonic()
        return 0.0 if job_id is None else now - self.due.get(job_id, now)


@dataclass(frozen=True, slots=True)
class Polling:
    """Asks engines about running jobs, for the whole fleet: rows that are locked are another's."""

    tools: Tools
    queue: Queue
    advance: Callable[..., Awaitable[None]] | None = None
    """Takes a job in this process, as `Pipeline.collect` does, in the turn that its poll has; else it is rung for."""

    async def poll_textract_jobs(self, engines: Sequence[EngineName] = tuple(EngineName)) -> int:
        """Ask some engines about due jobs for a turn, or until none is due; returns how many were asked about."""
        asked, began = 0, time.monotonic()
        while time.monotonic() - began < TURN_SECONDS:
            async with one_statement(self.tools.sessions) as session:
                due = await polls.due_polls(session, engines)
            if not due:
                break
            now = sum(await asyncio.gather(*(self._poll_lane(lane, count) for lane, count in due)))
            asked += now
            await asyncio.sleep(0 if now else PAUSE_SECONDS)
        return asked

    async def _poll_lane(self, lane: Lane, due: int) -> int:
        """Ask about a lane's jobs as far as its budget goes; while its engine is away, about one now and then."""
        ocr = self.tools.ocr
        if lane.engine not in ocr.engines:
            return await self._ask_about(lane, due)  # no call is made: they are told that their engine is gone
        gate = await ocr.gate(lane.engine)
        if not gate.allowed:
            async with one_statement(self.tools.sessions) as session:
                await polls.put_off_polls(session, lane, seconds=max(LEAST_WAIT_SECONDS, gate.retry_in_seconds))
            return 0
        try:
            allowed = await ocr.pacer.gets(lane, 1 if gate.probe else due)
            return await self._ask_about(lane, allowed, probe=gate.probe) if allowed else 0
        finally:
            await ocr.give_back(lane.engine, gate)

    async def _ask_about(self, lane: Lane, allowed: int, *, probe: bool = False) -> int:
        async with transaction(self.tools.sessions) as session:
            taken = await polls.take_due_polls(session, lane, limit=allowed, lease=POLL_LEASE)
            ever = await textract_jobs.ever_of_jobs(session, [job.id for job, _ in taken])
        done = Round(probe, due={job.id: time.monotonic() - late_seconds for job, late_seconds in taken})
        await asyncio.gather(*(self._poll(job, ever[job.id], done) for job, _ in taken))
        async with transaction(self.tools.sessions) as session:
            await textract_jobs.count_gets(session, done.gets)
            await polls.ask_again(session, done.to_wait)
        return len(taken)

    async def _poll(self, job: Job, ever: EverOfJob, done: Round) -> None:
        be_urgent(urgent=job.priority is Priority.HIGH)
        async with self.tools.turns.turn():
            with structlog.contextvars.bound_contextvars(job_id=str(job.id), request_id=job.request_id):
                await self._told(self._ask_and_record(job, ever, done))

    async def _told(self, work: Awaitable[None]) -> None:
        """Whatever goes wrong is one job's alone, and it is asked again when its lease is over."""
        try:
            await work
        except (LeaseLost, StateConflict, JobNotFound) as error:
            log.info("poll_overtaken", error=error.detail)  # cancelled meanwhile, or asked about by another
        except (QuireError, SQLAlchemyError, OSError) as error:
            log.warning("poll_not_recorded", error=str(error))
        except Exception:  # the edge of the loop: a defect must not keep other jobs from being asked about
            log.exception("poll_crashed")

    async def _ask_and_record(self, job: Job, ever: EverOfJob, done: Round) -> None:
        rows = ever.in_force
        if not rows:
            await self._fail(job, OcrJobLost(), done)
            return
        try:
            await self._ask_all([row for row in rows if row.status not in ENDED], done)
        except QuireError as error:
            await self._fail(job, error, done)
            return
        except (SQLAlchemyError, OSError):
            raise
        except Exception as error:
            log.exception("poll_crashed")
            defect = InternalError(f"poll_textract_jobs failed unexpectedly ({type(error).__name__}).")
            await self._fail(job, defect, done)
            return
        if all(row.status in ENDED for row in rows):
            await self._collect(job, ever, done)
        else:
            await self._wait_on(job, rows, done)

    async def _ask_all(self, rows: Sequence[TextractJob], done: Round) -> None:
        """Ask about a job's OCR jobs. Raises `OcrJobLost` after all of them where one is lost: the others stand."""
        lost: OcrJobLost | None = None
        for row in rows:
            try:
                await self._ask(row, done)
            except OcrJobLost as error:
                lost = error
                await record_lost(self.tools, row, error)
        if lost is not None:
            raise lost

    async def _ask(self, row: TextractJob, done: Round) -> None:
        """Ask about one OCR job; what is new is in its row afterwards. The budget is for one: further parts wait for theirs."""
        lane, textract_job_id = Lane(row.engine, row.operation), row.textract_job_id or ""
        if row.part > 1:
            await sleep_aside(await self.tools.ocr.pacer.get(lane))
        done.gets[row.id] += 1
        portion = await self.tools.ocr.ask(lane, textract_job_id, probe=done.probe)
        if portion.status is OcrStatus.IN_PROGRESS:
            return
        if portion.status is not OcrStatus.FAILED and not self.tools.ocr.engine(row.engine).stores_results:
            await self.tools.portions.keep(textract_job_id, portion, here=self.advance is not None)
        await record_end(self.tools, row, portion, seconds_ago=done.late_seconds(row.job_id))

    async def _collect(self, job: Job, ever: EverOfJob, done: Round) -> None:
        """All parts have ended: have the result fetched, if there is any."""
        rows = ever.in_force
        status, pages = _status_of(rows), sum(row.page_count or 0 for row in rows)
        ended: dict[str, Any] = {"textract_job_status": status, "textract_end_time": datetime.now(UTC)}
        if status is OcrStatus.FAILED:
            message = next((row.message for row in rows if row.message), None)
            reason = (message or "no reason given").rstrip(".")
            error = OcrFailed(f"The OCR engine could not read the document: {reason}.")
            await self._fail(job, error, done, textract_error_message=message, **ended)
            return
        event = EventDraft(EventType.PROGRESS, {"textract_job_status": status, "pages": pages})
        ended |= {"attempts": 0, "textract_page_count": pages, **CLEARED_ERROR}
        textract_job_id = rows[0].textract_job_id or ""
        if self.advance is None or not self.tools.portions.has(textract_job_id) or len(rows) > 1:
            if (moved := await move(self.tools, job, JobState.QUEUED, event, **ended)) is not None:
                await self.queue.advance(moved)
            return
        try:
            await self.advance(job, event, ever, **ended)
        finally:
            self.tools.portions.forget(textract_job_id)

    async def _wait_on(self, job: Job, rows: Sequence[TextractJob], done: Round) -> None:
        now = datetime.now(UTC)
        if job.textract_deadline is not None and now > job.textract_deadline:
            error = await record_timeout(self.tools, [row for row in rows if row.status not in ENDED])
            await self._fail(job, error, done)
            return
        row = next(row for row in rows if row.status not in ENDED)
        elapsed = (now - (row.started_at or job.updated_at)).total_seconds()
        seconds = await self.tools.estimates.next_poll(Lane(row.engine, row.operation), row.page_count or 1, elapsed)
        deadline = job.textract_deadline or now + patience(job, self.tools.settings)
        if job.state is JobState.RETRYABLE:
            event = EventDraft(EventType.PROGRESS, {"message": "The OCR engine answers again."})
            changes = {**CLEARED_ERROR, "attempts": 0, "textract_deadline": deadline}
            await move(self.tools, job, JobState.QUEUED, event, delay=timedelta(seconds=seconds), **changes)
            return
        job.textract_deadline = deadline
        done.to_wait.append((job, seconds))

    async def _fail(self, job: Job, error: QuireError, done: Round, **changes: Any) -> None:
        failure = failure_of(job, error, self.tools.settings)
        log.warning("poll_failed", code=failure.event.code, state=failure.state)
        if failure.state is JobState.QUEUED:  # throttled, or the engine is away: no failure, and nothing to tell of
            if job.textract_deadline is not None:
                job.textract_deadline += failure.delay
            done.to_wait.append((job, failure.delay.total_seconds()))
            return
        await move(
            self.tools, job, failure.state, failure.event, delay=failure.delay, **(dict(failure.changes) | changes)
        )


ENDED = frozenset({TextractJobStatus.SUCCEEDED, TextractJobStatus.PARTIAL_SUCCESS, TextractJobStatus.FAILED})


def patience(job: Job, settings: Settings) -> timedelta:
    """How long a job is waited for: TEXTRACT_ASYNC_MAX_POLLING_TIME_SECONDS and a share per page."""
    share = settings.textract_polling_seconds_per_page * (job.pages_total or 0)
    return timedelta(seconds=settings.textract_async_max_polling_time_seconds + share)


def _status_of(rows: Sequence[TextractJob]) -> OcrStatus:
    """One status for all parts: what was read of some of them is kept."""
    statuses = {row.status for row in rows}
    if statuses == {TextractJobStatus.SUCCEEDED}:
        return OcrStatus.SUCCEEDED
    return OcrStatus.FAILED if statuses == {TextractJobStatus.FAILED} else OcrStatus.PARTIAL_SUCCESS
