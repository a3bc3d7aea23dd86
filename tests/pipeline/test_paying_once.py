"""Paying once: wherever a worker dies, whatever is lost, and however often it is tried, one OCR job is billed."""

import asyncio
from datetime import timedelta

import pytest

from app.config import Settings
from app.errors import LeaseLost
from app.jobs import repository
from app.jobs.models import TextractJobStatus
from app.jobs.states import JobState, Stage
from app.pipeline.starting import start_textract_job
from tests.bench import WORKER, Bench, open_bench
from tests.ocr.textract import FakeTextract, HangUp, Refusal, page_blocks
from tests.pipeline.steps import change_textract_jobs, due, finished, gone_wrong, started, starts, validated


async def test_a_start_that_was_never_heard_is_made_again(bench: Bench, fake: FakeTextract) -> None:
    """Between the row and the call: the token that was written down is the one that the next try sends."""

    async def unheard(_: object) -> None:
        raise HangUp

    fake.on_start = unheard
    job = await bench.advance(await validated(bench))
    assert (job.stage, job.state, job.error_code) == (Stage.JOB_VALIDATED, JobState.RETRYABLE, "ocr_unavailable")
    assert not fake.jobs
    (row,) = await bench.rows.textract_jobs(job.id)
    assert row.status is TextractJobStatus.STARTING
    fake.on_start = None
    job = await due(bench, job)
    assert list(fake.jobs) == [row.token] == list(fake.starts)
    assert (job.textract_job_id, job.cost_microdollars) == (fake.jobs[row.token], 1500)


async def test_a_start_whose_answer_was_lost_is_made_again_and_billed_once(bench: Bench, fake: FakeTextract) -> None:
    """The engine has begun, and nobody knows: the same token names the same job."""
    fake.before = [HangUp]
    job = await bench.advance(await validated(bench))
    assert (job.state, len(fake.jobs)) == (JobState.RETRYABLE, 1)
    job = await finished(bench, await due(bench, job))
    assert (starts(fake), len(fake.jobs), job.cost_microdollars) == (2, 1, 1500)


async def test_a_crash_after_the_call_repeats_it_under_the_same_token(bench: Bench, fake: FakeTextract) -> None:
    """Between the call and its row: the second Start is the first one's."""
    job = await validated(bench, state=JobState.WORKING)
    first = await start_textract_job(job, bench.tools)
    await change_textract_jobs(bench, job.id, status="STARTING", textract_job_id=None)
    again = await start_textract_job(job, bench.tools)
    assert again.changes["textract_job_id"] == first.changes["textract_job_id"]
    assert (list(fake.starts.values()), len(fake.jobs)) == ([2], 1)


async def test_a_crash_before_the_transition_starts_nothing_again(bench: Bench, fake: FakeTextract) -> None:
    """Between the row and the move to `parsing`: the row knows the job, and nobody is asked."""
    job = await validated(bench, state=JobState.WORKING)
    first = await start_textract_job(job, bench.tools)
    again = await start_textract_job(job, bench.tools)
    assert again.changes["textract_job_id"] == first.changes["textract_job_id"]
    assert again.changes["cost_microdollars"] == first.changes["cost_microdollars"] == 1500
    assert starts(fake) == 1


async def test_a_worker_that_is_stopped_in_the_middle_of_a_start(bench: Bench, fake: FakeTextract) -> None:
    """It gives the job back while the engine begins, and whoever takes it up gets the same job."""
    heard = asyncio.Event()

    async def hang(_: object) -> None:
        heard.set()
        await asyncio.sleep(0.5)

    fake.on_start = hang
    job = await validated(bench)
    working = asyncio.create_task(bench.pipeline().advance(job.id, job.stage))
    await heard.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    job = await bench.rows.find(job.id)
    assert (job.stage, job.state, job.attempts) == (Stage.JOB_VALIDATED, JobState.QUEUED, 0)
    fake.on_start = None
    job = await due(bench, job)
    assert (job.stage, len(fake.jobs), len(fake.starts)) == (Stage.PARSING, 1, 1)


async def test_a_fleet_that_races_for_a_job_starts_it_once(bench: Bench, fake: FakeTextract) -> None:
    """Eight workers are rung for one job: one of them has it."""
    job = await validated(bench)
    await asyncio.gather(*(bench.pipeline(f"w{number}").advance(job.id, job.stage) for number in range(8)))
    assert (starts(fake), (await bench.rows.find(job.id)).stage) == (1, Stage.PARSING)


async def test_a_worker_that_lost_its_lease_pays_nothing(bench: Bench, fake: FakeTextract) -> None:
    """What hung before its Start finds the job under another fence, and asks nobody."""
    stale = await validated(bench, state=JobState.WORKING)
    await bench.rows.change(stale.id, fence=2)
    with pytest.raises(LeaseLost):
        await start_textract_job(stale, bench.tools)
    assert not fake.asked


async def test_two_workers_in_the_middle_of_the_same_start(bench: Bench, fake: FakeTextract) -> None:
    """A lease that ran out while Start was under way: both ask under the same token, and one job is billed."""
    job = await validated(bench, state=JobState.WORKING)

    async def overtaken(_: object) -> None:
        fake.on_start = None
        await bench.rows.change(job.id, fence=2)
        await start_textract_job(await bench.rows.find(job.id), bench.tools)

    fake.on_start = overtaken
    await start_textract_job(job, bench.tools)
    assert (list(fake.starts.values()), len(fake.jobs), len(await bench.rows.textract_jobs(job.id))) == ([2], 1, 1)


async def test_a_retry_after_a_timeout_asks_for_the_same_job(bench: Bench, fake: FakeTextract) -> None:
    """`ocr_timeout` keeps the Textract job, and a retry waits for it again; nothing is started."""
    fake.status = "IN_PROGRESS"
    job = await gone_wrong(bench, await started(bench))
    textract_job_id = job.textract_job_id
    job = await bench.jobs.retry(job.project_id, job.id)
    assert (job.stage, job.state, job.attempts, job.error_code) == (Stage.PARSING, JobState.QUEUED, 0, None)
    assert (await bench.poll(job)).state is JobState.QUEUED  # it is given its whole time again
    fake.status = "SUCCEEDED"
    job = await finished(bench, job)
    assert (job.textract_job_id, starts(fake), job.cost_microdollars) == (textract_job_id, 1, 1500)


async def test_a_retry_after_failed_starts_under_a_new_generation(bench: Bench, fake: FakeTextract) -> None:
    """Textract would answer the old token with the job that failed; both jobs are on the bill."""
    job = await started(bench)
    fake.status = "FAILED"
    job = await bench.poll(job)
    assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_failed")
    fake.status = "SUCCEEDED"
    retried = await bench.jobs.retry(job.project_id, job.id)
    assert (retried.stage, retried.textract_generation) == (Stage.JOB_VALIDATED, 1)
    again = await finished(bench, await bench.advance(retried))
    assert (len(fake.jobs), len(fake.starts), again.textract_job_id != job.textract_job_id) == (2, 2, True)
    assert again.cost_microdollars == 3000


async def test_a_retry_where_no_page_could_be_read_reads_anew(bench: Bench, fake: FakeTextract) -> None:
    """A result without a single good page is not checked again and again, but read under a new generation."""
    good, fake.blocks, fake.status = fake.blocks, page_blocks(1, lines=0), "PARTIAL_SUCCESS"
    fake.extra = {"Warnings": [{"ErrorCode": "BAD_PAGE", "Pages": [1]}]}
    job = await bench.advance(await bench.advance(await bench.poll(await started(bench))))
    assert (job.stage, job.state, job.error_code) == (Stage.PARSED, JobState.DEADLETTER, "ocr_failed")
    fake.blocks, fake.status, fake.extra = good, "SUCCEEDED", {}
    job = await bench.advance(await bench.jobs.retry(job.project_id, job.id))
    job = await finished(bench, job)
    assert (len(fake.jobs), [page.status for page in await bench.rows.pages(job.id)]) == (2, ["read"])


async def test_a_result_that_is_gone_when_it_is_collected_is_read_anew(bench: Bench, fake: FakeTextract) -> None:
    """The job had ended well, and Textract has forgotten it since: it is lost, and another one is started, once."""
    job = await bench.poll(await started(bench))
    assert (job.textract_job_status, job.textract_job_id is not None) == ("SUCCEEDED", True)
    await bench.tools.portions.take(str(job.textract_job_id))
    fake.forgotten.add(str(job.textract_job_id))
    job = await bench.advance(job)
    assert (job.stage, job.state, job.error_code) == (Stage.JOB_VALIDATED, JobState.RETRYABLE, "ocr_job_lost")
    job = await finished(bench, await due(bench, job))
    assert [row.status for row in await bench.rows.textract_jobs(job.id)] == ["LOST", "SUCCEEDED"]
    assert (len(fake.jobs), job.cost_microdollars) == (2, 3000)


async def test_reading_anew_has_a_token_of_its_own(bench: Bench, fake: FakeTextract) -> None:
    """`force_reprocess` reads what was read before: under the old token, Textract would answer with the old job."""
    job = await finished(bench, await started(bench, b"the same"))
    document = await bench.rows.document(b"the same")
    options = {"force_reprocess": True}
    for _ in range(2):
        forced = await bench.rows.job(
            Stage.JOB_VALIDATED, document=document, options=options, content_key=job.content_key, pages_total=1
        )
        assert (await finished(bench, await bench.advance(forced))).reused_job_id is None
    assert (starts(fake), len(fake.jobs)) == (3, 3)


async def test_other_settings_of_a_start_are_another_token(told: Settings, fake: FakeTextract) -> None:
    """Textract refuses a token that comes with another topic or output bucket; so it never does."""
    topic = {"textract_sns_topic_arn": "arn:aws:sns:us-east-1:123456789012:ended"}
    topic |= {"textract_sns_role_arn": "arn:aws:iam::123456789012:role/textract"}
    async with open_bench(told) as bench:
        fake.before = [HangUp]
        job = await bench.advance(await validated(bench))
    for changed in (topic, {"textract_output_bucket": "results-of-the-test"}):
        fake.before = [HangUp]
        async with open_bench(told.model_copy(update=changed)) as bench:
            assert (await due(bench, job)).error_code == "ocr_unavailable"
    assert (len(fake.starts), len(fake.jobs)) == (3, 3)


async def test_a_start_that_was_refused_is_made_again_under_its_token(bench: Bench, fake: FakeTextract) -> None:
    """A throttled Start is no job: the same row starts a moment later, and its day is the one on which it did."""
    fake.before = [Refusal("ThrottlingException")]
    job = await bench.advance(await validated(bench))
    (row,) = await bench.rows.textract_jobs(job.id)
    assert (row.status, row.cost_microdollars, job.attempts) == ("REFUSED", 0, 0)
    await change_textract_jobs(bench, job.id, created_at=row.created_at - timedelta(days=1))
    job = await due(bench, job)
    (again,) = await bench.rows.textract_jobs(job.id)
    assert (again.id, again.status, again.cost_microdollars) == (row.id, "IN_PROGRESS", 1500)
    assert again.created_at > row.created_at
    assert len(fake.starts) == 1


async def test_who_gives_a_job_back_after_its_start_has_started_it(bench: Bench, fake: FakeTextract) -> None:
    """A worker that died between the Start and the move: the next claim moves on without a call."""
    job = await validated(bench)
    async with bench.tools.sessions.begin() as session:
        claimed = await repository.claim(session, job.id, job.stage, worker=WORKER, lease=timedelta(seconds=20))
    assert claimed is not None
    await start_textract_job(claimed, bench.tools)
    await bench.rows.change(job.id, state="queued", claimed_by=None, lease_until=None)
    job = await due(bench, job)
    assert (job.stage, job.textract_job_status, starts(fake)) == (Stage.PARSING, "IN_PROGRESS", 1)
