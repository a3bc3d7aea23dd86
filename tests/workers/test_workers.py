"""Workers and their queues: what lies in Redis, how soon it is heard, and what does no harm."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from app.config import Settings
from app.db import new_id
from app.entities.mentions import EntityExtractor
from app.events import EventType
from app.jobs.presence import live_workers
from app.jobs.states import JobState, Stage
from app.pipeline.stages import ROUTES
from app.pipeline.sweep import every, every_in_turn
from app.queue import QueueName, TaskName, open_redis, queue_key, task_id
from app.stopping import end
from tests.bench import Bench, eventually, open_bench
from tests.ocr.textract import FakeTextract, running_fake
from tests.workers.running import a_worker
from tests.workers.waking import at_work, waking_worker
from workers import main
from workers.main import serving


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def told(quick: Settings, fake: FakeTextract) -> Settings:
    """Settings that lead to it, with everything soon, and more starts a second than any test has jobs."""
    soon = {"ring_again_seconds": 1.0, "textract_start_per_second": 100.0}
    return quick.model_copy(update=soon | {"ocr_engines": "textract", "aws_endpoint_url_textract": fake.url})


@pytest.fixture
async def bench(told: Settings, extractor: EntityExtractor) -> AsyncIterator[Bench]:
    """The core, to be run one step at a time, with that account."""
    async with open_bench(told, extractor) as bench:
        yield bench


async def ended(bench: Bench, *job_ids: Any) -> None:
    """Wait until jobs have ended."""

    async def all_ended() -> bool:
        jobs = [await bench.rows.find(job_id) for job_id in job_ids]
        return all(job.finished_at is not None for job in jobs)

    await eventually(all_ended, within_seconds=90)


async def test_a_task_is_json_and_an_id(bench: Bench) -> None:
    """What lies in Redis can be read by anyone and run by no one: a name, an id, and no pickle."""
    job = await bench.rows.job()
    await bench.queue.advance(job)
    redis = bench.queue.redis
    (task_id,) = await redis.zrange(queue_key(QueueName.OCR), 0, -1)
    turn = f"n{job.project_id.hex[-8:]}.{job.project_id.hex[-8:]}"
    assert task_id.decode() == f"validate_document:{job.id}:0:0:{turn}"
    task = orjson.loads(await redis.get(b"arq:job:" + task_id))
    assert (task["f"], task["a"], task["k"]) == ("validate_document", [str(job.id)], {})
    await bench.queue.advance(job)
    assert await redis.zcard(queue_key(QueueName.OCR)) == 1


async def test_nothing_is_rung_for_past_the_window(bench: Bench) -> None:
    """A queue that is full for jobs that came by themselves takes no more; the rest waits in Postgres for room."""
    redis, most = bench.queue.redis, bench.queue.window + bench.queue.reserve
    await redis.zadd(queue_key(QueueName.OCR), {f"task {number}": 1 for number in range(most)})
    job = await bench.rows.job()
    await bench.queue.advance(job)
    await bench.sweep.sweep()
    assert await redis.zcard(queue_key(QueueName.OCR)) == most
    await redis.zrem(queue_key(QueueName.OCR), "task 0")
    await bench.sweep.sweep()
    assert [key async for key in redis.scan_iter(f"arq:job:validate_document:{job.id}:0:0:*")]


class Trap:
    """Something that pickle would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


async def test_what_harms_no_worker(bench: Bench, told: Settings, tmp_path: Path, extractor: EntityExtractor) -> None:
    """Pickles are not run; garbage, unknown tasks, strange ids and jobs that are gone are dropped; the rest goes on."""
    sprung = tmp_path / "sprung"
    redis = bench.queue.redis
    good: dict[str, Any] = {"t": None, "f": "validate_parse", "k": {}, "et": 1}
    payloads = {
        "pickle": pickle.dumps({"t": None, "f": "validate_parse", "a": (Trap(sprung),), "k": {}, "et": 1}),
        "garbage": b"\xff\x00",
        "no object": b"[]",
        "unknown": orjson.dumps(good | {"f": "rm", "a": []}),
        "no id": orjson.dumps(good | {"a": ["no id"]}),
        "too many": orjson.dumps(good | {"a": [str(new_id())] * 3}),
        "gone": orjson.dumps(good | {"a": [str(new_id())]}),
    }
    done = await bench.rows.job(Stage.FINALIZED, JobState.DONE)
    payloads["done"] = orjson.dumps(good | {"a": [str(done.id)]})
    for name, payload in payloads.items():
        await redis.set(f"arq:job:{name}", payload)
        await redis.zadd(queue_key(QueueName.TEXT), {name: 1})
    async with serving(told, [QueueName.TEXT], extractor=extractor):

        async def is_empty() -> bool:
            return not await redis.exists(queue_key(QueueName.TEXT))

        await eventually(is_empty)
        job = await bench.rows.job(Stage.PARSED, JobState.QUEUED, textract_page_count=1)
        await bench.queue.advance(job)
        await ended(bench, job.id)  # its page isn't there: that it was looked at is what counts
    assert not sprung.exists()
    assert (await bench.rows.find(done.id)).last_event_number == 1


async def test_a_ring_is_heard_at_once(
    bench: Bench, told: Settings, extractor: EntityExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker begins long before its next look at the queue, which is further away than a job is waited for."""
    monkeypatch.setattr(main, "POLL_DELAY_SECONDS", 600.0)
    slow = told.model_copy(update={"sweep_interval_seconds": 600.0})
    async with serving(slow, extractor=extractor):
        await asyncio.sleep(0.8)  # past the first looks
        for _ in range(3):
            job = await bench.rows.job(Stage.RELATIONSHIPS_BUILT)
            await bench.queue.advance(job)
            await ended(bench, job.id)


async def test_doubled_tasks_run_a_job_once(
    bench: Bench, told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """The same job, rung for over and over under many ids, is read once and ends once."""
    job = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1)
    redis = bench.queue.redis
    for number in range(10):
        await redis.enqueue_job(
            TaskName.START_TEXTRACT_JOB, str(job.id), _job_id=f"double {number}", _queue_name=queue_key(QueueName.OCR)
        )
    async with serving(told, extractor=extractor), serving(told, extractor=extractor):
        await ended(bench, job.id)
    assert (await bench.rows.find(job.id)).state is JobState.DONE
    # Starts that were paid for: the SDK itself may send one twice, under its token.
    assert (len(fake.jobs), len(await bench.rows.pages(job.id))) == (1, 1)
    assert [event.type for event in await bench.rows.events(job.id)].count(EventType.DONE) == 1


async def test_an_emptied_redis_loses_nothing(bench: Bench, told: Settings, extractor: EntityExtractor) -> None:
    """Twenty jobs are rung for and forgotten by Redis, before and while a worker runs: all end."""
    jobs = [await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1) for _ in range(20)]
    await bench.sweep.sweep()
    assert await bench.queue.redis.zcard(queue_key(QueueName.OCR)) == 20
    await bench.queue.redis.flushdb()
    async with serving(told, extractor=extractor):
        await asyncio.sleep(0.3)
        await bench.queue.redis.flushdb()
        await ended(bench, *(job.id for job in jobs))
    assert {(await bench.rows.find(job.id)).state for job in jobs} == {JobState.DONE}


async def test_a_worker_that_stops_gives_its_task_back(
    bench: Bench, told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """A job whose stage takes too long for a stopping worker is due at once, with all its attempts, and known to no worker."""
    hanging = asyncio.Event()

    async def hang(body: dict[str, Any]) -> None:
        hanging.set()
        await asyncio.sleep(5)

    fake.on_start = hang
    job = await bench.rows.job(Stage.JOB_VALIDATED, attempts=2)
    async with serving(told.model_copy(update={"worker_completion_seconds": 0.1}), extractor=extractor):
        await asyncio.wait_for(hanging.wait(), 60)
    after = await bench.rows.find(job.id)
    assert (after.state, after.attempts, after.claimed_by) == (JobState.QUEUED, 2, None)
    assert await live_workers(bench.tools.sessions) == []
    fake.on_start = None
    async with serving(told, extractor=extractor):
        await ended(bench, job.id)
    assert (await bench.rows.find(job.id)).state is JobState.DONE


class Breaking(ArqRedis):
    """A Redis whose connection breaks at every second script, as often as it is told: as tasks are taken, or end."""

    breaks = 0
    scripts = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self.scripts += args[0] == "EVALSHA"
        if self.breaks and args[0] == "EVALSHA" and self.scripts % 2:
            self.breaks -= 1
            raise RedisConnectionError("The cable was pulled.")
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's


async def test_errors_of_redis_cost_no_slots(redis: ArqRedis) -> None:
    """After more broken connections than it has slots, a worker still takes tasks, and what has ended is gone."""
    ran = set[str]()

    async def task(ctx: Any, name: str) -> None:
        ran.add(name)

    breaking = Breaking(connection_pool=redis.connection_pool, job_serializer=redis.job_serializer)
    breaking.job_deserializer = redis.job_deserializer
    breaking.breaks = 4
    for name in ("x", "y", "z"):
        await redis.enqueue_job("task", name, _queue_name="test", _job_id=f"task {name}")

    async def all_ended() -> bool:
        return not await redis.exists("test")

    async with at_work(waking_worker(breaking, task, max_jobs=2, poll_delay=0.01)):
        await eventually(all_ended)
        assert await redis.keys("arq:[ijr]*:task ?") == []
    assert ran == {"x", "y", "z"}
    assert breaking.breaks == 0


async def test_a_full_worker_takes_the_next_task_when_one_ends(redis: ArqRedis) -> None:
    """Not at its next look at the queue: ten tasks one after the other, with a minute between two looks."""
    ran: list[str] = []
    done = asyncio.Event()

    async def task(ctx: Any, name: str) -> None:
        ran.append(name)
        if len(ran) == 10:
            done.set()

    for number in range(10):
        await redis.enqueue_job("task", str(number), _queue_name="test", _job_id=f"task {number}")
    async with at_work(waking_worker(redis, task, max_jobs=1, poll_delay=60)):
        await asyncio.wait_for(done.wait(), 15)
    assert sorted(ran) == [str(number) for number in range(10)]


async def test_a_dead_workers_tasks_do_not_hold_the_queue(
    bench: Bench, told: Settings, extractor: EntityExtractor
) -> None:
    """What a killed worker had taken is let go of within a minute: it would fill the window for the longest task's time."""
    job = await bench.rows.job(Stage.JOB_VALIDATED)
    hold = bench.queue.redis
    async with running_fake() as slow:

        async def hang(body: dict[str, Any]) -> None:
            await asyncio.sleep(3)

        slow.on_start = hang
        async with serving(
            told.model_copy(update={"ocr_engines": "textract", "aws_endpoint_url_textract": slow.url}),
            extractor=extractor,
        ):
            await bench.queue.advance(job)
            key = f"arq:in-progress:{task_id(job, ROUTES[job.stage])}"

            async def is_taken() -> int:
                return int(await hold.pttl(key)) if await hold.exists(key) else 0

            assert 0 < await eventually(is_taken) <= 60_000


def test_an_unknown_queue_is_a_clear_error(quick: Settings) -> None:
    """The command line names what was wrong and what there is, and starts nothing."""
    with a_worker(quick, "--queues", "ocr,graphs") as worker:
        assert worker.process.wait(60) == 2
        assert "no such queue: graphs; there are ocr, text, entity, graph, default" in worker.said


async def test_a_worker_serves_the_queues_that_it_is_told(bench: Bench, told: Settings) -> None:
    """`--queues ocr` serves that and nothing else, says so, shows it in `ps`, and ends on SIGTERM with 0."""
    with a_worker(told, "--queues", "ocr") as worker:

        async def is_there() -> Any:
            return await live_workers(bench.tools.sessions)

        (living,) = await eventually(is_there, within_seconds=90)
        assert living.queues == ["ocr"]
        assert worker.title.strip() == "quire worker ocr"
        other = await bench.rows.job(Stage.PARSE_VALIDATED)
        job = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1)

        async def is_parsed() -> bool:
            return (await bench.rows.find(job.id)).stage is Stage.PARSED

        await eventually(is_parsed, within_seconds=60)
        assert (await bench.rows.find(other.id)).fence == 0
        assert worker.stop() == 0
        assert await live_workers(bench.tools.sessions) == []


async def test_the_sweep_looks_after_itself(bench: Bench) -> None:
    """One look gives back what was lost and rings for what is due, and two at once do no harm."""
    lost = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    await bench.rows.change(lost.id, lease_until_in=-timedelta(seconds=1))
    await asyncio.gather(*(bench.sweep.sweep() for _ in range(3)))
    after = await bench.rows.find(lost.id)
    assert (after.state, after.attempts) == (JobState.QUEUED, 1)
    assert await bench.queue.redis.zcard(queue_key(QueueName.TEXT)) == 1


async def test_what_is_done_in_turn_is_done_once_in_a_while_by_all_together(bench: Bench) -> None:
    """Two take turns, the one goes on without the other, and each does it for itself where Redis is away."""
    done: list[str] = []
    redis, came = bench.queue.redis, asyncio.Event()

    async def note(who: str) -> None:
        done.append(who)
        came.set()

    both = [asyncio.create_task(every_in_turn(600, "test", redis, partial(note, who))) for who in "ab"]
    await asyncio.wait_for(came.wait(), 10)
    await asyncio.sleep(0.1)
    await end(both)
    assert len(done) == 1
    (key,) = await redis.keys("quire:turn:*")
    await redis.pexpire(key, 50)
    came.clear()
    third = asyncio.create_task(every_in_turn(600, "test", redis, partial(note, "c")))
    await asyncio.wait_for(came.wait(), 10)
    await end([third])
    came.clear()
    away = open_redis("redis://127.0.0.1:1/0", retries=0)
    alone = asyncio.create_task(every_in_turn(600, "test", away, partial(note, "d")))
    await asyncio.wait_for(came.wait(), 10)
    await end([alone])
    assert done[1:] == ["c", "d"]


@pytest.mark.parametrize("left_ms", [None, 3_600_000], ids=["without an end", "of an hour"])
async def test_a_turn_that_would_last_too_long_is_taken_over(bench: Bench, left_ms: int | None) -> None:
    """As where Redis' clock was set back: its keys live on, and nobody would do anything meanwhile."""
    redis, came = bench.queue.redis, asyncio.Event()
    await redis.set("quire:turn:test", 1, px=left_ms)

    async def note() -> None:
        came.set()

    task = asyncio.create_task(every_in_turn(600, "test", redis, note))
    await asyncio.wait_for(came.wait(), 10)
    await end([task])
    assert 0 < await redis.pttl("quire:turn:test") <= 600_000


async def test_who_fails_leaves_its_turn_to_the_others(bench: Bench) -> None:
    redis, failed, came = bench.queue.redis, asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise OSError

    async def note() -> None:
        came.set()

    sick = asyncio.create_task(every_in_turn(600, "test", redis, fail))
    await asyncio.wait_for(failed.wait(), 10)

    async def is_free() -> bool:
        return not await redis.exists("quire:turn:test")

    await eventually(is_free)
    well = asyncio.create_task(every_in_turn(600, "test", redis, note))
    await asyncio.wait_for(came.wait(), 10)
    await end([sick, well])


@pytest.mark.parametrize("error", [OSError("away"), ZeroDivisionError()])
async def test_a_periodic_task_that_fails_is_logged_by_name_and_goes_on(error: Exception) -> None:
    """What it was given, settings with passwords among it, stays out of the log."""
    came_again = asyncio.Event()
    calls = []

    async def look_at(what: str) -> None:
        calls.append(what)
        if len(calls) > 1:
            came_again.set()
        raise error

    with capture_logs() as logs:
        task = asyncio.create_task(every(0.01, partial(look_at, "postgresql://quire:secret@localhost")))
        await asyncio.wait_for(came_again.wait(), 10)
        await end([task])
    assert logs[0]["task"] == "look_at"
    assert "secret" not in str([{**line, "exc_info": None} for line in logs])
