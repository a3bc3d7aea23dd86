"""A document's Textract job: started once, asked about without anybody waiting, and its result fetched whole."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from app.config import Settings
from app.documents.models import PageStatus
from app.jobs.models import Job, TextractJob
from app.jobs.states import JobState, Stage
from tests.bench import Bench, open_bench
from tests.documents import letter
from tests.ocr.textract import GET, FakeTextract, Refusal, document_of, page_blocks
from tests.pipeline.steps import raw_bytes, raw_result


async def started(bench: Bench, **columns: Any) -> Job:
    """A job whose document Textract reads."""
    job = await bench.advance(await bench.rows.job(Stage.JOB_VALIDATED, **columns))
    assert (job.stage, job.state, job.textract_job_status) == (Stage.PARSING, JobState.QUEUED, "IN_PROGRESS")
    return job


async def read(bench: Bench, **columns: Any) -> Job:
    """A job whose result was asked for, as far as that came."""
    job = await bench.poll(await started(bench, **columns))
    assert job.textract_job_status in {"SUCCEEDED", "PARTIAL_SUCCESS"}
    return await bench.advance(job)


async def test_a_result_of_many_portions_is_stored_whole(bench: Bench, fake: FakeTextract) -> None:
    """3,516 blocks, whose portions end in the middle of pages: each page is there once, and so is each block."""
    fake.blocks = document_of(7, lines=100, words=4) + page_blocks(8)
    job = await read(bench, pages_total=8)
    assert (job.stage, job.textract_page_count, job.pages_done) == (Stage.PARSED, 8, 8)
    pages = await bench.rows.pages(job.id)
    assert [(page.number, page.word_count) for page in pages] == [(number, 400) for number in range(1, 8)] + [(8, 6)]
    assert pages[6].lines[99]["text"] == "p7l99w0 p7l99w1 p7l99w2 p7l99w3"
    assert (await raw_result(bench, job))["Blocks"] == fake.blocks
    events = await bench.rows.events(job.id)
    assert [event.payload["page"] for event in events if event.type == "page"] == list(range(1, 9))
    after = await bench.advance(job)
    assert (after.stage, after.state, after.pages_total) == (Stage.EMBEDDED, JobState.QUEUED, 8)


async def test_blocks_are_stored_as_they_came(bench: Bench, fake: FakeTextract) -> None:
    """Byte for byte, portion after portion."""
    fake.blocks = document_of(3, lines=100, words=4)
    job = await bench.poll(await started(bench, pages_total=3))
    await bench.tools.portions.take(str(job.textract_job_id))  # what comes by way of Redis is written anew
    raw = await raw_bytes(bench, await bench.advance(job))
    portions = [json.dumps(some).encode()[1:-1] for some in (fake.blocks[:1000], fake.blocks[1000:])]
    assert b'"Blocks":[' + b",".join(portions) + b"]," in raw
    assert orjson.loads(raw)["Blocks"] == fake.blocks


async def test_collecting_twice_doubles_nothing(bench: Bench, fake: FakeTextract) -> None:
    """A result that is fetched again, after a crash, writes over the first: no page and no page event comes twice."""
    fake.blocks = document_of(30)
    job = await read(bench, pages_total=30)
    await bench.rows.change(job.id, stage="parsing", state="queued")
    again = await bench.advance(await bench.rows.find(job.id))
    assert again.stage is Stage.PARSED
    assert len(await bench.rows.pages(job.id)) == 30
    numbers = [event.payload["page"] for event in await bench.rows.events(job.id) if event.type == "page"]
    assert numbers == list(range(1, 31))


async def test_a_portion_without_blocks_breaks_nothing(bench: Bench, fake: FakeTextract) -> None:
    """The stored result is sound JSON wherever portions are empty."""

    class Stuttering(list[Any]):
        """Blocks of which the first portion is empty."""

        def __getitem__(self, wanted: Any) -> Any:
            return [] if isinstance(wanted, slice) and wanted.start == 0 else super().__getitem__(wanted)

    filler = page_blocks(1, lines=200, words=4)
    fake.blocks, fake.pages = Stuttering([*filler[:1000], *filler]), 1
    job = await read(bench, pages_total=1)
    assert (await raw_result(bench, job))["Blocks"] == filler


async def test_good_pages_are_kept_and_bad_ones_named(bench: Bench, fake: FakeTextract) -> None:
    """PARTIAL_SUCCESS leaves what could be read, and says which page couldn't, whether it has a block or not."""
    fake.blocks = [*page_blocks(1), *page_blocks(2, lines=0), *page_blocks(4)]
    fake.pages, fake.status = 4, "PARTIAL_SUCCESS"
    fake.extra = {"Warnings": [{"ErrorCode": "BAD_PAGE", "Pages": [2, 3]}], "StatusMessage": "Some pages failed"}
    job = await read(bench, pages_total=4)
    pages = await bench.rows.pages(job.id)
    assert [page.status for page in pages] == [PageStatus.READ, PageStatus.FAILED, PageStatus.FAILED, PageStatus.READ]
    assert "BAD_PAGE" in str(pages[1].error_message)
    warned = [event.payload["page"] for event in await bench.rows.events(job.id) if event.type == "warning"]
    assert warned == [2, 3]
    assert (await bench.advance(job)).stage is Stage.EMBEDDED


async def test_a_document_of_which_no_page_could_be_read_has_failed(bench: Bench, fake: FakeTextract) -> None:
    """Success in name only is ocr_failed."""
    fake.blocks, fake.status = page_blocks(1, lines=0), "PARTIAL_SUCCESS"
    fake.extra = {"Warnings": [{"ErrorCode": "BAD_PAGE", "Pages": [1]}]}
    job = await bench.advance(await read(bench, pages_total=1))
    assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_failed")


async def test_a_failed_job_is_given_up_with_its_message(bench: Bench, fake: FakeTextract) -> None:
    """FAILED is ocr_failed, and what Textract said is told."""
    job = await started(bench)
    fake.status, fake.extra = "FAILED", {"StatusMessage": "Too many layers"}
    job = await bench.poll(job)
    assert (job.state, job.error_code, job.textract_job_status) == (JobState.DEADLETTER, "ocr_failed", "FAILED")
    assert "Too many layers" in str(job.error_message)
    assert (job.textract_error_message, job.textract_end_time is not None) == ("Too many layers", True)


@pytest.mark.parametrize("announced", [3, 0])
async def test_a_result_that_lacks_pages_is_refused(bench: Bench, fake: FakeTextract, announced: int) -> None:
    """Fewer PAGE blocks than announced, or none announced, is ocr_result_invalid: nothing is passed over in silence."""
    fake.blocks, fake.pages = document_of(2), announced
    job = await read(bench, pages_total=3)
    assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_result_invalid")
    assert job.result_key is None


async def test_textract_may_count_other_pages_than_we_did(bench: Bench, fake: FakeTextract) -> None:
    """What was read is what counts; the difference is told in an event."""
    fake.blocks = document_of(3)
    job = await bench.advance(await read(bench, pages_total=1))
    assert (job.stage, job.pages_total, job.pages_done) == (Stage.EMBEDDED, 3, 3)
    assert [event.payload.get("counted_pages") for event in await bench.rows.events(job.id)].count(1) == 1


async def test_a_lost_job_is_started_again_under_a_new_token(bench: Bench, fake: FakeTextract) -> None:
    """When Textract knows the job no more, another one is started; the old token would only name the lost one."""
    job = await bench.rows.job(document=await bench.rows.document(letter("one")))
    job = await bench.advance(job)
    lost = job.textract_job_id
    fake.forgotten.add(str(lost))
    job = await bench.poll(job)
    assert (job.state, job.stage, job.error_code) == (JobState.RETRYABLE, Stage.JOB_VALIDATED, "ocr_job_lost")
    assert (job.textract_generation, job.textract_job_id, job.attempts) == (1, None, 1)
    await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))
    job = await bench.advance(job)
    assert (job.stage, job.textract_job_id != lost) == (Stage.PARSING, True)
    rows = await bench.rows.textract_jobs(job.id)
    assert [row.status for row in rows] == ["LOST", "IN_PROGRESS"]
    assert rows[0].token != rows[1].token
    assert (await bench.poll(job)).textract_job_status == "SUCCEEDED"


async def test_a_portion_that_fails_is_asked_for_again(bench: Bench, fake: FakeTextract) -> None:
    """Twice, so that one call in hundreds doesn't have a long result fetched from its beginning."""
    fake.blocks = document_of(1, lines=600, words=2)
    job = await bench.poll(await started(bench))
    fake.asked.clear()
    fake.before = [Refusal("InternalServerError", 500), Refusal("ThrottlingException")]
    read = await bench.advance(job)
    assert (read.stage, read.error_code) == (Stage.PARSED, None)
    assert [body.get("NextToken") for operation, body in fake.asked if operation == GET][-3:] == ["1000"] * 3


async def test_the_token_is_committed_before_the_start(bench: Bench, fake: FakeTextract) -> None:
    """When Start arrives, the database knows its token: a crash at that moment repeats it, and pays nothing."""
    seen = []

    async def look(body: dict[str, Any]) -> None:
        async with bench.tools.sessions() as session:
            token = TextractJob.token == body["ClientRequestToken"]
            seen.append(await session.scalar(select(TextractJob.status).where(token)))

    fake.on_start = look
    await bench.advance(await bench.rows.job(document=await bench.rows.document(letter("one"))))
    assert seen == ["STARTING"]


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "LimitExceededException"]
)
async def test_waiting_for_textract_costs_no_attempt(bench: Bench, fake: FakeTextract, code: str) -> None:
    """Throttled or full: at the start and at a poll, the job waits for its next turn, and has lost nothing."""
    fake.before = [Refusal(code)]
    job = await bench.advance(await bench.rows.job(Stage.JOB_VALIDATED, attempts=2))
    assert (job.stage, job.state, job.attempts) == (Stage.JOB_VALIDATED, JobState.QUEUED, 2)
    assert job.next_attempt_at > job.updated_at
    await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))
    job = await bench.advance(job)
    fake.before = [Refusal(code)]
    job = await bench.poll(job)
    assert (job.stage, job.state, job.attempts) == (Stage.PARSING, JobState.QUEUED, 0)


async def test_polls_that_fail_are_counted_until_one_succeeds(told: Settings, fake: FakeTextract) -> None:
    """While Textract is away a job is retryable as ocr_unavailable; its first answer clears that, and the attempts."""
    fake.status = "IN_PROGRESS"
    # So long that none is asked again within the turn of its last poll.
    async with open_bench(told.model_copy(update={"retry_base_seconds": 5000, "retry_max_seconds": 5000})) as bench:
        job = await started(bench)
        for attempt in (1, 2, 3):
            fake.before = [Refusal("InternalServerError", 500)]
            job = await bench.poll(job)
            assert (job.state, job.attempts, job.error_code) == (JobState.RETRYABLE, attempt, "ocr_unavailable")
        job = await bench.poll(job)
        assert (job.state, job.stage, job.attempts, job.error_code) == (JobState.QUEUED, Stage.PARSING, 0, None)
        for _ in range(4):
            fake.before = [Refusal("InternalServerError", 500)]
            job = await bench.poll(job)
        assert (job.state, job.attempts, job.error_code) == (JobState.DEADLETTER, 4, "ocr_unavailable")


async def test_an_answer_that_makes_no_sense_harms_one_job(bench: Bench, fake: FakeTextract) -> None:
    """A status that nobody knows is tried again, and the other polls of the same second go on."""
    jobs = [await started(bench) for _ in range(2)]
    for job in jobs:
        await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))
    fake.forgotten.add(str(jobs[0].textract_job_id))
    await bench.polling.poll_textract_jobs()
    lost, good = [await bench.rows.find(job.id) for job in jobs]
    assert (lost.error_code, good.textract_job_status) == ("ocr_job_lost", "SUCCEEDED")
    fake.status = "POSTPONED"
    job = await bench.poll(await started(bench))
    assert (job.state, job.error_code) == (JobState.RETRYABLE, "ocr_unknown_error")


async def test_a_job_that_never_ends_is_given_up(bench: Bench, fake: FakeTextract) -> None:
    """After the time that it is given, plus a share for each page, it is ocr_timeout."""
    fake.status = "IN_PROGRESS"
    settings = bench.settings
    patience = settings.textract_async_max_polling_time_seconds + 3 * settings.textract_polling_seconds_per_page
    for seconds, state in ((patience - 30, JobState.QUEUED), (patience + 30, JobState.DEADLETTER)):
        job = await started(bench, pages_total=3)
        assert job.textract_deadline is not None
        await bench.rows.change(job.id, textract_deadline=job.textract_deadline - timedelta(seconds=seconds))
        job = await bench.poll(job)
        assert job.state is state
    assert job.error_code == "ocr_timeout"


async def test_asking_again_waits_for_its_time(bench: Bench, fake: FakeTextract) -> None:
    """A job in progress stays as it is, writes no event, and isn't asked about again before its time."""
    job = await started(bench)
    fake.status = "IN_PROGRESS"
    events = len(await bench.rows.events(job.id))
    job = await bench.poll(job)
    asked = len(fake.asked)
    assert await bench.polling.poll_textract_jobs() == 0
    assert (len(fake.asked), len(await bench.rows.events(job.id)), job.textract_polls) == (asked, events, 1)
    assert timedelta(0) < job.next_attempt_at - datetime.now(UTC) < timedelta(seconds=2)


async def test_a_start_without_a_delay_still_waits_for_its_poll(told: Settings, fake: FakeTextract) -> None:
    """With an initial delay of zero a result isn't collected before the job has ended."""
    fake.status = "IN_PROGRESS"
    async with open_bench(told.model_copy(update={"textract_async_initial_delay_seconds": 0.0})) as bench:
        await started(bench)


async def test_a_quota_of_polls_is_kept(told: Settings, fake: FakeTextract) -> None:
    """A second sees as many Gets as the quota allows and no more, for those that are due longest first."""
    quota = {"textract_get_per_second": 2, "textract_quota_share": 1.0}
    async with open_bench(told.model_copy(update=quota)) as bench:
        document = await bench.rows.document()
        jobs = [await bench.rows.job(Stage.PARSING, document=document, textract_job_id=f"job-{n}") for n in range(6)]
        for late, job in enumerate(jobs):
            await bench.rows.change(job.id, next_attempt_at_in=-timedelta(seconds=late))
        began = time.monotonic()
        asked = await bench.polling.poll_textract_jobs()
        assert 1 <= asked <= 2 * (time.monotonic() - began + 1)
        assert fake.asked[0][1]["JobId"] == "job-5"
