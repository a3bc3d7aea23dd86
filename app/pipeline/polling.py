"""`poll_textract_jobs`: asks about every Textract job that is due, all at once, and waits for none."""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Interval, bindparam, func, update
from sqlalchemy.exc import SQLAlchemyError

from app.errors import InternalError, JobNotFound, LeaseLost, OcrFailed, OcrTimeout, QuireError, StateConflict
from app.events import EventDraft, EventType
from app.jobs import backlog, repository
from app.jobs.models import Job
from app.jobs.states import JobState
from app.ocr.engine import OcrProgress, OcrStatus
from app.pipeline.failures import CLEARED_ERROR, failure_of
from app.pipeline.outcome import Tools
from app.pipeline.recording import move
from app.queue import Queue

log = structlog.get_logger(__name__)

POLL_LEASE = timedelta(seconds=60)
"""For how long a job that is being asked about is left alone by others: longer than the SDK takes to give up."""

FIRST_INTERVAL_SECONDS = 1.0
GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Polling:
    """Asks Textract about running jobs, for the whole fleet: rows that are locked are another's."""

    tools: Tools
    queue: Queue

    async def poll_textract_jobs(self) -> int:
        """Ask about as many due jobs as the quota of one second allows; returns how many."""
        async with self.tools.sessions.begin() as session:
            due = await backlog.take_due_polls(
                session, limit=self.tools.settings.textract_get_per_second, lease=POLL_LEASE
            )
        await asyncio.gather(*(self._poll(job) for job in due))
        return len(due)

    async def _poll(self, job: Job) -> None:
        with structlog.contextvars.bound_contextvars(job_id=str(job.id), request_id=job.request_id):
            try:
                answer = await self._ask(job)
                await (self._fail(job, answer) if isinstance(answer, QuireError) else self._record(job, answer))
            except (LeaseLost, StateConflict, JobNotFound) as error:
                log.info("poll_overtaken", error=error.detail)  # cancelled meanwhile, or asked about by another
            except (QuireError, SQLAlchemyError, OSError) as error:
                log.warning("poll_not_recorded", error=str(error))  # it is asked again when its lease is over

    async def _ask(self, job: Job) -> OcrProgress | QuireError:
        """What the engine says of a job; whatever goes wrong is an error of our tree, and that job's alone."""
        try:
            return await self.tools.ocr.ask(job.textract_job_id or "")
        except QuireError as error:
            return error
        except Exception as error:
            log.exception("poll_crashed")
            return InternalError(f"poll_textract_jobs failed unexpectedly ({type(error).__name__}).")

    async def _record(self, job: Job, progress: OcrProgress) -> None:
        if progress.status is OcrStatus.FAILED:
            ended = {"textract_job_status": progress.status, "textract_end_time": datetime.now(UTC)}
            error = OcrFailed(f"Textract could not read the document: {progress.message or 'no reason given'}.")
            await self._fail(job, error, textract_error_message=progress.message, **ended)
        elif progress.status is OcrStatus.IN_PROGRESS:
            await self._wait_on(job)
        else:
            await self._collect(job, progress)

    async def _collect(self, job: Job, progress: OcrProgress) -> None:
        """The job has ended: have its result fetched."""
        event = EventDraft(EventType.PROGRESS, {"textract_job_status": progress.status, "pages": progress.page_count})
        ended = {"textract_job_status": progress.status, "textract_end_time": datetime.now(UTC)}
        moved = await self._move(
            job, JobState.QUEUED, event, attempts=0, textract_page_count=progress.page_count, **CLEARED_ERROR, **ended
        )
        if moved is not None:
            await self.queue.advance(moved)

    async def _wait_on(self, job: Job) -> None:
        if datetime.now(UTC) - (job.textract_start_time or job.created_at) > self._patience(job):
            await self._fail(job, OcrTimeout)
            return
        delay = self._interval(job.textract_polls)
        if job.state is JobState.RETRYABLE:
            event = EventDraft(EventType.PROGRESS, {"message": "Textract answers again."})
            await self._move(job, JobState.QUEUED, event, attempts=0, delay=delay, **CLEARED_ERROR)
            return
        async with self.tools.sessions.begin() as session:
            await session.execute(_ASK_AGAIN, {"job_id": job.id, "held": job.fence, "delay": delay})

    async def _fail(self, job: Job, error: QuireError | type[QuireError], **changes: Any) -> None:
        failure = failure_of(job, error if isinstance(error, QuireError) else error(), self.tools.settings)
        log.warning("poll_failed", code=failure.event.code, state=failure.state)
        await self._move(job, failure.state, failure.event, delay=failure.delay, **(dict(failure.changes) | changes))

    async def _move(self, job: Job, state: JobState, event: EventDraft, **changes: Any) -> Job | None:
        return await move(self.tools, job, state, event, **changes)

    def _patience(self, job: Job) -> timedelta:
        settings = self.tools.settings
        share = settings.textract_polling_seconds_per_page * (job.pages_total or 0)
        return timedelta(seconds=settings.textract_async_max_polling_time_seconds + share)

    def _interval(self, polls: int) -> timedelta:
        """Growing, and jittered by a fifth, so that jobs that were started together aren't asked about together."""
        seconds = min(
            self.tools.settings.textract_async_polling_interval_seconds, FIRST_INTERVAL_SECONDS * GROWTH**polls
        )
        return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 (spreads load, guards nothing)


_ASK_AGAIN = (
    update(repository.jobs)
    .where(repository.jobs.c.id == bindparam("job_id"), repository.jobs.c.fence == bindparam("held"))
    .where(repository.jobs.c.state == JobState.QUEUED)
    .values(next_attempt_at=func.now() + bindparam("delay", type_=Interval), rung_at=None)
)
