"""Admission: slots, order and pace of Starts, for one worker and for several, whatever is lost meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.events import EventType
from app.jobs.models import Job, TextractJobStatus
from app.jobs.states import JobState, Priority, Stage
from app.ocr.engine import EngineName, Operation
from app.ocr.pacing import Lane, Refusal
from app.pipeline.abandoned import ask_about_abandoned
from app.queue import QueueName, queue_key
from tests.bench import Bench, eventually, open_bench
from tests.ocr.textract import START, START_ANALYSIS
from tests.pipeline.account import Account, running_account
from workers.main import serving

LANE = Lane(EngineName.TEXTRACT, Operation.DETECTION)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """An account that lets three jobs run at once."""
    async with running_account(most=3) as account:
        yield account


@pytest.fixture
def three(quick: Settings, account: Account) -> Settings:
    """Settings that lead to it, and know of its quota."""
    quota = {"textract_max_concurrent_jobs": 3, "textract_start_per_second": 100.0, "textract_get_per_second": 100.0}
    quota |= {"normal_priority_share": 0.0, "low_priority_share": 0.0}
    leads = {"ocr_engines": "textract", "aws_endpoint_url_textract": account.url, "ring_again_seconds": 1.0}
    return quick.model_copy(update=quota | leads)


@pytest.fixture
async def bench(three: Settings, extractor: EntityExtractor) -> AsyncIterator[Bench]:
    """The core, with that account."""
    async with open_bench(three, extractor) as bench:
        yield bench


async def backlog_of_two(bench: Bench) -> list[Job]:
    """Twelve documents of all priorities in two projects, the urgent ones the last to come."""
    return [
        await bench.rows.job(Stage.JOB_VALIDATED, project=project, priority=priority, pages_total=1)
        for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH)
        for project in ("one", "one", "two", "two")
    ]


async def rung(bench: Bench) -> list[UUID]:
    """The jobs that workers are rung for to start, in the order of their moments."""
    tasks = await bench.queue.redis.zrange(queue_key(QueueName.OCR), 0, -1)
    return [UUID(task.decode().split(":")[1]) for task in tasks if task.startswith(b"start_textract_job")]


async def admitted(bench: Bench) -> list[Job]:
    """One sweep, and the starts that it leads to, in order."""
    await bench.sweep.sweep()
    jobs = [await bench.rows.find(job_id) for job_id in await rung(bench)]
    await bench.queue.redis.delete(queue_key(QueueName.OCR))
    await asyncio.sleep(0.2 if jobs else 0)  # until their moments
    return [await bench.advance(job) for job in jobs]


async def all_done(bench: Bench, jobs: list[Job]) -> list[Job]:
    """The jobs once all have ended well."""

    async def ended() -> list[Job] | None:
        now = [await bench.rows.find(job.id) for job in jobs]
        return now if all(job.finished_at is not None for job in now) else None

    now = await eventually(ended, within_seconds=60) or []
    assert {job.state for job in now} == {JobState.DONE}, [(job.error_code, job.error_message) for job in now]
    return now


async def test_free_slots_go_by_priority_and_by_turns(bench: Bench, account: Account) -> None:
    """Urgent ones first, a turn for each project, the oldest first; never more than the slots, and none is refused."""
    jobs = await backlog_of_two(bench)
    started: list[UUID] = []
    while len(started) < len(jobs):
        batch = await admitted(bench)
        assert {(job.stage, job.attempts) for job in batch} == {(Stage.PARSING, 0)}
        assert await admitted(bench) == []
        started += [job.id for job in batch]
        account.end()
        for job in batch:
            assert (await bench.poll(job)).textract_job_status == "SUCCEEDED"
    places = [[job.id for job in jobs].index(job_id) for job_id in started]
    assert [place // 4 for place in places] == [2] * 4 + [1] * 4 + [0] * 4
    assert {place // 2 for place in places[:2]} == {4, 5}  # a turn for each, whichever is the first
    for project in range(0, 12, 2):
        assert [place for place in places if place // 2 * 2 == project] == [project, project + 1]
    assert (account.most_open, account.refused) == (3, 0)


async def test_a_slot_that_becomes_free_goes_to_the_project_that_has_fewer(bench: Bench, account: Account) -> None:
    """An old and long backlog doesn't take every slot that another project's documents wait for."""
    old = [await bench.rows.job(Stage.JOB_VALIDATED, project="old", pages_total=1) for _ in range(5)]
    new = [await bench.rows.job(Stage.JOB_VALIDATED, project="new", pages_total=1) for _ in range(2)]
    first = await admitted(bench)
    assert [job.id for job in first] == [old[0].id, new[0].id, old[1].id]
    for ended, following in ((first[0], old[2]), (first[1], new[1])):
        account.ended.add(str(ended.textract_job_id))
        await bench.poll(ended)
        assert [job.id for job in await admitted(bench)] == [following.id]


@pytest.mark.parametrize("fleets", [1, 2])
async def test_no_worker_starts_one_too_many(
    three: Settings, bench: Bench, account: Account, fleets: int, extractor: EntityExtractor
) -> None:
    """Every document is read, whoever starts it, and the account never has more than its three jobs."""
    account.seconds = 0.3
    jobs = await backlog_of_two(bench)
    async with AsyncExitStack() as stack:
        for _ in range(fleets):
            await stack.enter_async_context(serving(three, extractor=extractor))
        await all_done(bench, jobs)
    assert (account.most_open <= 3, account.refused, len(account.jobs)) == (True, 0, 12)
    for job in jobs:
        kinds = {event.type for event in await bench.rows.events(job.id)}
        assert not kinds & {EventType.RETRY, EventType.ERROR, EventType.WARNING}


async def test_the_pace_of_starts_is_kept(three: Settings, account: Account, extractor: EntityExtractor) -> None:
    """Two a second: no second sees more, by the account's own clock, and six documents take their time."""
    account.seconds = 0.0
    paced = three.model_copy(update={"textract_start_per_second": 2.0, "textract_max_concurrent_jobs": 100})
    account.most = 100
    async with open_bench(paced) as bench:
        jobs = [await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1) for _ in range(6)]
        async with serving(paced, extractor=extractor):
            await all_done(bench, jobs)
    at = account.starts_at
    assert len(at) == 6
    # Requests may be held up on their way, so that two come closer together; on the whole the pace holds.
    assert at[-1] - at[0] > 5 / 2 - 0.5
    assert all(sum(moment <= each < moment + 1 for each in at) <= 3 for moment in at)


async def test_an_emptied_redis_lets_nothing_more_in(bench: Bench, account: Account) -> None:
    """Until running jobs are counted nothing starts; then those that run hold their slots as before."""
    jobs = [await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1) for _ in range(5)]
    assert len(await admitted(bench)) == 3
    await bench.queue.redis.flushdb()
    assert (await bench.tools.ocr.pacer.start(LANE, f"{jobs[4].id}:1")).refusal is Refusal.UNKNOWN
    assert await admitted(bench) == []
    assert (await bench.tools.ocr.pacer.state(LANE)).running == 3
    account.end()
    for job in [await bench.rows.find(job.id) for job in jobs[:3]]:
        await bench.poll(job)
    assert [job.id for job in await admitted(bench)] == [job.id for job in jobs[3:]]
    assert account.refused == 0


async def test_slots_of_jobs_that_nobody_waits_for_are_freed_when_they_end(bench: Bench, account: Account) -> None:
    """Documents that were given up hold their slots as long as their OCR jobs run, and no longer."""
    jobs = [await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1) for _ in range(4)]
    for job in await admitted(bench):
        given_up = {"state": JobState.DEADLETTER, "error_code": "internal_error", "error_message": "No."}
        await bench.rows.change(job.id, **given_up, finished_at_in=timedelta(0))
    await ask_about_abandoned(bench.tools)
    assert await admitted(bench) == []
    account.end()
    for job in jobs[:3]:  # asked about more rarely the more often it was
        (row,) = await bench.rows.textract_jobs(job.id)
        assert (row.gets, row.status) == (1, TextractJobStatus.IN_PROGRESS)

    async def are_known_to_have_ended() -> bool:
        await ask_about_abandoned(bench.tools)
        rows = [row for job in jobs[:3] for row in await bench.rows.textract_jobs(job.id)]
        return all(row.status is TextractJobStatus.SUCCEEDED for row in rows)

    await eventually(are_known_to_have_ended)
    assert account.count("GetDocumentTextDetection") == 6
    assert [job.id for job in await admitted(bench)] == [jobs[3].id]


async def test_a_slot_whose_worker_died_before_its_start_is_held_for_a_minute_at_most(bench: Bench) -> None:
    """What was permitted and never begun is in no row: its slot ends with its lease."""
    for number in range(3):
        assert (await bench.tools.ocr.pacer.start(LANE, f"dead:{number}")).refusal is None
    job = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1)
    assert await admitted(bench) == []
    redis = bench.queue.redis
    (key,) = list(await redis.keys("quire:pace:*:textract:detection:slots"))
    seconds, micros = await redis.time()
    slots = await redis.zrange(key, 0, -1, withscores=True)
    assert all(0 < until / 1e6 - (seconds + micros / 1e6) <= 60 for _, until in slots)
    await redis.zadd(key, {slots[0][0]: 1.0})
    assert [each.id for each in await admitted(bench)] == [job.id]


async def test_documents_wait_for_the_engine_that_finds_what_they_ask_for(three: Settings, account: Account) -> None:
    """What the preferred engine doesn't find waits in the other's line, for its slots, and in silence."""
    both = {"ocr_engines": "local,textract", "local_textract_endpoint_url": account.url}
    async with open_bench(three.model_copy(update=both | {"textract_max_concurrent_jobs": 1})) as bench:
        analysis: dict[str, Any] = {"operation": "analysis", "options": {"features": ["LAYOUT"]}, "pages_total": 2}
        layouts = [await bench.rows.job(Stage.JOB_VALIDATED, **analysis) for _ in range(2)]
        plain = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=2)
        first = await admitted(bench)
        assert {job.id: job.engine for job in first} == {plain.id: "local", layouts[0].id: "textract"}
        events = len(await bench.rows.events(layouts[1].id))
        for _ in range(3):
            assert await admitted(bench) == []
        assert len(await bench.rows.events(layouts[1].id)) == events
        assert (account.count(START), account.count(START_ANALYSIS)) == (1, 1)


async def test_a_job_that_no_engine_can_serve_is_told_so(three: Settings) -> None:
    """It comes to its turn like others, rather than to wait for good in nobody's line."""
    local = {"ocr_engines": "local", "local_textract_endpoint_url": "http://127.0.0.1:9"}
    async with open_bench(three.model_copy(update=local)) as bench:
        await bench.rows.job(Stage.JOB_VALIDATED, operation="analysis", options={"features": ["LAYOUT"]})
        (job,) = await admitted(bench)
        assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_request_invalid")


async def test_copies_of_what_is_being_read_wait_in_silence_and_take_no_slot(bench: Bench, account: Account) -> None:
    """A hundred copies of a document neither hold up others nor fill the event log while one of them is read."""
    document = await bench.rows.document()
    same: dict[str, Any] = {"document": document, "content_key": "the same", "pages_total": 1}
    reader = await bench.rows.job(Stage.JOB_VALIDATED, reads=True, **same)
    copy = await bench.rows.job(Stage.JOB_VALIDATED, **same)
    assert [job.id for job in await admitted(bench)] == [reader.id]
    events = len(await bench.rows.events(copy.id))
    other = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1)
    assert [job.id for job in await admitted(bench)] == [other.id]
    assert (len(await bench.rows.events(copy.id)), (await bench.rows.find(copy.id)).fence) == (events, copy.fence)
    account.end()
    read = await bench.advance(await bench.poll(await bench.rows.find(reader.id)))
    await bench.advance(read)
    running = (await bench.tools.ocr.pacer.state(LANE)).running
    (taken_over,) = await admitted(bench)
    assert (taken_over.id, taken_over.reused_job_id, len(account.jobs)) == (copy.id, reader.id, 2)
    assert (await bench.tools.ocr.pacer.state(LANE)).running <= running


async def test_a_ring_for_a_start_that_was_lost_is_repeated(bench: Bench) -> None:
    """A task that Redis has lost is rung for again after RING_AGAIN_SECONDS, in the same slot."""
    job = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1)
    await bench.sweep.sweep()
    assert await rung(bench) == [job.id]
    await bench.queue.redis.delete(queue_key(QueueName.OCR))
    await bench.sweep.sweep()
    assert await rung(bench) == []
    await bench.rows.change(job.id, rung_at_in=-timedelta(seconds=2))
    await bench.sweep.sweep()
    assert await rung(bench) == [job.id]
    assert (await bench.tools.ocr.pacer.state(LANE)).running == 1
