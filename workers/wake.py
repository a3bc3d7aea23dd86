"""arq's worker, woken by the ring instead of at its next look at the queue."""

import asyncio
from contextlib import suppress

import structlog
from arq.connections import ArqRedis
from arq.worker import Worker
from redis.exceptions import RedisError

from app.queue import wake_channel

log = structlog.get_logger(__name__)


class WakingWorker(Worker):
    """Looks at its queue when it is rung for, and every `poll_delay` all the same; outlives a Redis that is away."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]  # arq's own, passed through
        self.rung = asyncio.Event()

    async def main(self) -> None:
        """Take tasks until cancelled."""
        while True:
            self.rung.clear()
            try:
                await self._poll_iteration()
            except (RedisError, OSError) as error:
                log.warning("redis_away", queue=self.queue_name, error=str(error))
                await asyncio.sleep(1)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.poll_delay_s):
                    await self.rung.wait()

    async def stop(self, *, within_seconds: float) -> None:
        """Take no more tasks, let those under way finish for a while, cancel the rest, and close."""
        self.allow_pick_jobs = False
        if running := [task for task in self.tasks.values() if not task.done()]:
            await asyncio.wait(running, timeout=within_seconds)
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.tasks.clear()
        with suppress(RedisError, OSError):
            await self.close()


async def listen(redis: ArqRedis, workers: dict[str, WakingWorker]) -> None:
    """Wake workers by the name of the queue that was rung for, until cancelled. A ring that is lost costs one poll delay."""
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as bell:
                await bell.subscribe(wake_channel(redis))
                for worker in workers.values():
                    worker.rung.set()
                async for message in bell.listen():
                    if rung := workers.get(message["data"].decode()):
                        rung.rung.set()
        except (RedisError, OSError) as error:
            log.warning("wake_bell_lost", error=str(error))
            await asyncio.sleep(1)
