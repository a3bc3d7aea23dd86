"""Engines that go away and come back: documents fall back to the next one, or wait for the one that they name."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.events import Event, EventType
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.ocr.circuit import Position
from app.ocr.engine import EngineName
from app.pipeline.abandoned import ask_about_abandoned
from tests.bench import Bench, eventually, open_bench
from tests.ocr.textract import START, Refusal
from tests.pipeline.account import Account, running_account
from tests.pipeline.steps import change_textract_jobs
from tests.service import running_api
from workers.main import serving

BROKEN = Refusal("InternalServerError", 500)
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """Textract's account, whose jobs end at once."""
    async with running_account(seconds=0.0) as account:
        yield account


@pytest.fixture
async def local() -> AsyncIterator[Account]:
    """The engine of one's own."""
    async with running_account(seconds=0.0) as account:
        yield account


@pytest.fixture
def both(quick: Settings, account: Account, local: Account) -> Settings:
    """Settings that prefer Textract, and give it up for long after three failures."""
    leads = {"aws_endpoint_url_textract": account.url, "local_textract_endpoint_url": local.url}
    breaker = {"ocr_breaker_failures": 3, "ocr_breaker_open_seconds": 600.0, "ring_again_seconds": 1.0}
    quotas = {"textract_start_per_second": 50.0, "textract_get_per_second": 50.0}
    return quick.model_copy(update={"ocr_engines": "textract,local", **leads, **breaker, **quotas})


async def due_for_a_probe(bench: Bench) -> None:
    """Let the time pass for which Textract is left alone."""
    redis, key = bench.queue.redis, "quire:breaker:textract"
    kept = await redis.get(key)
    assert kept is not None
    before, _, after = kept.decode().partition('"until":')
    await redis.set(key, f'{before}"until":1.0{after[after.index(",") :]}')


async def position(bench: Bench) -> Position:
    """How Textract's breaker stands."""
    return (await bench.tools.ocr.router.breakers[EngineName.TEXTRACT].state()).state


async def service_events(bench: Bench) -> list[str | None]:
    """The codes of what was noted about the service as a whole, but for alerts, which come when the watch looks."""
    about_all = select(Event.code).where(Event.job_id.is_(None), Event.type != EventType.ALERT)
    async with bench.tools.sessions() as session:
        return list(await session.scalars(about_all.order_by(Event.id)))


async def documents(bench: Bench, count: int, **columns: Any) -> list[Job]:
    """Documents that are to be read."""
    return [await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1, **columns) for _ in range(count)]


async def all_done(bench: Bench, jobs: list[Job]) -> list[Job]:
    """The jobs once all have ended."""

    async def ended() -> list[Job] | None:
        now = [await bench.rows.find(job.id) for job in jobs]
        return now if all(job.result_key is not None or job.finished_at is not None for job in now) else None

    return await eventually(ended, within_seconds=60) or []


@pytest.mark.parametrize("refuses_connections", [True, False])
async def test_documents_fall_back_while_textract_is_away(
    both: Settings, account: Account, local: Account, extractor: EntityExtractor, *, refuses_connections: bool
) -> None:
    """All are read by the other engine and say why; the service says once that Textract is away, and what depends on it."""
    account.away = BROKEN
    settings = both.model_copy(update={"aws_endpoint_url_textract": NOWHERE}) if refuses_connections else both
    async with open_bench(settings) as bench, running_api(settings) as address:
        jobs = await documents(bench, 6)
        async with serving(settings, extractor=extractor):
            for job in await all_done(bench, jobs):
                assert (job.error_code, job.engine) == (None, EngineName.LOCAL)
                assert job.fallback_reason == "textract is away: ocr_unavailable"
            assert await service_events(bench) == ["ocr_engine_away"]
            async with httpx.AsyncClient(base_url=address) as client:
                ready = (await client.get("/health/ready")).text
                assert "Left alone since" in ready
                metrics = (await client.get("/metrics")).text
            assert 'quire_ocr_engine_away{engine="textract"} 1.0' in metrics
            assert 'quire_ocr_engine_away{engine="local"} 0.0' in metrics
    assert len(local.jobs) == 6


async def test_one_job_finds_textract_back(
    both: Settings, account: Account, local: Account, extractor: EntityExtractor
) -> None:
    """When its time is up a single job is sent to Textract; it answers, and gets all that follow."""
    async with open_bench(both) as bench:
        for _ in range(3):
            await bench.tools.ocr.router.breakers[EngineName.TEXTRACT].failed("ocr_unavailable")
        assert await position(bench) is Position.OPEN
        async with serving(both, extractor=extractor):
            assert {job.engine for job in await all_done(bench, await documents(bench, 3))} == {EngineName.LOCAL}
            assert account.asked == []
            await due_for_a_probe(bench)
            (probe,) = await all_done(bench, await documents(bench, 1))
            assert (probe.engine, probe.fallback_reason) == (EngineName.TEXTRACT, None)
            assert await position(bench) is Position.CLOSED
            assert {job.engine for job in await all_done(bench, await documents(bench, 3))} == {EngineName.TEXTRACT}
        assert (await service_events(bench))[-2:] == ["ocr_engine_probed", "ocr_engine_back"]
    assert (account.count(START), local.count(START)) == (4, 3)


async def test_a_probe_that_fails_falls_back_at_no_cost(both: Settings, account: Account, local: Account) -> None:
    """The job that found Textract still away is read by the other engine, with all of its attempts."""
    account.away = BROKEN
    async with open_bench(both) as bench:
        for _ in range(3):
            await bench.tools.ocr.router.breakers[EngineName.TEXTRACT].failed("ocr_unavailable")
        await due_for_a_probe(bench)
        (job,) = await documents(bench, 1)
        probe = await bench.advance(job)
        assert (probe.state, probe.attempts, probe.stage) == (JobState.QUEUED, 0, Stage.JOB_VALIDATED)
        assert await position(bench) is Position.OPEN
        assert await service_events(bench) == ["ocr_engine_probed"]  # that it is still away is no news
        again = await bench.advance(probe)
        assert (again.engine, again.stage, again.attempts) == (EngineName.LOCAL, Stage.PARSING, 0)
    assert (account.count(START), local.count(START)) == (1, 1)


async def test_a_document_that_names_textract_waits_for_it(
    both: Settings, account: Account, local: Account, extractor: EntityExtractor
) -> None:
    """It takes no other engine, loses no attempt, and says once that it waits, however long the outage is."""
    account.away = BROKEN
    async with open_bench(both) as bench:
        for _ in range(3):
            await bench.tools.ocr.router.breakers[EngineName.TEXTRACT].failed("ocr_unavailable")
        jobs = await documents(bench, 3, options={"engine": "textract"})
        for job in jobs:
            await bench.advance(job)
        async with serving(both, extractor=extractor):
            other = await all_done(bench, await documents(bench, 1))
            for job in jobs:
                await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))
            assert other[0].engine is EngineName.LOCAL
            for job in [await bench.rows.find(job.id) for job in jobs]:
                assert (job.state, job.attempts, job.engine) == (JobState.QUEUED, 0, None)
                codes = [event.code for event in await bench.rows.events(job.id)]
                assert codes.count("ocr_engines_away") == 1
            assert account.asked == []
            account.away = None
            await due_for_a_probe(bench)
            assert {job.engine for job in await all_done(bench, jobs)} == {EngineName.TEXTRACT}
    assert (account.count(START), local.count(START)) == (3, 1)


async def test_refused_credentials_end_no_job_once_they_are_known_to_be_refused(
    both: Settings, account: Account
) -> None:
    """A probe that is told that access is denied waits with the others: whoever mends the credentials finds it alive."""
    alone = both.model_copy(update={"ocr_engines": "textract"})
    account.away = Refusal("AccessDeniedException")
    async with open_bench(alone) as bench:
        for _ in range(3):
            await bench.tools.ocr.router.breakers[EngineName.TEXTRACT].failed("ocr_access_denied")
        await due_for_a_probe(bench)
        (job,) = await documents(bench, 1)
        job = await bench.advance(job)
        assert (job.state, job.attempts, job.error_code) == (JobState.QUEUED, 0, None)
        last = (await bench.rows.events(job.id))[-1]
        assert last.code == "ocr_engines_away"
        assert "AccessDenied" in last.payload["message"]


async def test_results_wait_for_their_engine_too(both: Settings, account: Account) -> None:
    """A result that can't be fetched now is fetched later: no attempt, and no call while the engine is left alone."""
    async with open_bench(both) as bench:
        (job,) = await documents(bench, 1)
        read = await bench.poll(await bench.advance(job))
        await bench.queue.redis.delete(f"job:textract:result:{read.textract_job_id}")
        for _ in range(3):
            await bench.tools.ocr.router.breakers[EngineName.TEXTRACT].failed("ocr_unavailable")
        asked = len(account.asked)
        waiting = await bench.advance(read)
        assert (waiting.state, waiting.stage, waiting.attempts) == (JobState.QUEUED, Stage.PARSING, 0)
        assert len(account.asked) == asked
        await due_for_a_probe(bench)
        await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))
        assert (await bench.advance(waiting)).stage is Stage.PARSED
        assert await position(bench) is Position.CLOSED


async def given_up(bench: Bench, jobs: list[Job]) -> None:
    """Have the time of some jobs be over, and see it."""
    for job in jobs:
        await bench.rows.change(job.id, textract_deadline_in=-timedelta(seconds=1))
        late = await bench.poll(job)
        assert (late.state, late.error_code) == (JobState.DEADLETTER, "ocr_timeout")


async def test_documents_fall_back_while_textract_gets_nothing_done(
    both: Settings, account: Account, local: Account
) -> None:
    """It answers all the while: it takes every Start, and says of every job that it runs. The first that ends brings it back."""
    account.seconds = None
    async with open_bench(both) as bench:
        *late, other = [await bench.advance(job) for job in await documents(bench, 4)]
        for job in late:
            assert await position(bench) is Position.CLOSED
            assert (await bench.poll(other)).textract_job_status == "IN_PROGRESS"
            await given_up(bench, [job])
        assert await position(bench) is Position.OPEN
        assert await service_events(bench) == ["ocr_engine_away"]
        fallen_back, probe = [await bench.advance(job) for job in await documents(bench, 1)], await documents(bench, 1)
        assert [(job.engine, job.fallback_reason) for job in fallen_back] == [
            (EngineName.LOCAL, "textract is away: ocr_timeout")
        ]
        await due_for_a_probe(bench)
        assert (await bench.advance(probe[0])).engine is EngineName.TEXTRACT
        assert await position(bench) is Position.OPEN  # that it takes a job says nothing
        account.end()
        assert (await bench.poll(other)).textract_job_status == "SUCCEEDED"  # it is asked about what it has
        assert await position(bench) is Position.CLOSED
    assert (account.count(START), local.count(START)) == (5, 1)


async def test_a_job_that_ends_between_two_that_do_not_speaks_for_the_engine(both: Settings, account: Account) -> None:
    """Some documents take for ever, and say nothing of the others."""
    account.seconds = None
    async with open_bench(both) as bench:
        jobs = [await bench.advance(job) for job in await documents(bench, 5)]
        await given_up(bench, jobs[:2])
        account.ended.add(str(jobs[2].textract_job_id))
        assert (await bench.poll(jobs[2])).textract_job_status == "SUCCEEDED"
        await given_up(bench, jobs[3:])
        assert await position(bench) is Position.CLOSED


async def test_a_job_that_was_given_up_brings_textract_back_when_it_ends(both: Settings, account: Account) -> None:
    """Nobody waits for it any more, and it is asked about all the same."""
    account.seconds = None
    async with open_bench(both) as bench:
        jobs = [await bench.advance(job) for job in await documents(bench, 3)]
        await given_up(bench, jobs)
        assert await position(bench) is Position.OPEN
        account.end()
        await change_textract_jobs(bench, jobs[0].id, started_at=datetime.now(UTC) - timedelta(hours=1))
        await ask_about_abandoned(bench.tools)
        assert await position(bench) is Position.CLOSED
