"""Polls: within their budget, at their time, for as long as a job is given, and not while its engine is away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.jobs.models import Job, TextractJobStatus
from app.jobs.states import JobState, Stage
from app.jobs.textract_jobs import recent_durations
from app.ocr.circuit import Position
from app.ocr.engine import EngineName, Operation
from app.ocr.pacing import Lane
from tests.bench import Bench, eventually, open_bench
from tests.ocr.textract import GET, START, Refusal
from tests.pipeline.account import Account, running_account
from tests.pipeline.steps import change_textract_jobs

LANE = Lane(EngineName.TEXTRACT, Operation.DETECTION)
BROKEN = Refusal("InternalServerError", 500)
LONG = {"retry_base_seconds": 5000.0, "retry_max_seconds": 5000.0}
"""So long that none is asked again within the turn of its last poll."""


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """An account whose jobs end when they are told to."""
    async with running_account() as account:
        yield account


@pytest.fixture
def asking(quick: Settings, account: Account) -> Settings:
    """Settings that lead to it."""
    leads = {"ocr_engines": "textract", "aws_endpoint_url_textract": account.url, "max_attempts": 3}
    return quick.model_copy(update=leads | LONG)


@pytest.fixture
async def bench(asking: Settings, extractor: EntityExtractor) -> AsyncIterator[Bench]:
    """The core, with that account."""
    async with open_bench(asking, extractor) as bench:
        yield bench


async def started(bench: Bench, **columns: Any) -> Job:
    """A job whose document is being read."""
    job = await bench.advance(await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1, **columns))
    assert (job.stage, job.textract_job_status) == (Stage.PARSING, "IN_PROGRESS")
    return job


async def away(bench: Bench, seconds: float) -> None:
    """Have the engine be known to be away, for a while."""
    breaker = bench.tools.ocr.router.breakers[EngineName.TEXTRACT]
    for _ in range(bench.settings.ocr_breaker_failures):
        await breaker.failed("ocr_unavailable")
    assert (await breaker.state()).state is Position.OPEN
    await may_be_probed(bench, in_seconds=seconds)


async def may_be_probed(bench: Bench, in_seconds: float = 0.0) -> None:
    """Move the time at which an engine that is away may be probed."""
    redis, key = bench.queue.redis, "quire:breaker:textract"
    seconds, micros = await redis.time()
    kept = await redis.get(key)
    assert kept is not None
    before, _, after = kept.decode().partition('"until":')
    _, comma, rest = after.partition(",")
    await redis.set(key, f'{before}"until":{seconds + micros / 1e6 + in_seconds}{comma}{rest}')


async def test_results_come_before_polls(asking: Settings, account: Account) -> None:
    """While the calls of the next seconds are taken for results, none is left for asking how jobs do."""
    quota = {"textract_get_per_second": 2.0, "textract_quota_share": 1.0}
    async with open_bench(asking.model_copy(update=quota)) as bench:
        job = await started(bench)
        for _ in range(8):
            await bench.tools.ocr.pacer.get(LANE)
        assert (await bench.poll(job)).textract_polls == 0
        assert account.count(GET) == 0


async def test_a_busy_lane_hides_no_other(asking: Settings, account: Account) -> None:
    """However many jobs of one lane are overdue, those of the others are asked about."""
    quota = {"textract_get_per_second": 1.0, "textract_quota_share": 1.0}
    async with open_bench(asking.model_copy(update=quota)) as bench:
        document = await bench.rows.document()
        for _ in range(101):
            job = await bench.rows.job(Stage.PARSING, document=document)
            await bench.rows.change(job.id, next_attempt_at_in=-timedelta(minutes=1))
        analysed = await bench.rows.job(Stage.PARSING, document=document, operation="analysis")
        assert (await bench.poll(analysed)).textract_polls == 1


async def test_a_job_past_its_time_keeps_its_id_and_is_asked_about_first(bench: Bench, account: Account) -> None:
    """ocr_timeout leaves the OCR job as it is, and a retry asks for that very one: nothing is paid for twice."""
    job = await started(bench)
    await bench.rows.change(job.id, textract_deadline_in=-timedelta(seconds=1))
    late = await bench.poll(job)
    assert (late.state, late.error_code, late.textract_job_id) == (
        JobState.DEADLETTER,
        "ocr_timeout",
        job.textract_job_id,
    )
    await bench.jobs.retry(late.project_id, late.id)
    rung = await bench.advance(late)  # a ring finds nothing to collect yet
    assert (rung.stage, rung.state, rung.textract_job_id) == (Stage.PARSING, JobState.QUEUED, job.textract_job_id)
    waiting = await bench.poll(rung)
    assert (waiting.state, waiting.textract_polls) == (JobState.QUEUED, 2)
    assert waiting.textract_deadline is not None
    assert waiting.textract_deadline > datetime.now(UTC) + timedelta(seconds=500)
    account.end()
    read = await bench.advance(await bench.poll(waiting))
    assert (read.stage, account.count(START), len(account.jobs)) == (Stage.PARSED, 1, 1)


async def test_a_poll_that_comes_late_says_nothing_of_how_long_jobs_take(bench: Bench, account: Account) -> None:
    """A job counts as ended when it was to be asked about: else a busy worker's lateness would put off the next polls."""
    job, now = await started(bench), datetime.now(UTC)
    account.end()
    await change_textract_jobs(bench, job.id, started_at=now - timedelta(seconds=100))
    await bench.rows.change(job.id, next_attempt_at_in=-timedelta(seconds=90))
    await bench.polling.poll_textract_jobs()
    async with bench.tools.sessions() as session:
        (took,) = await recent_durations(session, EngineName.TEXTRACT, Operation.DETECTION)
    assert 9 <= took.seconds <= 11


async def test_a_job_whose_engine_is_not_configured_any_more_is_read_by_another(
    bench: Bench, asking: Settings, account: Account
) -> None:
    """What OCR_ENGINES no longer has is out of reach: the document is started anew, at once, and its slot is free."""
    job = await started(bench)
    local = {"ocr_engines": "local", "local_textract_endpoint_url": account.url, "retry_base_seconds": 0.1}
    async with open_bench(asking.model_copy(update=local)) as changed:
        lost = await changed.poll(job)
        assert (lost.state, lost.stage, lost.error_code) == (JobState.RETRYABLE, Stage.JOB_VALIDATED, "ocr_job_lost")
        (row,) = await changed.rows.textract_jobs(job.id)
        assert row.status is TextractJobStatus.LOST
        await changed.rows.change(job.id, next_attempt_at_in=timedelta(0))
        again = await changed.advance(lost)
        assert (again.engine, again.stage, again.textract_job_id != job.textract_job_id) == (
            EngineName.LOCAL,
            Stage.PARSING,
            True,
        )


async def test_polls_that_fail_cost_attempts_until_none_is_left(bench: Bench, account: Account) -> None:
    """While the engine isn't known to be away, a job that it fails on is given up as ocr_unavailable."""
    job = await started(bench)
    account.away = BROKEN
    for attempts, state in ((1, JobState.RETRYABLE), (2, JobState.RETRYABLE), (3, JobState.DEADLETTER)):
        job = await bench.poll(job)
        assert (job.attempts, job.state, job.error_code) == (attempts, state, "ocr_unavailable")


async def test_no_job_is_asked_about_while_its_engine_is_away(bench: Bench, account: Account) -> None:
    """No call, no attempt, no event; its deadline moves with the outage, and one poll finds the engine back."""
    jobs = [await started(bench) for _ in range(3)]
    await bench.rows.change(jobs[0].id, attempts=2, state="retryable", error_code="ocr_unavailable")
    before = [await bench.rows.find(job.id) for job in jobs]
    await away(bench, 100.0)
    for job in jobs:
        await bench.rows.change(job.id, next_attempt_at_in=-timedelta(seconds=10))
    assert await bench.polling.poll_textract_jobs() == 0
    after = [await bench.rows.find(job.id) for job in jobs]
    assert account.count(GET) == 0
    for was, now in zip(before, after, strict=True):
        assert (now.attempts, now.last_event_number, now.state) == (was.attempts, was.last_event_number, was.state)
        assert now.next_attempt_at > datetime.now(UTC) + timedelta(seconds=60)
        assert now.textract_deadline is not None
        assert was.textract_deadline is not None
        assert timedelta(seconds=109) < now.textract_deadline - was.textract_deadline < timedelta(seconds=130)
    account.end()
    await may_be_probed(bench)
    for job in jobs:
        await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))

    async def all_ended() -> bool:
        await bench.polling.poll_textract_jobs()
        return {(await bench.rows.find(job.id)).textract_job_status for job in jobs} == {"SUCCEEDED"}

    await eventually(all_ended)
    assert account.count(GET) == 3


async def test_a_probe_that_fails_costs_its_job_nothing(bench: Bench, account: Account) -> None:
    """Through an outage of hours one job after the other is the probe, and none of them comes any closer to its end."""
    job = await started(bench)
    await away(bench, 100.0)
    account.away = BROKEN
    events = job.last_event_number
    for probes in range(1, 6):
        await may_be_probed(bench)
        job = await bench.poll(job)
        assert (job.state, job.attempts, job.last_event_number) == (JobState.QUEUED, 0, events)
        assert account.count(GET) == probes
        assert job.next_attempt_at > datetime.now(UTC) + timedelta(seconds=15)
    account.away = Refusal("AccessDeniedException")
    await may_be_probed(bench)
    job = await bench.poll(job)
    assert (job.state, job.attempts, job.error_code) == (JobState.QUEUED, 0, None)


@pytest.mark.parametrize("at_start", [True, False])
async def test_an_error_that_nobody_knows_is_tried_a_few_times(
    bench: Bench, account: Account, *, at_start: bool
) -> None:
    """Transient at first, then permanent, with Textract's own code in the sentence: never passed over in silence."""
    job = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1) if at_start else await started(bench)
    account.away = Refusal("QuantumFluxException", message="The flux is off.")
    for attempts, state in ((1, JobState.RETRYABLE), (2, JobState.RETRYABLE), (3, JobState.DEADLETTER)):
        await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))
        job = await (bench.advance(job) if at_start else bench.poll(job))
        assert (job.attempts, job.state, job.error_code) == (attempts, state, "ocr_unknown_error")
    assert "QuantumFluxException" in str(job.error_message)
    assert "given up" in str(job.error_message)


async def test_a_status_that_nobody_knows_is_tried_a_few_times(bench: Bench, account: Account) -> None:
    """The same holds for what Textract may one day say of a job."""
    job = await started(bench)
    account.end()
    account.status = "POSTPONED"
    for attempts, state in ((1, JobState.RETRYABLE), (2, JobState.RETRYABLE), (3, JobState.DEADLETTER)):
        job = await bench.poll(job)
        assert (job.attempts, job.state, job.error_code) == (attempts, state, "ocr_unknown_error")
    assert "POSTPONED" in str(job.error_message)


async def test_throttled_polls_come_again_in_silence(bench: Bench, account: Account) -> None:
    """Being asked for patience is no event of a job's, however long it lasts, and takes nothing from its time."""
    job = await started(bench)
    account.away = Refusal("ThrottlingException")
    for _ in range(3):
        again = await bench.poll(job)
        assert (again.attempts, again.last_event_number, again.state) == (0, job.last_event_number, JobState.QUEUED)
    assert again.textract_deadline is not None
    assert job.textract_deadline is not None
    assert again.textract_deadline > job.textract_deadline
