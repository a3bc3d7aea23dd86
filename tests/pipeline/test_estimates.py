"""When jobs are asked about: by what recent ones took, by how long they run, and later where their end is announced."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from app.config import Settings
from app.db import new_id, table_of
from app.entities.mentions import EntityExtractor
from app.jobs.models import TextractJob
from app.ocr.engine import EngineName, Operation
from app.ocr.pacing import Lane
from app.pipeline.estimates import Estimates
from tests.bench import Bench, open_bench

LANE = Lane(EngineName.TEXTRACT, Operation.DETECTION)
ANNOUNCED = {
    "textract_sqs_queue_url": "http://127.0.0.1:9/queue",
    "textract_sns_topic_arn": "arn:aws:sns:us-east-1:123456789012:topic",
    "textract_sns_role_arn": "arn:aws:iam::123456789012:role/role",
}


@pytest.fixture
async def bench(quick: Settings, extractor: EntityExtractor) -> AsyncIterator[Bench]:
    """The core; no engine is asked."""
    timing = {"textract_async_initial_delay_seconds": 5.0, "textract_async_polling_interval_seconds": 5.0}
    async with open_bench(quick.model_copy(update={"ocr_engines": "textract", **timing}), extractor) as bench:
        yield bench


def estimates(bench: Bench, **settings: object) -> Estimates:
    """Estimates that know nothing yet."""
    tools = bench.tools
    return Estimates(tools.settings.model_copy(update=settings), tools.sessions, tools.ocr.pacer)


async def ended(bench: Bench, *seconds: float, pages: int = 10) -> None:
    """Recent jobs of a few pages that took so long."""
    document, now = await bench.rows.document(), datetime.now(UTC)
    rows = [
        {"id": new_id(), "project_id": document.project_id, "part": 1, "first_page": 1, "generation": 0}
        | {"engine": "textract", "operation": "detection", "token": str(new_id()), "status": "SUCCEEDED"}
        | {"page_count": pages, "started_at": now - timedelta(seconds=took), "ended_at": now}
        for took in seconds
    ]
    async with bench.tools.sessions.begin() as session:
        await session.execute(insert(table_of(TextractJob)), rows)


async def test_the_first_poll_of_an_unknown_kind_of_job_comes_after_the_initial_delay(bench: Bench) -> None:
    """Where fewer than five similar jobs are known, TEXTRACT_ASYNC_INITIAL_DELAY_SECONDS is all there is to go by."""
    await ended(bench, 60, 60, 60, 60)
    await ended(bench, 900, 900, pages=500)
    assert 5 <= await estimates(bench).first_poll(LANE, 10) <= 6


async def test_the_first_poll_comes_about_when_similar_jobs_ended(bench: Bench) -> None:
    """Five recent jobs of half to twice the pages say when, the fastest of them first; other sizes don't count."""
    await ended(bench, 30, 31, 60, 60, 60, 60, 60, 60, 60, 60)
    await ended(bench, *[5.0] * 20, pages=100)
    ours = estimates(bench)
    for pages in (5, 10, 20):
        assert 50 <= await ours.first_poll(LANE, pages) <= 60
    assert 5 <= await ours.first_poll(LANE, 4) <= 6


async def test_no_first_poll_comes_before_the_initial_delay(bench: Bench) -> None:
    """However fast recent jobs were, or where nothing is known of any."""
    unknown = estimates(bench)
    assert min([await unknown.first_poll(LANE, 10) for _ in range(50)]) >= 5
    await ended(bench, *[0.5] * 10)
    assert await estimates(bench).first_poll(LANE, 10) >= 5


async def test_the_longer_a_job_runs_the_more_rarely_it_is_asked_about(bench: Bench) -> None:
    """Never sooner than the interval, and in steps that grow with the time that it has run."""
    ours = estimates(bench)
    assert all([5 <= await ours.next_poll(LANE, 10, 1.0) <= 6 for _ in range(50)])
    assert 25 <= await ours.next_poll(LANE, 10, 100.0) <= 30
    assert 250 <= await ours.next_poll(LANE, 10, 1000.0) <= 300


async def test_a_job_of_which_nothing_was_known_is_left_alone_once_it_is(bench: Bench) -> None:
    """Until about the moment that similar jobs ended at; one of another size, or past that moment, is asked as always."""
    await ended(bench, *[60.0] * 10)
    ours = estimates(bench)
    assert 45 <= await ours.next_poll(LANE, 10, 5.0) <= 60
    assert 5 <= await ours.next_poll(LANE, 100, 5.0) <= 6
    assert 15 <= await ours.next_poll(LANE, 10, 61.0) <= 19


async def test_many_who_ask_at_once_all_go_by_what_is_known(bench: Bench) -> None:
    """One looks, and the others wait for what it finds: none goes by nothing meanwhile."""
    await ended(bench, *[60.0] * 10)
    ours = estimates(bench)
    waits = await asyncio.gather(*(ours.first_poll(LANE, 10) for _ in range(20)))
    assert min(waits) > 50


async def test_many_running_jobs_are_asked_about_more_rarely(bench: Bench) -> None:
    """So that polls leave half of the Get calls to results: 225 jobs at 22.5 calls a second are 20 seconds apart."""
    document = await bench.rows.document()
    rows = [
        {"id": new_id(), "project_id": document.project_id, "part": number, "first_page": 1, "generation": 0}
        | {"engine": "textract", "operation": "detection", "token": str(new_id()), "status": "IN_PROGRESS"}
        for number in range(1, 226)
    ]
    async with bench.tools.sessions.begin() as session:
        await session.execute(insert(table_of(TextractJob)), rows)
    await bench.sweep.admission.count()
    assert 20 <= await estimates(bench).next_poll(LANE, 10, 1.0) <= 24


async def test_polls_are_only_the_net_where_ends_are_announced(bench: Bench) -> None:
    """After twice the time that is expected, or a minute; only where the engine has a topic, and somebody listens."""
    told = estimates(bench, **ANNOUNCED)
    assert 60 <= await told.first_poll(LANE, 10) <= 72
    assert 30 <= await told.next_poll(LANE, 10, 1.0) <= 36
    for missing in ANNOUNCED:
        assert await estimates(bench, **{**ANNOUNCED, missing: None}).first_poll(LANE, 10) <= 6
    await ended(bench, *[60.0] * 10)
    assert 114 <= await estimates(bench, **ANNOUNCED).first_poll(LANE, 10) <= 144
