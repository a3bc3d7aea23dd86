"""A Textract-compatible server that throttles, fails and loses answers: every document ends, and none is paid for twice."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.ocr.engine import EngineName
from tests.bench import Bench, eventually, open_bench
from tests.documents import letter
from tests.pipeline.account import running_account
from tests.textract_server import admin
from tests.textract_server.running import TextractServer, running_server
from workers.main import serving

DOCUMENTS = 100


@pytest.fixture
def simulated(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., TextractServer]]:
    """Start servers that make results up of documents that are there, with settings of their own."""
    assert settings.aws_secret_access_key is not None
    keys = {
        "TEXTRACT_SERVER_ENGINE": "simulated",
        "TEXTRACT_SERVER_ADMIN": "true",
        "TEXTRACT_SERVER_ACCESS_KEY_ID": str(settings.aws_access_key_id),
        "TEXTRACT_SERVER_SECRET_ACCESS_KEY": settings.aws_secret_access_key.get_secret_value(),
        "TEXTRACT_SERVER_S3_ACCESS_KEY_ID": str(settings.aws_access_key_id),
        "TEXTRACT_SERVER_S3_SECRET_ACCESS_KEY": settings.aws_secret_access_key.get_secret_value(),
    }
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(
            running_server(str(settings.aws_endpoint_url_s3), tmp_path / "textract", **(keys | more))
        )


def reading_with(quick: Settings, server: TextractServer, **more: Any) -> Settings:
    """Settings that lead to a server as if it were Textract."""
    leads = {"ocr_engines": "textract", "aws_endpoint_url_textract": server.url, "ring_again_seconds": 1.0}
    return quick.model_copy(update=leads | more)


async def documents(bench: Bench, count: int, pages: int) -> list[Job]:
    """Documents that are to be read."""
    content = letter(*map(str, range(pages)))
    return [
        await bench.rows.job(Stage.JOB_VALIDATED, document=await bench.rows.document(content), pages_total=pages)
        for _ in range(count)
    ]


async def all_ended(bench: Bench, jobs: Sequence[Job], within_seconds: float) -> list[Job]:
    """The jobs once all have ended."""

    async def none_is_left() -> bool:
        async with bench.tools.sessions() as session:
            return await session.scalar(select(func.count()).where(Job.finished_at.is_(None))) == 0

    await eventually(none_is_left, within_seconds)
    return [await bench.rows.find(job.id) for job in jobs]


async def test_faults_of_all_kinds_lose_nothing_and_cost_nothing(
    quick: Settings, simulated: Callable[..., TextractServer], extractor: EntityExtractor
) -> None:
    """Under 20 % throttles, 5 % lost answers and 2 % internal errors all are read, by as many OCR jobs as documents."""
    server = simulated(TEXTRACT_SERVER_SIMULATED_PAGES="2", TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE="0.2")
    # So high that a pace lowered by throttles is still that of a test.
    quota = {"textract_start_per_second": 1000.0, "textract_get_per_second": 2000.0}
    settings = reading_with(quick, server, **quota, textract_max_concurrent_jobs=100)
    admin.set_fault(server, "error", code="ThrottlingException", rate=0.2, seed=1)
    admin.set_fault(server, "lost_response", rate=0.05, seed=2)
    admin.set_fault(server, "error", code="InternalServerError", status=500, rate=0.02, seed=3)
    async with open_bench(settings) as bench:
        jobs = await documents(bench, DOCUMENTS, pages=2)
        async with serving(settings, extractor=extractor):
            now = await all_ended(bench, jobs, within_seconds=150)
        assert {(job.state, job.error_code, job.pages_done) for job in now} == {(JobState.DONE, None, 2)}
    counted = admin.statistics(server)
    assert counted["jobs_made"] == {"StartDocumentTextDetection": DOCUMENTS}
    assert counted["most_open_jobs"]["StartDocumentTextDetection"] <= 100
    assert (counted["throttled"] > 0, counted["lost_responses"] > 0, counted["limit_exceeded"]) == (True, True, 0)


async def test_documents_fall_back_when_jobs_do_not_end(
    quick: Settings, simulated: Callable[..., TextractServer], extractor: EntityExtractor
) -> None:
    """A server that takes every job, and says of each that it runs, is left alone after three that did not end in their time."""
    server = simulated(TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE="0.1")
    admin.set_fault(server, "slow_jobs", seconds=600)
    patience = {"textract_async_max_polling_time_seconds": 1.0, "textract_polling_seconds_per_page": 0.0}
    breaker = {"ocr_breaker_failures": 3, "ocr_breaker_open_seconds": 600.0, "ocr_engines": "textract,local"}
    async with AsyncExitStack() as stack:
        local = await stack.enter_async_context(running_account(seconds=0.0))
        leads = {"local_textract_endpoint_url": local.url}
        settings = reading_with(quick, server, **patience, **breaker, **leads)
        bench = await stack.enter_async_context(open_bench(settings))
        await stack.enter_async_context(serving(settings, extractor=extractor))
        late = await all_ended(bench, await documents(bench, 3, pages=1), within_seconds=60)
        assert {(job.engine, job.state, job.error_code) for job in late} == {
            (EngineName.TEXTRACT, JobState.DEADLETTER, "ocr_timeout")
        }
        read = await all_ended(bench, await documents(bench, 3, pages=1), within_seconds=60)
    assert {(job.engine, job.state, job.fallback_reason) for job in read} == {
        (EngineName.LOCAL, JobState.DONE, "textract is away: ocr_timeout")
    }


async def test_the_servers_own_quotas_are_never_met(
    quick: Settings, simulated: Callable[..., TextractServer], extractor: EntityExtractor
) -> None:
    """A server that refuses what goes beyond its quotas has nothing to refuse where the settings name them."""
    own = {"TEXTRACT_SERVER_TPS_START": "10", "TEXTRACT_SERVER_TPS_GET": "20", "TEXTRACT_SERVER_MAX_OPEN_JOBS": "6"}
    server = simulated(TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE="0.5", **own)
    quota = {"textract_start_per_second": 10.0, "textract_get_per_second": 20.0, "textract_max_concurrent_jobs": 6}
    settings = reading_with(quick, server, **quota, textract_quota_share=0.8)
    async with open_bench(settings) as bench:
        jobs = await documents(bench, 24, pages=1)
        async with serving(settings, extractor=extractor), serving(settings, extractor=extractor):
            now = await all_ended(bench, jobs, within_seconds=60)
        assert {job.state for job in now} == {JobState.DONE}
    counted = admin.statistics(server)
    assert (counted["throttled"], counted["limit_exceeded"]) == (0, 0)
    assert counted["most_open_jobs"]["StartDocumentTextDetection"] <= 6


async def test_results_that_textract_writes_to_a_bucket_are_read_there(
    quick: Settings, simulated: Callable[..., TextractServer], extractor: EntityExtractor
) -> None:
    """Twelve pages of 199 blocks come out of S3 whole: Gets are made to ask for the status, and for nothing else."""
    server = simulated(TEXTRACT_SERVER_SIMULATED_PAGES="12", TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE="0.05")
    settings = reading_with(quick, server, textract_output_bucket=quick.s3_bucket, textract_output_prefix="written")
    async with open_bench(settings) as bench:
        jobs = await documents(bench, 2, pages=12)
        async with serving(settings, extractor=extractor):
            now = await all_ended(bench, jobs, within_seconds=60)
        for job in now:
            assert (job.state, job.pages_done, job.error_code) == (JobState.DONE, 12, None)
            assert len(await bench.rows.pages(job.id)) == 12
            listed = await bench.tools.bucket.client.list_objects_v2(
                Bucket=quick.s3_bucket, Prefix=f"written/{job.textract_job_id}/"
            )
            assert listed["KeyCount"] >= 3
    calls = admin.statistics(server)["calls"]["GetDocumentTextDetection"]
    assert calls == {"200": sum(job.textract_polls for job in now)}
