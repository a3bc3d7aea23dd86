"""What becomes of a job whose stage failed: tried again, put off, sent back a stage, or given up with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.config import Settings
from app.errors import OcrJobLost, QuireError
from app.events import EventDraft, EventType, Severity
from app.jobs.backoff import full_jitter
from app.jobs.models import Job
from app.jobs.states import JobState, Stage

CLEARED_ERROR: Mapping[str, Any] = {
    "error_code": None,
    "error_message": None,
    "error_retryable": None,
    "error_stage": None,
}
"""What a job that goes on says of its last failure."""


LEAST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Failure:
    """The move that a failure leads to."""

    state: JobState
    changes: Mapping[str, Any]
    event: EventDraft
    delay: timedelta = timedelta(0)


def failure_of(job: Job, error: QuireError, settings: Settings) -> Failure:
    """Where an error leads, by its class and the attempts that the stage has had."""
    attempts = _attempts(job, error)
    if not error.retryable or attempts >= settings.max_attempts:
        return _given_up(job, error, attempts)
    delay = _delay(job, error, settings)
    if not error.costs_attempt:
        return _put_off(error, delay)
    changes = _reason(job, error) | {"attempts": attempts} | _changes_of_lost_job(job, error)
    details = {"message": error.detail, "retry_in_seconds": round(delay.total_seconds(), 3)}
    return Failure(
        JobState.RETRYABLE, changes, EventDraft(EventType.RETRY, details, Severity.WARNING, error.code), delay
    )


def _delay(job: Job, error: QuireError, settings: Settings) -> timedelta:
    """When to try again: as the error says, where it knows; at once is left to those that only wait for their turn."""
    if error.retry_in_seconds is not None:
        return timedelta(seconds=error.retry_in_seconds)
    delay = full_jitter(job.attempts, base_seconds=settings.retry_base_seconds, max_seconds=settings.retry_max_seconds)
    return delay if error.costs_attempt else max(delay, LEAST_WAIT)


def _attempts(job: Job, error: QuireError) -> int:
    """The attempts so far. Textract jobs that get lost are counted over the stages, for each is paid for anew."""
    before = max(job.attempts, job.textract_generation) if isinstance(error, OcrJobLost) else job.attempts
    return before + error.costs_attempt


def _given_up(job: Job, error: QuireError, attempts: int) -> Failure:
    message = (
        error.detail if not error.retryable else f"{error.detail} That happened {attempts} times, so it was given up."
    )
    changes = _reason(job, error) | {"attempts": attempts, "error_message": message}
    event = EventDraft(EventType.ERROR, {"message": message, "retryable": error.retryable}, Severity.ERROR, error.code)
    return Failure(JobState.DEADLETTER, changes, event)


def _put_off(error: QuireError, delay: timedelta) -> Failure:
    """Waiting for a slot, or for a slower pace, is no failure."""
    event = EventDraft(EventType.PROGRESS, {"message": error.detail, "waiting_for": error.code}, code=error.code)
    return Failure(JobState.QUEUED, {}, event, delay)


def _reason(job: Job, error: QuireError) -> dict[str, Any]:
    return {
        "error_code": error.code,
        "error_message": error.detail,
        "error_retryable": error.retryable,
        "error_stage": job.stage,
    }


def _changes_of_lost_job(job: Job, error: QuireError) -> dict[str, Any]:
    """A Textract job that is gone must be started again, under a new token: the old one would name the lost job."""
    if not isinstance(error, OcrJobLost):
        return {}
    return {
        "stage": Stage.JOB_VALIDATED,
        "textract_generation": job.textract_generation + 1,
        "textract_job_id": None,
        "textract_job_status": None,
    }
