"""What reading costs: told in micro-dollars, by what was read, and never more than it may be."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.config import Settings
from app.documents import repository as documents
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.pipeline.abandoned import ask_about_abandoned
from tests.bench import Bench, open_bench
from tests.ocr.textract import FakeTextract, Refusal, document_of
from tests.pipeline.steps import change_textract_jobs, due, finished, started, starts, validated
from tests.service import client_of, make_key, running_api

QUERY = [{"text": "Who?"}]


def of_both_engines(told: Settings, fake: FakeTextract, **changes: Any) -> Settings:
    """Settings with Textract preferred, and a local engine that costs nothing."""
    engines = {"ocr_engines": "textract,local", "local_textract_endpoint_url": fake.url}
    return told.model_copy(update={**engines, **changes})


def capped(told: Settings, day: int) -> Settings:
    """Settings under which a project may spend so much on a day."""
    return told.model_copy(update={"max_cost_per_project_per_day": day})


@pytest.mark.parametrize(
    ("options", "microdollars"),
    [
        ({}, 1500),
        ({"features": ["TABLES"]}, 15_000),
        ({"features": ["TABLES", "FORMS"]}, 65_000),
        ({"features": ["LAYOUT", "SIGNATURES"]}, 7500),
        ({"features": ["QUERIES"], "queries": QUERY}, 15_000),
    ],
)
async def test_a_page_costs_what_is_looked_for(
    bench: Bench, fake: FakeTextract, options: dict[str, Any], microdollars: int
) -> None:
    """By feature, from the start on, for each of three pages."""
    fake.blocks = document_of(3)
    job = await started(bench, pages_total=3, options=options)
    assert job.cost_microdollars == 3 * microdollars
    assert (await finished(bench, job)).cost_microdollars == 3 * microdollars


async def test_the_cost_is_told_of_the_job_and_of_the_document(bench: Bench, told: Settings) -> None:
    """GET says it of a run, and of all runs of a document."""
    first = await finished(bench, await started(bench))
    async with bench.tools.sessions() as session:
        document = await documents.get(session, first.document_id)
    again = await bench.rows.job(Stage.JOB_VALIDATED, document=document, options={"force_reprocess": True})
    again = await finished(bench, await bench.advance(again))
    async with running_api(told) as address, client_of(address, await make_key(told)) as client:
        job = (await client.get(f"/v1/jobs/{again.id}")).json()
        whole = (await client.get(f"/v1/documents/{document.id}")).json()
    assert (job["cost_microdollars"], job["engine"]) == (1500, "textract")
    assert (whole["cost_microdollars"], whole["job"]["id"]) == (3000, str(again.id))


async def test_prices_are_a_setting(told: Settings, fake: FakeTextract) -> None:
    """An account with other prices has other costs."""
    async with open_bench(told.model_copy(update={"textract_prices": '{"TEXT": 600}'})) as bench:
        assert (await started(bench, pages_total=2)).cost_microdollars == 1200


async def test_pages_count_as_they_were_read(bench: Bench, fake: FakeTextract) -> None:
    """What Textract says that it has read is what it bills, whatever was counted before."""
    fake.blocks = document_of(3)
    job = await finished(bench, await started(bench, pages_total=1))
    (row,) = await bench.rows.textract_jobs(job.id)
    assert (job.cost_microdollars, row.page_count, row.cost_microdollars) == (4500, 3, 4500)


async def test_a_cancelled_job_costs_what_was_read_all_the_same(bench: Bench, fake: FakeTextract) -> None:
    """The OCR job runs on, and its pages are counted once they are known."""
    fake.blocks = document_of(2)
    job = await started(bench, pages_total=5)
    await bench.jobs.cancel(job.project_id, job.id)
    assert (await bench.rows.find(job.id)).cost_microdollars == 7500
    await ask_about_abandoned(bench.tools)
    assert (await bench.rows.find(job.id)).cost_microdollars == 3000


async def test_a_refused_start_costs_nothing(bench: Bench, fake: FakeTextract) -> None:
    """Neither the job nor the project's day."""
    fake.before = [Refusal("AccessDeniedException")]
    job = await bench.advance(await validated(bench, pages_total=2))
    (row,) = await bench.rows.textract_jobs(job.id)
    assert (job.error_code, job.cost_microdollars) == ("ocr_access_denied", 0)
    assert (row.status, row.cost_microdollars) == ("REFUSED", 0)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_call_that_was_never_sent_costs_nothing(told: Settings, *, at_once: bool) -> None:
    """The connection was refused: nobody can have read a page, however often it is tried."""
    nowhere = {"aws_endpoint_url_textract": "http://127.0.0.1:9", "textract_use_async_for_pdf": not at_once}
    async with open_bench(capped(told, 2000).model_copy(update=nowhere)) as bench:
        job = await bench.advance(await validated(bench))
        assert (job.state, job.error_code) == (JobState.RETRYABLE, "ocr_unavailable")
        job = await due(bench, job)
        assert (job.state, job.error_code, job.cost_microdollars) == (JobState.RETRYABLE, "ocr_unavailable", 0)
        rows = await bench.rows.textract_jobs(job.id)
        assert {(row.synchronous, row.status, row.cost_microdollars) for row in rows} == {(at_once, "REFUSED", 0)}
    async with open_bench(capped(told, 2000)) as bench:  # the day has all its money
        assert (await finished(bench, await due(bench, job))).cost_microdollars == 1500


async def test_a_document_that_is_too_dear_is_not_started(told: Settings, fake: FakeTextract) -> None:
    """It ends with what it would cost and which setting to raise; once that is raised, a retry reads it."""
    async with open_bench(told.model_copy(update={"max_cost_per_document": 4000})) as bench:
        job = await bench.advance(await validated(bench, pages_total=3))
        assert (job.state, job.error_code, job.cost_microdollars) == (JobState.DEADLETTER, "cost_limit_exceeded", 0)
        assert "4500" in str(job.error_message)
        assert "MAX_COST_PER_DOCUMENT" in str(job.error_message)
        assert (await started(bench, pages_total=2)).cost_microdollars == 3000
    async with open_bench(told.model_copy(update={"max_cost_per_document": 4500})) as bench:
        fake.blocks = document_of(3)
        job = await finished(bench, await bench.advance(await bench.jobs.retry(job.project_id, job.id)))
    assert (job.cost_microdollars, starts(fake)) == (4500, 2)


async def test_a_document_that_is_too_dear_falls_to_an_engine_that_costs_nothing(
    told: Settings, fake: FakeTextract
) -> None:
    """Where there is one that finds what is asked for, and the job has named none."""
    async with open_bench(of_both_engines(told, fake, max_cost_per_document=4000)) as bench:
        job = await started(bench, pages_total=3)
        assert (job.engine, job.cost_microdollars) == ("local", 0)
        assert "textract would cost 4500 micro-dollars" in str(job.fallback_reason)
        assert [row.engine for row in await bench.rows.textract_jobs(job.id)] == ["local"]
        for lane in bench.tools.ocr.lanes:
            running = (await bench.tools.ocr.pacer.state(lane)).running
            assert running == (lane.engine == "local" and lane.operation == "detection")
        for options in ({"engine": "textract"}, {"features": ["QUERIES"], "queries": QUERY}):
            job = await bench.advance(await validated(bench, pages_total=3, options=options))
            assert job.error_code == "cost_limit_exceeded"
        assert (await started(bench, pages_total=2)).engine == "textract"


async def day_spent(bench: Bench, job: Job) -> Job:
    """The job, which has to be waiting for the next day."""
    midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert (job.stage, job.state, job.attempts) == (Stage.JOB_VALIDATED, JobState.QUEUED, 0)
    assert abs(job.next_attempt_at - midnight) < timedelta(seconds=30)
    assert (await bench.rows.events(job.id))[-1].payload["waiting_for"] == "daily_cost_reached"
    return job


async def test_a_project_that_has_spent_its_day_waits_for_the_next(told: Settings, fake: FakeTextract) -> None:
    """At no attempt, until midnight (UTC); other projects and what costs nothing go on."""
    settings = of_both_engines(told, fake, max_cost_per_project_per_day=4000)
    async with open_bench(settings) as bench:
        first = await started(bench, pages_total=2)
        job = await day_spent(bench, await bench.advance(await validated(bench, pages_total=1 + 1)))
        assert "3000 of the 4000" in str((await bench.rows.events(job.id))[-1].payload["message"])
        await bench.sweep.sweep()
        assert (await bench.rows.find(job.id)).rung_at is None
        assert (await started(bench, pages_total=2, project="other")).cost_microdollars == 3000
        assert (await started(bench, pages_total=2, options={"engine": "local"})).engine == "local"
        await change_textract_jobs(bench, first.id, created_at=datetime.now(UTC) - timedelta(days=1))
        assert (await due(bench, job)).stage is Stage.PARSING


async def test_two_jobs_that_race_for_the_rest_of_a_day(told: Settings, fake: FakeTextract) -> None:
    """Eight at once, and money for three: three start, and no more than the cap is spent."""
    async with open_bench(capped(told, 4700)) as bench:
        jobs = [await validated(bench) for _ in range(8)]
        await asyncio.gather(*(bench.pipeline(f"w{n}").advance(job.id, job.stage) for n, job in enumerate(jobs)))
        jobs = [await bench.rows.find(job.id) for job in jobs]
        for job in jobs:
            if job.stage is not Stage.PARSING:
                await day_spent(bench, job)
    assert (starts(fake), sum(job.cost_microdollars for job in jobs)) == (3, 4500)


async def test_what_was_refused_leaves_the_day_its_money(told: Settings, fake: FakeTextract) -> None:
    """And what was read for less than was counted gives the rest back."""
    async with open_bench(capped(told, 4500)) as bench:
        fake.before = [Refusal("AccessDeniedException")]
        assert (await bench.advance(await validated(bench, pages_total=3))).error_code == "ocr_access_denied"
        fake.blocks = document_of(1)
        job = await started(bench, pages_total=3)
        waiting = await day_spent(bench, await bench.advance(await validated(bench, pages_total=2)))
        await finished(bench, job)
        assert (await due(bench, waiting)).stage is Stage.PARSING


async def test_a_generation_that_failed_counts_into_the_day(told: Settings, fake: FakeTextract) -> None:
    """A retry is paid for beside what failed."""
    async with open_bench(capped(told, 5000)) as bench:
        fake.status = "FAILED"
        job = await bench.poll(await started(bench, pages_total=2))
        job = await bench.jobs.retry(job.project_id, job.id)
        await day_spent(bench, await bench.advance(job))


async def test_what_no_day_has_money_for_is_told_at_once(told: Settings, fake: FakeTextract) -> None:
    """A document dearer than the whole cap would wait forever."""
    async with open_bench(capped(told, 4000)) as bench:
        job = await bench.advance(await validated(bench, pages_total=3))
        assert (job.state, job.error_code) == (JobState.DEADLETTER, "cost_limit_exceeded")
        assert "MAX_COST_PER_PROJECT_PER_DAY" in str(job.error_message)
        assert not fake.asked
