"""The same bytes in a project are read once: a result that is there is copied, one on its way is waited for."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from app.config import Settings
from app.db import table_of
from app.documents.models import Document
from app.entities.mentions import EntityExtractor
from app.jobs.states import JobState, Stage
from tests.bench import Bench
from tests.documents import letter
from tests.ocr.textract import FakeTextract, Refusal, page_blocks, with_table
from tests.pipeline.steps import due, finished, gone_wrong, raw_result, started, starts, validated
from tests.service import client_of, make_key, running_api
from workers.main import serving

SAME = b"the same bytes"


async def forget_document(bench: Bench, document_id: Any) -> None:
    """Take a document away, and its jobs with it."""
    async with bench.tools.sessions.begin() as session:
        await session.execute(delete(table_of(Document)).where(Document.id == document_id))


async def test_a_resubmission_takes_the_result_over(bench: Bench, fake: FakeTextract) -> None:
    """Pages, tables and the raw result are its own from then on, under its own key; it cost nothing."""
    fake.blocks = with_table(page_blocks(1, words=6))
    options = {"features": ["TABLES"]}
    first = await finished(bench, await started(bench, SAME, options=options))
    asked = len(fake.asked)
    second = await bench.advance(await validated(bench, SAME, options=options))
    assert (second.stage, second.reused_job_id, second.cost_microdollars) == (Stage.PARSED, first.id, 0)
    assert second.result_key not in {None, first.result_key}
    assert (await raw_result(bench, second))["Blocks"] == fake.blocks
    (page,), (copied,) = await bench.rows.pages(first.id), await bench.rows.pages(second.id)
    assert (copied.text, copied.lines, copied.analysis) == (page.text, page.lines, page.analysis)
    assert (len(copied.analysis["tables"]), copied.document_id) == (1, second.document_id)
    second = await bench.advance(second)
    assert (second.stage, second.pages_done, second.pages_total) == (Stage.EMBEDDED, 1, 1)
    assert len(fake.asked) == asked


async def test_a_resubmission_is_found_before_its_bytes_are_fetched(bench: Bench, fake: FakeTextract) -> None:
    """From its first stage on: what was read of the same bytes before is there at once, with its page count."""
    content = letter("one")
    job = await bench.advance(await bench.rows.job(document=await bench.rows.document(content)))
    first = await finished(bench, job)
    document = await bench.rows.document(content)
    await bench.tools.bucket.delete(document.s3_key)
    second = await bench.advance(await bench.rows.job(document=document))
    assert (second.stage, second.reused_job_id, second.pages_total) == (Stage.PARSED, first.id, 1)
    assert starts(fake) == 1


async def test_a_result_that_was_taken_over_is_taken_over_again(bench: Bench, fake: FakeTextract) -> None:
    """Also once the first document, its job and its result are gone: each copy stands for itself."""
    first = await finished(bench, await started(bench, SAME))
    second = await bench.advance(await bench.advance(await validated(bench, SAME)))
    await forget_document(bench, first.document_id)
    await bench.tools.bucket.delete(str(first.result_key))
    third = await bench.advance(await validated(bench, SAME))
    assert (third.stage, third.reused_job_id, starts(fake)) == (Stage.PARSED, second.id, 1)
    assert (await raw_result(bench, third))["Blocks"] == fake.blocks


async def test_what_was_paid_for_outlives_its_document(bench: Bench, fake: FakeTextract) -> None:
    """The document is gone, its job and its pages with it; Textract still has the result, and nothing is started."""
    first = await finished(bench, await started(bench, SAME))
    await forget_document(bench, first.document_id)
    second = await bench.advance(await validated(bench, SAME))
    assert (second.stage, second.textract_job_id) == (Stage.PARSING, first.textract_job_id)
    second = await finished(bench, second)
    assert (starts(fake), second.cost_microdollars, second.reused_job_id) == (1, 1500, None)


async def test_a_result_without_its_object_is_read_anew(bench: Bench, fake: FakeTextract) -> None:
    """A copy that can't be had is no reason to fail."""
    first = await finished(bench, await started(bench, SAME))
    await bench.tools.bucket.delete(str(first.result_key))
    second = await finished(bench, await started(bench, SAME))
    assert (starts(fake), second.reused_job_id) == (2, None)


@pytest.mark.parametrize(
    "other",
    [{"project": "other"}, {"options": {"features": ["FORMS"]}}, {"options": {"engine": "textract"}}, {"pages": 2}],
    ids=["project", "features", "engine", "bytes"],
)
async def test_what_isnt_the_same_is_read_by_itself(bench: Bench, fake: FakeTextract, other: dict[str, Any]) -> None:
    """Other projects' results are not ours, and other features, engines or bytes have other results."""
    await finished(bench, await started(bench, SAME))
    content = b"other bytes" if other.pop("pages", None) else SAME
    second = await finished(bench, await started(bench, content, **other))
    assert (starts(fake), second.reused_job_id) == (2, None)


async def test_a_partial_result_is_not_taken_over(bench: Bench, fake: FakeTextract) -> None:
    """Who submits again wants the pages that failed."""
    fake.blocks = [*page_blocks(1), *page_blocks(2, lines=0)]
    fake.status, fake.extra = "PARTIAL_SUCCESS", {"Warnings": [{"ErrorCode": "BAD_PAGE", "Pages": [2]}]}
    await finished(bench, await started(bench, SAME, pages_total=2))
    fake.status, fake.extra, fake.blocks = "SUCCEEDED", {}, [*page_blocks(1), *page_blocks(2)]
    second = await finished(bench, await started(bench, SAME, pages_total=2))
    assert (starts(fake), [page.status for page in await bench.rows.pages(second.id)]) == (2, ["read", "read"])


async def test_a_second_reader_waits_for_the_first(bench: Bench, fake: FakeTextract) -> None:
    """While the same bytes are being read it waits, at no attempt, with one event for it; then the result is its own."""
    first = await started(bench, SAME)
    second = await bench.advance(await validated(bench, SAME))
    assert (second.stage, second.state, second.attempts) == (Stage.JOB_VALIDATED, JobState.QUEUED, 0)
    assert second.next_attempt_at > datetime.now(UTC) + timedelta(seconds=5)
    events = await bench.rows.events(second.id)
    assert [event.payload.get("waiting_for") for event in events] == [None, None, "being_read_elsewhere"]
    for _ in range(3):
        await bench.sweep.sweep()
        await bench.advance(await bench.rows.find(second.id))
    assert len(await bench.rows.events(second.id)) == len(events)
    first = await finished(bench, first)
    second = await bench.rows.find(second.id)
    assert second.next_attempt_at <= datetime.now(UTC) + timedelta(seconds=1)  # it was told
    second = await bench.advance(second)
    assert (second.stage, second.reused_job_id, starts(fake)) == (Stage.PARSED, first.id, 1)


async def test_a_fleet_of_the_same_bytes_has_one_reader(bench: Bench, fake: FakeTextract) -> None:
    """Six jobs at the same moment: one starts, and the others wait."""
    jobs = [await validated(bench, SAME) for _ in range(6)]
    await asyncio.gather(*(bench.pipeline(f"w{n}").advance(job.id, job.stage) for n, job in enumerate(jobs)))
    stages = sorted([(await bench.rows.find(job.id)).stage for job in jobs])
    assert (stages, starts(fake)) == ([Stage.JOB_VALIDATED] * 5 + [Stage.PARSING], 1)


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_what_a_job_that_ended_had_paid_for_is_gone_on_with(bench: Bench, fake: FakeTextract, how: str) -> None:
    """The next of the same bytes takes the running OCR job over, and its cost with it: no second Start."""
    fake.status = "IN_PROGRESS"
    first = await started(bench, SAME)
    if how == "cancelled":
        await bench.jobs.cancel(first.project_id, first.id)
    else:
        await gone_wrong(bench, first)
    second = await started(bench, SAME)
    assert second.textract_job_id == first.textract_job_id
    fake.status = "SUCCEEDED"
    second = await finished(bench, second)
    first = await bench.rows.find(first.id)
    assert (starts(fake), first.cost_microdollars, second.cost_microdollars) == (1, 0, 1500)


async def test_a_waiting_job_takes_over_what_the_first_had_started(bench: Bench, fake: FakeTextract) -> None:
    """It waited for a result that never came; the OCR job goes on, and is its own now."""
    fake.status = "IN_PROGRESS"
    first = await started(bench, SAME)
    second = await bench.advance(await validated(bench, SAME))
    assert second.stage is Stage.JOB_VALIDATED
    await bench.jobs.cancel(first.project_id, first.id)
    second = await due(bench, second)
    assert (second.stage, second.textract_job_id, starts(fake)) == (Stage.PARSING, first.textract_job_id, 1)


async def test_a_crash_after_a_take_over_takes_over_all_the_same(bench: Bench, fake: FakeTextract) -> None:
    """The rows are the job's own by then: they are gone on with, and nothing is started."""
    fake.status = "IN_PROGRESS"
    first = await started(bench, SAME)
    await bench.jobs.cancel(first.project_id, first.id)
    second = await started(bench, SAME)
    await bench.rows.change(second.id, stage="job_validated", textract_job_id=None, textract_job_status=None)
    second = await due(bench, second)
    assert (second.stage, second.textract_job_id, starts(fake)) == (Stage.PARSING, first.textract_job_id, 1)


async def test_a_retry_of_a_job_whose_ocr_was_taken_over_waits_for_it(bench: Bench, fake: FakeTextract) -> None:
    """The first job's retry finds its OCR job with another one; it doesn't start a second, but takes the result over."""
    fake.status = "IN_PROGRESS"
    first = await gone_wrong(bench, await started(bench, SAME))
    second = await started(bench, SAME)
    first = await bench.poll(await bench.jobs.retry(first.project_id, first.id))
    assert (first.stage, first.state, first.error_code) == (Stage.JOB_VALIDATED, JobState.RETRYABLE, "ocr_job_lost")
    first = await due(bench, first)
    assert (first.stage, first.state) == (Stage.JOB_VALIDATED, JobState.QUEUED)
    fake.status = "SUCCEEDED"
    second = await finished(bench, second)
    first = await due(bench, first)
    assert (first.stage, first.reused_job_id, starts(fake)) == (Stage.PARSED, second.id, 1)


async def test_a_retried_reader_is_the_reader_again(bench: Bench, fake: FakeTextract) -> None:
    """A job that waits for its OCR job once more is waited for by those that come after."""
    fake.status = "IN_PROGRESS"
    first = await gone_wrong(bench, await started(bench, SAME))
    first = await bench.jobs.retry(first.project_id, first.id)
    second = await bench.advance(await validated(bench, SAME))
    assert (second.stage, second.state, starts(fake)) == (Stage.JOB_VALIDATED, JobState.QUEUED, 1)
    fake.status = "SUCCEEDED"
    await finished(bench, first)
    assert (await due(bench, second)).reused_job_id == first.id


async def test_a_failed_reading_is_not_taken_over(bench: Bench, fake: FakeTextract) -> None:
    """What FAILED, or didn't add up, would only fail again: the next one has the document read anew."""
    fake.pages = 3
    first = await bench.advance(await bench.poll(await started(bench, SAME)))
    assert (first.state, first.error_code) == (JobState.DEADLETTER, "ocr_result_invalid")
    fake.pages, fake.status = None, "FAILED"
    second = await bench.poll(await started(bench, SAME))
    assert (second.state, second.error_code) == (JobState.DEADLETTER, "ocr_failed")
    fake.status = "SUCCEEDED"
    third = await finished(bench, await started(bench, SAME))
    assert (starts(fake), third.cost_microdollars) == (3, 1500)


async def test_who_takes_a_result_over_keeps_no_slot(bench: Bench, fake: FakeTextract) -> None:
    """A job that was admitted, and finds its bytes read meanwhile, gives its slot back at once."""
    second = await validated(bench, SAME)
    await bench.sweep.sweep()  # admits it
    (lane,) = [lane for lane in bench.tools.ocr.lanes if lane.operation is second.operation]
    assert (await bench.tools.ocr.pacer.state(lane)).running == 1
    await finished(bench, await started(bench, SAME))
    second = await due(bench, second)
    assert (second.stage, starts(fake)) == (Stage.PARSED, 1)
    assert (await bench.tools.ocr.pacer.state(lane)).running == 0


async def test_a_result_is_taken_over_while_another_job_takes_it_over(bench: Bench, fake: FakeTextract) -> None:
    """Who holds the place of the reader may be at no more than a copy: nobody waits for that."""
    first = await finished(bench, await started(bench, SAME))
    await validated(bench, SAME, state=JobState.WORKING, reads=True)
    third = await bench.advance(await validated(bench, SAME))
    assert (third.stage, third.reused_job_id, starts(fake)) == (Stage.PARSED, first.id, 1)


async def test_a_refused_reader_lets_the_next_one_read(bench: Bench, fake: FakeTextract) -> None:
    """The first is given up before its Start; the second is no longer kept waiting, and starts."""
    fake.before = [Refusal("AccessDeniedException")]
    first = await bench.advance(await validated(bench, SAME, pages_total=2))
    assert (first.state, first.error_code) == (JobState.DEADLETTER, "ocr_access_denied")
    assert (await started(bench, SAME, pages_total=2)).reads


async def test_twenty_submissions_of_the_same_bytes_are_one_start(
    told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """Through the API, with a worker: all end well, one of them has paid."""
    content = letter("the same")
    async with (
        running_api(told) as address,
        client_of(address, await make_key(told)) as client,
        serving(told, extractor=extractor),
    ):
        submitted = await asyncio.gather(*(client.submit(content, external_id=str(n)) for n in range(20)))
        jobs = await asyncio.gather(*(client.ended(each["job"]["id"], within_seconds=120) for each in submitted))
        texts = {(await client.get(f"/v1/documents/{each['document']['id']}/text")).text for each in submitted}
    assert [job["state"] for job in jobs] == ["done"] * 20
    assert (starts(fake), sorted(job["cost_microdollars"] for job in jobs)) == (1, [0] * 19 + [1500])
    assert sum(job["reused_job_id"] is None for job in jobs) == 1
    assert texts == {"p1l0w0 p1l0w1 p1l0w2\np1l1w0 p1l1w1 p1l1w2\n"}
