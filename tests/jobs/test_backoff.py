"""How long to wait, and where a failure leads."""

from datetime import timedelta

import pytest

from app.config import Settings
from app.errors import (
    DocumentCorrupt,
    InternalError,
    OcrFailed,
    OcrJobLost,
    OcrSlotsFull,
    OcrThrottled,
    OcrUnavailable,
    QuireError,
    StageTimeout,
)
from app.jobs.backoff import full_jitter
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.pipeline.failures import failure_of

SETTINGS = Settings(_env_file=None, max_attempts=3, retry_base_seconds=4, retry_max_seconds=60)


def a_job(**columns: int) -> Job:
    """A job that is being polled."""
    return Job(stage=Stage.PARSING, **{"attempts": 0, "textract_generation": 0, **columns})


@pytest.mark.parametrize(("attempt", "ceiling"), [(0, 4), (1, 8), (3, 32), (4, 60), (5000, 60)])
def test_a_delay_lies_anywhere_below_its_ceiling(attempt: int, ceiling: float) -> None:
    """The ceiling doubles up to the cap, and the jitter is full: a tenth lies in each tenth of the range."""
    delays = [full_jitter(attempt, base_seconds=4, max_seconds=60) / timedelta(seconds=ceiling) for _ in range(3000)]
    assert 0 <= min(delays) < max(delays) <= 1
    tenths = [sum(tenth <= delay * 10 < tenth + 1 for delay in delays) for tenth in range(10)]
    assert all(200 < count < 400 for count in tenths), tenths


@pytest.mark.parametrize("error", [OcrUnavailable(), InternalError(), StageTimeout()], ids=lambda error: error.code)
def test_a_transient_error_is_tried_again_until_the_last_attempt(error: QuireError) -> None:
    """It costs an attempt, says why, and is given up with the number of attempts when they are used up."""
    failure = failure_of(a_job(attempts=1), error, SETTINGS)
    assert (failure.state, failure.changes["attempts"]) == (JobState.RETRYABLE, 2)
    assert (failure.changes["error_code"], failure.changes["error_stage"]) == (error.code, Stage.PARSING)
    assert timedelta(0) <= failure.delay <= timedelta(seconds=8)
    last = failure_of(a_job(attempts=2), error, SETTINGS)
    assert (last.state, last.changes["attempts"], last.changes["error_retryable"]) == (JobState.DEADLETTER, 3, True)
    assert "3 times" in last.changes["error_message"]


def test_a_permanent_error_is_given_up_at_once() -> None:
    """What the document is at fault for isn't tried again."""
    failure = failure_of(a_job(), DocumentCorrupt(), SETTINGS)
    assert (failure.state, failure.event.code) == (JobState.DEADLETTER, "document_corrupt")
    assert (failure.changes["error_retryable"], failure.changes["error_message"]) == (False, DocumentCorrupt.message)
    assert failure_of(a_job(), OcrFailed(), SETTINGS).state is JobState.DEADLETTER


@pytest.mark.parametrize("error", [OcrThrottled(), OcrSlotsFull()], ids=lambda error: error.code)
def test_waiting_for_a_slot_costs_no_attempt(error: QuireError) -> None:
    """A throttle or a full account is no failure: the job waits at least a second, and says what for."""
    failure = failure_of(a_job(attempts=2), error, SETTINGS)
    assert (failure.state, failure.changes, failure.event.payload["waiting_for"]) == (JobState.QUEUED, {}, error.code)
    assert failure.delay >= timedelta(seconds=1)


def test_a_lost_job_is_started_again_under_a_new_generation() -> None:
    """A Textract job that is gone sends its job back to where it can be started, under another token."""
    failure = failure_of(a_job(textract_generation=1), OcrJobLost(), SETTINGS)
    assert (failure.state, failure.changes["stage"]) == (JobState.RETRYABLE, Stage.JOB_VALIDATED)
    assert (failure.changes["textract_generation"], failure.changes["textract_job_id"]) == (2, None)


def test_jobs_are_not_lost_and_paid_for_without_end() -> None:
    """Every stage that succeeds clears the attempts, so lost jobs are counted by their generation."""
    assert failure_of(a_job(textract_generation=2), OcrJobLost(), SETTINGS).state is JobState.DEADLETTER
