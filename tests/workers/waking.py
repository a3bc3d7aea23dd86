"""Workers of arq's as Quire has them, for tests of what they do with a queue."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from arq.connections import ArqRedis
from arq.worker import func

from workers.wake import WakingWorker


def waking_worker(
    redis: ArqRedis, task: Any, *, names: Sequence[str] = ("task",), queue_name: str = "test", **options: Any
) -> WakingWorker:
    """A worker that runs a task, under some names, for all that it finds in a queue."""
    return WakingWorker(
        functions=[func(task, name=name) for name in names],
        queue_name=queue_name,
        redis_pool=redis,
        handle_signals=False,
        job_deserializer=redis.job_deserializer,
        keep_result=0,
        **options,
    )


@asynccontextmanager
async def at_work(worker: WakingWorker, *, within_seconds: float = 1) -> AsyncIterator[None]:
    """A worker that takes tasks for a while, and is given so long to finish them."""
    worker.begin()
    try:
        yield
    finally:
        await worker.stop(within_seconds=within_seconds)
