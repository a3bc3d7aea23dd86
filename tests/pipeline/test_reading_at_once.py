"""The synchronous call: for one page, where a setting or the state of things says so; each call is paid for."""

import asyncio
import base64
from typing import Any

import pytest
from sqlalchemy import update

from app.config import Settings
from app.documents.models import Document, Page
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.jobs.textract_jobs import member_of
from app.pipeline.starting import SYNCHRONOUS_BYTES
from tests.bench import Bench, open_bench
from tests.ocr.textract import (
    ANALYZE,
    READ,
    START,
    FakeTextract,
    HangUp,
    Refusal,
    page_blocks,
    with_table,
)
from tests.pipeline.steps import change_textract_jobs, due, finished, raw_result, started, validated


@pytest.fixture
def told(told: Settings) -> Settings:
    """PDFs of one page are read at once."""
    return told.model_copy(update={"textract_use_async_for_pdf": False})


@pytest.fixture
def jobs_first(told: Settings) -> Settings:
    """PDFs are read by jobs, as all else is, where that goes."""
    return told.model_copy(update={"textract_use_async_for_pdf": True})


def operations(fake: FakeTextract) -> list[str]:
    """What was asked for, in order."""
    return [operation for operation, _ in fake.asked]


def told_of(page: Page) -> dict[str, Any]:
    """What a page says, wherever it comes from."""
    names = ("number", "status", "text", "confidence", "rotation_degrees", "word_count", "lines", "analysis")
    return {name: getattr(page, name) for name in names}


async def read(bench: Bench, job: Job) -> Job:
    """The job, which has to have been read at once."""
    assert (job.stage, job.state, job.textract_job_id) == (Stage.PARSED, JobState.QUEUED, None), job.error_message
    job = await bench.advance(job)
    assert (job.stage, job.pages_done, job.textract_job_status) == (Stage.EMBEDDED, 1, "SUCCEEDED")
    return job


@pytest.mark.parametrize("options", [{}, {"features": ["TABLES"]}], ids=["detection", "analysis"])
async def test_a_page_that_is_read_at_once_looks_as_one_that_a_job_has_read(
    bench: Bench, jobs_first: Settings, fake: FakeTextract, options: dict[str, Any]
) -> None:
    """The same page, with the same blocks behind it, at the same price."""
    fake.blocks = with_table(page_blocks(1, words=6)) if options else page_blocks(1)
    at_once = await read(bench, await bench.advance(await validated(bench, options=options)))
    assert operations(fake) == [ANALYZE if options else READ]
    async with open_bench(jobs_first) as other:
        by_job = await finished(other, await started(other, options=options))
    assert at_once.cost_microdollars == by_job.cost_microdollars > 0
    (first,), (second,) = await bench.rows.pages(at_once.id), await bench.rows.pages(by_job.id)
    assert told_of(first) == told_of(second)
    assert await raw_result(bench, at_once) == await raw_result(bench, by_job)
    (row,) = await bench.rows.textract_jobs(at_once.id)
    assert (row.synchronous, row.status, row.page_count) == (True, "SUCCEEDED", 1)
    assert [event.payload.get("synchronous") for event in await bench.rows.events(at_once.id)].count(True) == 1


async def test_more_than_a_page_is_read_by_a_job(bench: Bench, fake: FakeTextract) -> None:
    """The synchronous call takes one page and no more, and no more than 10 MB."""
    await started(bench, pages_total=2)
    large = await validated(bench)
    async with bench.tools.sessions.begin() as session:
        too_many = SYNCHRONOUS_BYTES + 1
        await session.execute(update(Document).where(Document.id == large.document_id).values(size_bytes=too_many))
    assert (await bench.advance(large)).stage is Stage.PARSING
    assert operations(fake) == [START, START]


async def test_its_result_is_taken_over_as_any(bench: Bench, fake: FakeTextract) -> None:
    """The same bytes are paid for once, however they were read."""
    first = await read(bench, await bench.advance(await validated(bench, b"the same")))
    second = await bench.advance(await validated(bench, b"the same"))
    assert (second.stage, second.reused_job_id, operations(fake)) == (Stage.PARSED, first.id, [READ])


async def test_full_slots_leave_one_page_to_the_synchronous_call(jobs_first: Settings, fake: FakeTextract) -> None:
    """It has no slots: while they are full, one page is read at once, and two pages wait for their turn."""
    full = {"textract_max_concurrent_jobs": 1, "textract_quota_share": 1.0}
    async with open_bench(jobs_first.model_copy(update=full)) as bench:
        await started(bench)
        job = await bench.advance(await validated(bench))
        assert (await bench.rows.events(job.id))[-1].payload["instead_of"] == "waiting_for_turn"
        await read(bench, job)
        job = await bench.advance(await validated(bench, pages_total=2))
        assert (job.stage, job.state, job.attempts) == (Stage.JOB_VALIDATED, JobState.QUEUED, 0)
    assert operations(fake) == [START, READ]


async def test_slots_that_the_account_has_none_of(jobs_first: Settings, fake: FakeTextract) -> None:
    """LimitExceededException is Textract's own word for it."""
    async with open_bench(jobs_first) as bench:
        fake.before = [Refusal("LimitExceededException")]
        job = await read(bench, await bench.advance(await validated(bench)))
        rows = await bench.rows.textract_jobs(job.id)
    assert (operations(fake), job.cost_microdollars) == ([START, READ], 1500)
    assert [(row.status, row.cost_microdollars) for row in rows] == [("REFUSED", 0), ("SUCCEEDED", 1500)]


@pytest.mark.parametrize(
    ("code", "sent"), [("InvalidS3ObjectException", "Bytes"), ("InvalidParameterException", "S3Object")]
)
async def test_a_start_that_fails_for_reasons_of_its_own(
    jobs_first: Settings, fake: FakeTextract, code: str, sent: str
) -> None:
    """No topic, no output bucket, or no way to the object: the synchronous call needs none of them, and may be sent bytes."""
    async with open_bench(jobs_first) as bench:
        fake.before = [Refusal(code)]
        job = await read(bench, await bench.advance(await validated(bench, b"of the document")))
    assert (operations(fake), list(fake.asked[1][1]["Document"])) == ([START, READ], [sent])
    if sent == "Bytes":
        assert base64.b64decode(fake.asked[1][1]["Document"]["Bytes"]) == b"of the document"
    assert job.cost_microdollars == 1500


async def test_bytes_are_sent_where_the_bucket_is_out_of_reach(bench: Bench, fake: FakeTextract) -> None:
    """Also where no Start was tried: the engine couldn't fetch the object, so it is handed the document."""
    fake.before = [Refusal("InvalidS3ObjectException")]
    job = await read(bench, await bench.advance(await validated(bench)))
    assert [list(body["Document"]) for _, body in fake.asked] == [["S3Object"], ["Bytes"]]
    assert job.cost_microdollars == 1500


async def test_a_lost_answer_is_counted_as_paid_and_asked_for_again(bench: Bench, fake: FakeTextract) -> None:
    """Each call is paid for, so each is a row and a price of its own, also where nothing came back."""
    fake.before = [HangUp]
    job = await bench.advance(await validated(bench))
    assert (job.state, job.error_code, job.attempts) == (JobState.RETRYABLE, "ocr_unavailable", 1)
    assert job.cost_microdollars == 1500
    job = await read(bench, await due(bench, job))
    rows = await bench.rows.textract_jobs(job.id)
    assert [(row.status, row.cost_microdollars) for row in rows] == [("FAILED", 1500), ("SUCCEEDED", 1500)]
    assert (operations(fake), job.cost_microdollars) == ([READ, READ], 3000)


async def test_a_lost_call_is_not_taken_for_the_job_that_follows(
    bench: Bench, jobs_first: Settings, fake: FakeTextract
) -> None:
    """A synchronous call that failed stands beside the job that reads the document then, not for it."""
    fake.before = [HangUp]
    job = await bench.advance(await validated(bench))
    async with open_bench(jobs_first) as other:
        job = await due(other, job)
        assert job.stage is Stage.PARSING
        await change_textract_jobs(other, job.id, created_at=job.created_at)
        job = await finished(other, job)
    assert (operations(fake)[:2], job.cost_microdollars) == ([READ, START], 3000)


async def test_nothing_is_read_at_once_while_a_job_may_run(jobs_first: Settings, fake: FakeTextract) -> None:
    """A Start whose answer was lost may have begun: full slots are then waited for, or it would be paid for twice."""
    full = {"textract_max_concurrent_jobs": 1, "textract_quota_share": 1.0}
    async with open_bench(jobs_first.model_copy(update=full)) as bench:
        fake.before = [HangUp]
        job = await bench.advance(await validated(bench))
        assert (job.state, job.error_code) == (JobState.RETRYABLE, "ocr_unavailable")
        lane = next(lane for lane in bench.tools.ocr.lanes if lane.operation is job.operation)
        await bench.tools.ocr.pacer.release(lane, member_of(job.id, 1))
        await started(bench)
        job = await due(bench, job)
        assert (job.stage, job.state) == (Stage.JOB_VALIDATED, JobState.QUEUED)
    assert READ not in operations(fake)


async def test_a_throttled_call_costs_nothing(bench: Bench, fake: FakeTextract) -> None:
    """Neither money nor an attempt."""
    fake.before = [Refusal("ThrottlingException")]
    job = await bench.advance(await validated(bench))
    assert (job.stage, job.state, job.attempts) == (Stage.JOB_VALIDATED, JobState.QUEUED, 0)
    (row,) = await bench.rows.textract_jobs(job.id)
    assert (row.status, row.cost_microdollars) == ("REFUSED", 0)
    assert (await read(bench, await due(bench, job))).cost_microdollars == 1500


async def test_more_calls_than_the_quota_has_are_left_to_jobs(told: Settings, fake: FakeTextract) -> None:
    """A burst of single pages: what the synchronous call has no moment for soon is read by jobs."""
    slow = {"textract_detect_per_second": 0.4, "textract_quota_share": 1.0}
    async with open_bench(told.model_copy(update=slow)) as bench:
        jobs = [await validated(bench) for _ in range(8)]
        await asyncio.gather(*(bench.advance(job) for job in jobs))
    asked = operations(fake)
    assert (asked[0], len(asked)) == (READ, 8)
    assert START in asked
