"""Tasks in Redis: what is told of one that is taken, and what is left of one that has ended."""

import asyncio
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.bench import eventually
from tests.workers.waking import at_work, waking_worker
from workers.taking import Call, NotToBeRun, Taken, Tasks

STRICT = (1.0, 0.0, 0.0)


@pytest.fixture
def tasks(redis: ArqRedis) -> Tasks:
    """A queue from which nothing is taken more than twice."""
    return Tasks(redis, "test", read_limit=100, max_tries=2)


async def rung(redis: ArqRedis, name: str, *, in_seconds: float = 0.0) -> None:
    """A task on the queue, with its own name as what it is about."""
    await redis.enqueue_job("task", name, _queue_name="test", _job_id=name, _defer_by=in_seconds or None)


async def test_a_task_is_taken_with_what_it_is_to_do(redis: ArqRedis, tasks: Tasks) -> None:
    """By one, who needs no further trip; and nothing is left of it when it has ended."""
    await rung(redis, "one")
    (task,), next_in = await tasks.take(5, 0, STRICT)
    assert (task.name, task.tries, next_in) == ("one", 1, None)
    assert tasks.call_of(task) == Call("task", ["one"], {})
    assert await tasks.take(5, 0, STRICT) == ([], None)
    await tasks.end("one")
    assert await redis.keys("*") == []


async def test_a_task_that_is_given_back_is_taken_again_and_not_for_ever(redis: ArqRedis, tasks: Tasks) -> None:
    """What kills its worker each time is dropped in the end."""
    await rung(redis, "one")
    for tries in (1, 2):
        (task,), _ = await tasks.take(5, 0, STRICT)
        assert task.tries == tries
        assert tasks.call_of(task).function == "task"
        await tasks.give_back("one")
    (task,), _ = await tasks.take(5, 0, STRICT)
    with pytest.raises(NotToBeRun, match="begun 2 times"):
        tasks.call_of(task)


@pytest.mark.parametrize("told", [None, b"", b"\xff", b"[]", b"{}"])
async def test_a_task_that_says_nothing_is_not_run(tasks: Tasks, told: bytes | None) -> None:
    """It says why."""
    with pytest.raises(NotToBeRun):
        tasks.call_of(Taken("one", told, 1))


async def test_it_is_known_when_the_next_task_is_due(redis: ArqRedis, tasks: Tasks) -> None:
    """Of those whose moments are still to come, the nearest."""
    await rung(redis, "late", in_seconds=90)
    await rung(redis, "later", in_seconds=300)
    await rung(redis, "now")
    (task,), next_in = await tasks.take(5, 0, STRICT)
    assert task.name == "now"
    assert next_in is not None
    assert 30 < next_in <= 90


async def test_a_task_begins_at_its_moment(redis: ArqRedis) -> None:
    """Not at the worker's next look, which is a minute away."""
    ran = asyncio.Event()

    async def task(ctx: Any, name: str) -> None:
        ran.set()

    worker = waking_worker(redis, task, poll_delay=60)
    await rung(redis, "soon", in_seconds=0.3)
    async with at_work(worker):
        await asyncio.wait_for(ran.wait(), 15)


async def test_a_task_that_fails_ends_and_one_that_is_cut_off_does_not(redis: ArqRedis) -> None:
    """A failure is the task's own; a worker that stops leaves its tasks to others, at once."""
    hangs = asyncio.Event()

    async def task(ctx: Any, name: str) -> None:
        if name == "hangs":
            hangs.set()
            await asyncio.sleep(60)
        raise ValueError(name)

    worker = waking_worker(redis, task, poll_delay=0.05)
    await rung(redis, "fails")
    await rung(redis, "hangs")

    async def only_one_is_left() -> bool:
        return list(await redis.zrange("test", 0, -1)) == [b"hangs"]

    async with at_work(worker, within_seconds=0):
        await asyncio.wait_for(hangs.wait(), 15)
        await eventually(only_one_is_left)
    assert sorted(await redis.keys("arq:*hangs")) == [b"arq:job:hangs", b"arq:retry:hangs"]
    assert await redis.keys("*fails") == []
