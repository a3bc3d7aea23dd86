"""Every end of an OCR job is counted, and every page that was read, for Prometheus and for CloudWatch alike."""

from datetime import UTC, datetime, timedelta

from app.config import Settings
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.pipeline.abandoned import ask_about_abandoned
from tests.bench import Bench, open_bench
from tests.ocr.test_telemetry import LANE, Counted
from tests.ocr.textract import FakeTextract, document_of
from tests.pipeline.steps import change_textract_jobs, finished, gone_wrong, started, validated


def ends(status: str) -> Counted:
    """How many OCR jobs have ended so."""
    return Counted("quire_ocr_jobs_ended_total", **LANE, status=status)


def pages() -> Counted:
    """How many pages were read."""
    return Counted("quire_ocr_pages_total", **LANE)


async def forgotten(bench: Bench, fake: FakeTextract, job: Job) -> None:
    """Have Textract forget a job."""
    fake.forgotten.add(str(job.textract_job_id))
    await change_textract_jobs(bench, job.id, started_at=datetime.now(UTC) - timedelta(hours=1))


async def test_a_job_that_is_read_is_counted_once(bench: Bench, fake: FakeTextract) -> None:
    """With its pages."""
    fake.blocks = document_of(3)
    ended, read = ends("SUCCEEDED"), pages()
    await finished(bench, await started(bench, pages_total=3))
    assert (ended.grown, read.grown) == (1, 3)


async def test_a_job_that_does_not_end_in_its_time_is_counted(bench: Bench, fake: FakeTextract) -> None:
    """Under the code that the document ends with."""
    fake.status = "IN_PROGRESS"
    timed_out, seconds = ends("ocr_timeout"), Counted("quire_ocr_job_seconds_count", **LANE)
    await gone_wrong(bench, await started(bench))
    assert (timed_out.grown, seconds.grown) == (1, 1)


async def test_a_job_that_is_lost_is_counted_whoever_finds_out(bench: Bench, fake: FakeTextract) -> None:
    """A poll, the collection of its result, or whoever looks after jobs that nobody waits for."""
    fake.blocks = document_of(1, lines=600, words=2)  # more than one portion
    lost, read = ends("ocr_job_lost"), pages()
    polled = await started(bench, b"polled")
    await forgotten(bench, fake, polled)
    assert (await bench.poll(polled)).error_code == "ocr_job_lost"
    assert lost.grown == 1
    collected = await bench.poll(await started(bench, b"collected"))
    await forgotten(bench, fake, collected)
    assert (await bench.advance(collected)).error_code == "ocr_job_lost"
    assert (lost.grown, read.grown) == (2, 1)
    abandoned = await started(bench, b"abandoned")
    await bench.jobs.cancel(abandoned.project_id, abandoned.id)
    await forgotten(bench, fake, abandoned)
    await ask_about_abandoned(bench.tools)
    assert lost.grown == 3


async def test_a_page_that_is_read_at_once_is_counted(told: Settings, fake: FakeTextract) -> None:
    """No job ended, and a page was read and paid for."""
    at_once = told.model_copy(update={"textract_use_async_for_pdf": False})
    async with open_bench(at_once) as bench:
        ended, read = ends("SUCCEEDED"), pages()
        job = await bench.advance(await validated(bench))
    assert (job.stage, job.state) == (Stage.PARSED, JobState.QUEUED)
    assert (ended.grown, read.grown) == (0, 1)


async def test_what_textract_says_of_a_failure_is_told_as_it_is(bench: Bench, fake: FakeTextract) -> None:
    """Its sentence ends with one full stop, whether it came with one or not."""
    fake.status = "FAILED"
    for message in ("The job was asked to fail.", "The job was asked to fail"):
        fake.extra = {"StatusMessage": message}
        job = await bench.poll(await started(bench))
        assert job.error_message == "The OCR engine could not read the document: The job was asked to fail."
