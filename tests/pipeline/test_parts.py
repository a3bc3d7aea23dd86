"""A document that is too large for Textract: several OCR jobs, and one result with one page numbering."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update

from app.config import Settings
from app.documents.intake import MediaType
from app.documents.models import Document
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.ocr.engine import Operation
from app.pipeline.abandoned import ask_about_abandoned
from app.storage.s3 import Bucket
from tests.bench import Bench, open_bench
from tests.documents import letter
from tests.ocr.textract import Answer, FakeTextract, document_of, page_blocks
from tests.pipeline.steps import change_textract_jobs, due, finished, raw_result, starts

FIVE_PAGES = letter("one", "two", "three", "four", "five")


class InParts(FakeTextract):
    """An account that tells its jobs apart by the part that they read: each has results of its own."""

    def __init__(self, results: dict[int, dict[str, Any]]) -> None:
        super().__init__()
        self.results = results

    def part_of(self, job_id: str) -> int:
        """The part that a job reads, by its file's name."""
        (body,) = (self.parameters[key] for key in self.parameters if self.jobs.get(key[1]) == job_id)
        name = str(body["DocumentLocation"]["S3Object"]["Name"])
        return int(name.rsplit("/", 1)[1].split(".", maxsplit=1)[0]) if name.startswith("parts/") else 1

    def _result(self, operation: str, body: dict[str, Any]) -> Answer:
        told = {"status": "SUCCEEDED", "extra": {}, "pages": None} | self.results[self.part_of(body["JobId"])]
        for name, value in told.items():
            setattr(self, name, value)
        return super()._result(operation, body)


def job_of_part(fake: InParts, part: int) -> str:
    """The id of the only OCR job of a part."""
    (job_id,) = [job_id for job_id in fake.jobs.values() if fake.part_of(job_id) == part]
    return job_id


@pytest.fixture
async def fake() -> AsyncIterator[InParts]:
    """An account that reads five pages in three parts."""
    fake = InParts({1: {"blocks": document_of(2)}, 2: {"blocks": document_of(2)}, 3: {"blocks": document_of(1)}})
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield fake


@pytest.fixture
def told(told: Settings) -> Settings:
    """Two pages are what Textract takes at once."""
    return told.model_copy(update={"part_max_pages": 2, "max_attempts": 8})


async def submitted(bench: Bench, **columns: Any) -> Job:
    """A job of five pages, as far as one worker brings it."""
    return await bench.advance(await bench.rows.job(document=await bench.rows.document(FIVE_PAGES), **columns))


async def parts_in(bucket: Bucket, job: Job) -> list[str]:
    """The keys of a job's parts that are in the bucket."""
    prefix = f"parts/{job.document_id}/"
    answer = await bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=prefix)
    return [each["Key"] for each in answer.get("Contents", [])]


async def test_a_large_document_is_one_result_of_several_jobs(bench: Bench, fake: InParts) -> None:
    """Each part is started once; pages, blocks and costs add up, and the parts' files are gone afterwards."""
    job = await submitted(bench)
    assert (job.stage, job.pages_total, [told["first_page"] for told in job.parts]) == (Stage.PARSING, 5, [1, 3, 5])
    rows = await bench.rows.textract_jobs(job.id)
    assert sorted((row.part, row.first_page, row.page_count, row.status) for row in rows) == [
        (1, 1, 2, "IN_PROGRESS"),
        (2, 3, 2, "IN_PROGRESS"),
        (3, 5, 1, "IN_PROGRESS"),
    ]
    assert (starts(fake), len(fake.jobs), len(await parts_in(bench.tools.bucket, job))) == (3, 3, 3)
    job = await finished(bench, job)
    assert (job.textract_job_status, job.textract_page_count, job.pages_done) == ("SUCCEEDED", 5, 5)
    assert job.cost_microdollars == 5 * 1500
    pages = await bench.rows.pages(job.id)
    assert [page.number for page in pages] == [1, 2, 3, 4, 5]
    assert [page.lines[0]["text"].split("l")[0] for page in pages] == ["p1", "p2", "p1", "p2", "p1"]
    result = await raw_result(bench, job)
    assert result["DocumentMetadata"] == {"Pages": 5}
    assert [block["Page"] for block in result["Blocks"] if block["BlockType"] == "PAGE"] == [1, 2, 3, 4, 5]
    numbers = [event.payload["page"] for event in await bench.rows.events(job.id) if event.type == "page"]
    assert numbers == [1, 2, 3, 4, 5]
    assert not await parts_in(bench.tools.bucket, job)


async def test_bad_pages_are_named_as_the_document_counts_them(bench: Bench, fake: InParts) -> None:
    """Part two's first page is page three of the document: in warnings, in the pages, and in the raw result."""
    fake.results[2] = {"blocks": [*page_blocks(1, lines=0), *page_blocks(2)], "status": "PARTIAL_SUCCESS"}
    fake.results[2]["extra"] = {"Warnings": [{"ErrorCode": "BAD_PAGE", "Pages": [1]}]}
    job = await finished(bench, await submitted(bench))
    assert (job.textract_job_status, job.textract_page_count, job.pages_done) == ("PARTIAL_SUCCESS", 5, 5)
    statuses = [page.status for page in await bench.rows.pages(job.id)]
    assert statuses == ["read", "read", "failed", "read", "read"]
    result = await raw_result(bench, job)
    assert (result["JobStatus"], result["Warnings"]) == ("PARTIAL_SUCCESS", [{"ErrorCode": "BAD_PAGE", "Pages": [3]}])
    warned = [event.payload["page"] for event in await bench.rows.events(job.id) if event.type == "warning"]
    assert warned == [3]


async def test_a_part_that_failed_leaves_the_others_pages(bench: Bench, fake: InParts) -> None:
    """Its pages are named as failed, in their places; the document is a partial success."""
    fake.results[2] = {"status": "FAILED", "extra": {"StatusMessage": "No."}}
    job = await finished(bench, await submitted(bench))
    assert (job.textract_job_status, job.textract_page_count, job.pages_total) == ("PARTIAL_SUCCESS", 5, 5)
    pages = await bench.rows.pages(job.id)
    assert [(page.number, page.status) for page in pages] == [
        (1, "read"),
        (2, "read"),
        (3, "failed"),
        (4, "failed"),
        (5, "read"),
    ]
    result = await raw_result(bench, job)
    assert (result["DocumentMetadata"], result["Warnings"]) == (
        {"Pages": 5},
        [{"ErrorCode": "PART_FAILED", "Pages": [3, 4]}],
    )


async def test_a_document_of_which_all_parts_failed_has_failed(bench: Bench, fake: InParts) -> None:
    """A retry reads each of them anew, and once."""
    good = dict(fake.results)
    fake.results.update({part: {"status": "FAILED", "extra": {"StatusMessage": "No."}} for part in good})
    job = await bench.poll(await submitted(bench))
    assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_failed")
    fake.results.update(good)
    job = await finished(bench, await bench.advance(await bench.jobs.retry(job.project_id, job.id)))
    assert (starts(fake), len(fake.jobs), job.textract_job_status) == (6, 6, "SUCCEEDED")


async def test_a_part_that_is_lost_is_started_again_alone(bench: Bench, fake: InParts) -> None:
    """What the others have read stands, and is paid for once."""
    job = await submitted(bench)
    fake.forgotten.add(job_of_part(fake, 3))
    job = await bench.poll(job)
    assert (job.stage, job.state, job.error_code) == (Stage.JOB_VALIDATED, JobState.RETRYABLE, "ocr_job_lost")
    job = await finished(bench, await due(bench, job))
    assert (starts(fake), job.textract_page_count) == (4, 5)
    statuses = sorted((row.part, row.generation, row.status) for row in await bench.rows.textract_jobs(job.id))
    assert statuses == [(1, 0, "SUCCEEDED"), (2, 0, "SUCCEEDED"), (3, 0, "LOST"), (3, 1, "SUCCEEDED")]
    assert job.cost_microdollars == 6 * 1500


async def test_a_part_that_is_lost_takes_none_that_runs_with_it(bench: Bench, fake: InParts) -> None:
    """The parts that are still being read go on, whichever of them is gone."""
    job = await submitted(bench)
    fake.results[3]["status"] = "IN_PROGRESS"
    fake.forgotten.add(job_of_part(fake, 2))
    job = await due(bench, await bench.poll(job))
    fake.results[3]["status"] = "SUCCEEDED"
    job = await finished(bench, job)
    assert (starts(fake), job.cost_microdollars) == (4, 7 * 1500)


async def test_a_part_that_is_lost_between_its_end_and_its_collection(bench: Bench, fake: InParts) -> None:
    """Then it is known to be lost only when its result is fetched; again, the others stand."""
    job = await bench.poll(await submitted(bench))
    gone = job_of_part(fake, 2)
    await bench.tools.portions.take(gone)
    fake.forgotten.add(gone)
    job = await bench.advance(job)
    assert (job.stage, job.error_code) == (Stage.JOB_VALIDATED, "ocr_job_lost")
    job = await finished(bench, await due(bench, job))
    assert (starts(fake), [page.number for page in await bench.rows.pages(job.id)]) == (4, [1, 2, 3, 4, 5])


async def test_no_part_is_forgotten(bench: Bench, fake: InParts) -> None:
    """Where the row of one is lost while nobody waited, a retry collects nothing before it is read again."""
    for part in fake.results:
        fake.results[part]["status"] = "IN_PROGRESS"
    job = await submitted(bench)
    await bench.rows.change(job.id, textract_deadline_in=-timedelta(seconds=1))
    job = await bench.poll(job)
    assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_timeout")
    for part in fake.results:
        fake.results[part]["status"] = "SUCCEEDED"
    fake.forgotten.add(job_of_part(fake, 2))
    await change_textract_jobs(bench, job.id, started_at=datetime.now(UTC) - timedelta(hours=1))
    await ask_about_abandoned(bench.tools)
    job = await bench.advance(await bench.poll(await bench.jobs.retry(job.project_id, job.id)))
    assert (job.stage, job.error_code) == (Stage.JOB_VALIDATED, "ocr_job_lost")
    job = await finished(bench, await due(bench, job))
    assert ([page.number for page in await bench.rows.pages(job.id)], starts(fake)) == ([1, 2, 3, 4, 5], 4)


async def test_a_crash_between_two_parts_starts_none_twice(bench: Bench, fake: InParts) -> None:
    """The worker dies after part two: the next one starts part three, and no other."""
    seen: list[str] = []

    async def crash(body: dict[str, Any]) -> None:
        seen.append(body["ClientRequestToken"])
        if len(seen) == 3:
            working.cancel()
            await asyncio.sleep(0.5)

    fake.on_start = crash
    job = await bench.rows.job(document=await bench.rows.document(FIVE_PAGES))
    working = asyncio.create_task(bench.pipeline().advance(job.id, job.stage))
    await asyncio.gather(working, return_exceptions=True)
    job = await bench.rows.find(job.id)
    assert (job.stage, job.state) == (Stage.JOB_VALIDATED, JobState.QUEUED)
    fake.on_start = None
    job = await finished(bench, await due(bench, job))
    assert (sorted(fake.starts.values())[:2], len(fake.jobs), job.cost_microdollars) == ([1, 1], 3, 7500)


async def test_parts_wait_for_slots_and_take_none_for_good(told: Settings, fake: InParts) -> None:
    """With one slot, one part runs; it is asked about though its job waits, and the next one starts in its place."""
    one = {"textract_max_concurrent_jobs": 1, "textract_quota_share": 1.0}
    async with open_bench(told.model_copy(update=one)) as bench:
        job = await submitted(bench)
        for started in (1, 2):
            assert (job.stage, job.state, job.attempts) == (Stage.JOB_VALIDATED, JobState.QUEUED, 0)
            assert starts(fake) == started
            long_ago = datetime.now(UTC) - timedelta(minutes=10)
            await change_textract_jobs(bench, job.id, created_at=long_ago, started_at=long_ago)
            await ask_about_abandoned(bench.tools)
            job = await due(bench, job)
        job = await finished(bench, job)
        assert (starts(fake), job.pages_done) == (3, 5)


async def test_a_day_has_money_for_all_parts_or_for_none(told: Settings, fake: InParts) -> None:
    """Five pages, and money for three: no part is started that the others couldn't follow."""
    capped = told.model_copy(update={"max_cost_per_project_per_day": 9000})
    async with open_bench(capped) as bench:
        await submitted(bench)
        job = await submitted(bench, options={"force_reprocess": True})
        assert (job.stage, job.state, starts(fake)) == (Stage.JOB_VALIDATED, JobState.QUEUED, 3)
        assert (await bench.rows.events(job.id))[-1].payload["waiting_for"] == "daily_cost_reached"


async def test_who_takes_a_result_over_leaves_no_parts_behind(bench: Bench, fake: InParts) -> None:
    """Both were split before either was read: the second one's files are taken away with its need of them."""
    first, second = await submitted(bench), await submitted(bench)
    assert (second.stage, len(await parts_in(bench.tools.bucket, second))) == (Stage.JOB_VALIDATED, 3)
    await finished(bench, first)
    second = await due(bench, second)
    assert (second.stage, second.reused_job_id, starts(fake)) == (Stage.PARSED, first.id, 3)
    assert not await parts_in(bench.tools.bucket, second)


async def test_what_a_cancelled_job_had_started_is_taken_over_part_by_part(bench: Bench, fake: InParts) -> None:
    """The next job of the same bytes reads the three results that were paid for, in their order."""
    first = await submitted(bench)
    await bench.jobs.cancel(first.project_id, first.id)
    second = await finished(bench, await submitted(bench))
    assert (starts(fake), second.cost_microdollars, second.pages_done) == (3, 7500, 5)
    assert (await bench.rows.find(first.id)).cost_microdollars == 0


async def test_parts_that_are_gone_are_made_again(bench: Bench, fake: InParts) -> None:
    """The document is still there: it is split once more, and nobody has to submit it again."""
    fake.on_start = None
    document = await bench.rows.document(FIVE_PAGES)
    parts = [
        {
            "key": f"parts/{document.id}/gone/{number}.pdf",
            "first_page": 2 * number - 1,
            "page_count": min(2, 7 - 2 * number),
        }
        for number in (1, 2, 3)
    ]
    job = await bench.rows.job(Stage.JOB_VALIDATED, document=document, parts=parts, pages_total=5)
    job = await finished(bench, await bench.advance(job))
    assert (starts(fake), [page.number for page in await bench.rows.pages(job.id)]) == (3, [1, 2, 3, 4, 5])


async def test_a_picture_that_is_too_large_is_scaled_and_read_once(told: Settings, fake: InParts) -> None:
    """One part, of the same single page: questions may be put to it as to any page."""
    small = told.model_copy(update={"part_max_image_pixels_per_side": 200})
    file = io.BytesIO()
    Image.new("RGB", (600, 300), "white").save(file, "PNG")
    async with open_bench(small) as bench:
        document = await bench.rows.document(file.getvalue())
        async with bench.tools.sessions.begin() as session:
            await session.execute(update(Document).where(Document.id == document.id).values(media_type=MediaType.PNG))
        options = {"features": ["QUERIES"], "queries": [{"text": "Who?"}]}
        fake.results[1] = {"blocks": page_blocks(1)}
        job = await bench.advance(
            await bench.rows.job(document=document, options=options, operation=Operation.ANALYSIS)
        )
        assert (job.stage, job.pages_total, len(job.parts)) == (Stage.PARSING, 1, 1), job.error_message
        (key,) = await parts_in(bench.tools.bucket, job)
        async with bench.tools.bucket.open(key) as chunks:
            scaled = Image.open(io.BytesIO(b"".join([chunk async for chunk in chunks])))
        assert scaled.size == (200, 100)
        job = await finished(bench, job)
        assert (job.pages_done, job.cost_microdollars) == (1, 15_000)
        assert not await parts_in(bench.tools.bucket, job)


async def test_questions_to_many_parts_are_refused(bench: Bench, fake: InParts) -> None:
    """Which pages they are put to is told by numbers of the whole."""
    options = {"features": ["QUERIES"], "queries": [{"text": "Who?"}]}
    job = await submitted(bench, options=options, operation=Operation.ANALYSIS)
    assert (job.state, job.error_code, starts(fake)) == (JobState.DEADLETTER, "ocr_request_invalid", 0)
