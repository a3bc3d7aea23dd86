"""In which order a worker takes what its queue holds, and whom a full queue still takes in."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis

from app.db import new_id
from app.pipeline.stages import ROUTES
from app.queue import ArqQueue, QueueName, open_redis, queue_key, queues_named
from tests.bench import eventually
from tests.workers.waking import at_work, waking_worker
from workers.wake import WakingWorker

ONE, OTHER = new_id(), new_id()
BATCH = new_id()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that is rung for."""

    name: str
    priority: str = "normal"
    project_id: UUID = ONE
    batch_id: UUID | None = None
    stage: str = "queued"
    fence: int = 0
    rings: int = 0
    id: UUID = field(default_factory=new_id)


def bulk(number: int, priority: str = "normal") -> list[Waiting]:
    """Jobs of one batch."""
    return [Waiting(f"bulk {each}", priority, batch_id=BATCH) for each in range(number)]


def worker_of(redis: ArqRedis, task: Any, **options: Any) -> WakingWorker:
    """A worker with one slot that runs a task for every stage of `ocr`."""
    names = [route.task for route in ROUTES.values() if route.queue is QueueName.OCR]
    told = {"max_jobs": 1, "poll_delay": 0.05, **options}
    return waking_worker(redis, task, names=names, queue_name=queue_key(QueueName.OCR), **told)


async def order(redis: ArqRedis, jobs: Sequence[Waiting], shares: tuple[float, float, float] = (1, 0, 0)) -> list[str]:
    """The names of jobs in the order in which a worker with one slot takes them, once all have been rung for."""
    ran, done = list[str](), asyncio.Event()
    queue, names = ArqQueue(redis, ROUTES, window=1000), {str(job.id): job.name for job in jobs}

    async def task(ctx: Any, job_id: str) -> None:
        ran.append(names[job_id])
        if len(ran) == len(jobs):
            done.set()

    for job in jobs:
        await queue.advance(job)
        await asyncio.sleep(0.002)  # arq's clock counts milliseconds
    async with at_work(worker_of(redis, task, shares=shares)):
        await asyncio.wait_for(done.wait(), 30)
    return ran


async def test_urgent_tasks_come_first(redis: ArqRedis) -> None:
    """Then normal ones, then low ones; those of a class by age. An OCR job that has its moment waits for none of them."""
    jobs = [Waiting("low", "low"), Waiting("a"), Waiting("b"), Waiting("high", "high")]
    jobs.append(Waiting("start", "low", stage="job_validated"))
    first, second, *others = await order(redis, jobs)
    assert {first, second} == {"start", "high"}  # taken together, for urgent tasks have places of their own
    assert others == ["a", "b", "low"]


async def test_an_urgent_task_is_taken_by_a_worker_that_is_full(redis: ArqRedis) -> None:
    """It has places of its own, which no other task gets."""
    begun, let_go = list[str](), asyncio.Event()
    queue, jobs = ArqQueue(redis, ROUTES, window=100), [*bulk(3), Waiting("urgent", "high"), Waiting("late")]
    names = {str(job.id): job.name for job in jobs}

    async def task(ctx: Any, job_id: str) -> None:
        begun.append(names[job_id])
        await let_go.wait()

    for job in jobs[:3]:
        await queue.advance(job)
    async with at_work(worker_of(redis, task)):
        await eventually(lambda: _is(len(begun) == 1))
        for job in jobs[3:]:
            await queue.advance(job)
        await eventually(lambda: _is("urgent" in begun))
        assert len(begun) == 2
        let_go.set()
        await eventually(lambda: _is(len(begun) == len(jobs)))


async def _is(state: bool) -> bool:
    return state


async def test_a_batch_in_the_queue_does_not_hold_up_what_comes_after_it(redis: ArqRedis) -> None:
    """One document, and those of another project, have their turns among the batch's."""
    jobs = [*bulk(80), Waiting("single"), Waiting("of another", project_id=OTHER)]
    ran = await order(redis, jobs)
    assert ran.index("single") < 40  # by lot: every second place or so is the single one's
    assert ran.index("of another") < 40


async def test_low_tasks_are_taken_now_and_then(redis: ArqRedis) -> None:
    """A share of the places is offered to them first."""
    jobs = [Waiting("low", "low"), *(Waiting("high", "high") for _ in range(60))]
    ran = await order(redis, jobs, shares=(0.5, 0.0, 0.5))
    assert ran.index("low") < 40


async def test_a_steady_stream_of_urgent_tasks_leaves_places_to_others(redis: ArqRedis) -> None:
    """Though some urgent one runs at every moment: they have the places first that are theirs alone."""
    begun, let_go = list[str](), dict[str, asyncio.Event]()
    queue = ArqQueue(redis, ROUTES, window=1000)
    jobs = [*(Waiting(f"urgent {number}", "high") for number in range(6)), Waiting("low", "low")]
    names = {str(job.id): job.name for job in jobs}

    async def task(ctx: Any, job_id: str) -> None:
        name = names[job_id]
        begun.append(name)
        await let_go.setdefault(name, asyncio.Event()).wait()

    for job in jobs[:3]:
        await queue.advance(job)
    async with at_work(worker_of(redis, task, shares=(0, 0, 1)), within_seconds=0):
        await eventually(lambda: _is(len(begun) == 3))
        for job in jobs[3:]:
            await queue.advance(job)
        let_go[begun[0]].set()
        await eventually(lambda: _is(len(begun) == 4))
        assert begun[3] == "low"


async def test_a_queue_full_of_a_batch_takes_single_and_urgent_jobs(redis: ArqRedis) -> None:
    """Each has a reserve that bulk work can't fill."""
    queue = ArqQueue(redis, ROUTES, window=8)

    async def ring(jobs: Sequence[Waiting]) -> int | None:
        for job in jobs:
            await queue.advance(job)
        return await queue.used(QueueName.OCR)

    assert queue.reserve == 2
    assert await ring([*bulk(20), *(Waiting("low", "low") for _ in range(5))]) == 8
    assert await ring([Waiting("single") for _ in range(5)]) == 10
    assert await ring(bulk(5, "high")) == 10
    assert await ring([Waiting("urgent", "high") for _ in range(5)]) == 12
    assert await queue.room(QueueName.OCR) == -4


async def test_while_redis_is_away_there_is_no_room() -> None:
    """Not even of the reserves."""
    redis = open_redis("redis://127.0.0.1:9/0", retries=0)
    queue = ArqQueue(redis, ROUTES, window=8)
    assert await queue.used(QueueName.OCR) is None
    assert await queue.room(QueueName.OCR) + 2 * queue.reserve == 0
    await redis.aclose(close_connection_pool=True)


def test_queues_are_named_with_commas_and_all_by_default() -> None:
    """In the order that they have, each once."""
    assert queues_named("") == tuple(QueueName)
    assert queues_named(" text, ocr,ocr ") == (QueueName.OCR, QueueName.TEXT)
