"""arq's worker, woken by the ring instead of at its next look at the queue, and kept at work through what ends arq's."""

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from arq.connections import ArqRedis
from arq.worker import Worker
from redis.exceptions import RedisError

from app.queue import is_urgent, wake_channel
from app.turns import be_urgent
from workers.taking import Call, NotToBeRun, Taken, Tasks

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = structlog.get_logger(__name__)

RENEW_SECONDS = 15

LAST_LOOK_SECONDS = 2
"""How long a stopping worker waits for a look at the queue that is under way: cut off, it would hold what it took."""

LOOKS_APART_SECONDS = 0.01
"""Between two looks at least: each goes through all that waits, and one for every end and every ring would be most of what
Redis does."""

LOOK_PAUSE_SECONDS = 0.02
"""Between two looks for tasks whose moments come: those of many come close to each other, and are rung for well before."""

URGENT_PLACES = 2
"""So many urgent tasks are taken beside as many others as a worker takes."""

STRICT = (1.0, 0.0, 0.0)
"""Urgent tasks before normal ones, and those before low ones."""


class WakingWorker(Worker):
    """Looks at its queue when it is rung for, and every `poll_delay` all the same; outlives a Redis that is away."""

    def __init__(self, *args: object, shares: tuple[float, float, float] = STRICT, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]  # arq's own, passed through
        self.sem = self._places()
        self.shares = shares
        """How often the next place is offered to urgent tasks first, to normal ones, and to those of low priority."""
        self.rung = asyncio.Event()
        # arq would hold a task for as long as the longest may run. A short hold that is renewed is let go of soon.
        self._renewed_at = time.monotonic()
        self._queued = Tasks(self.pool, self.queue_name, read_limit=self.queue_read_limit, max_tries=self.max_tries)
        self._more_waits = False
        self._next_due: float | None = None

    def begin(self) -> None:
        """Take tasks from now on."""
        self.main_task = asyncio.create_task(self.main())

    async def main(self) -> None:
        """Take tasks until stopped."""
        while self.allow_pick_jobs:
            self.rung.clear()
            try:
                await self._poll_iteration()
            except (RedisError, OSError) as error:
                log.warning("redis_away", queue=self.queue_name, error=str(error))
                await self._start_afresh()
            except Exception:  # nothing may end a worker that the rest of its process takes for alive
                log.exception("queue_look_crashed", queue=self.queue_name)
                await self._start_afresh()
            await asyncio.sleep(LOOKS_APART_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self.rung.wait()

    def _pause(self) -> float:
        """How long nothing is to be looked for, unless it is rung for: until the next task is due, at most."""
        due, self._next_due = self._next_due, None
        if due is None:
            return self.poll_delay_s
        return min(self.poll_delay_s, max(LOOK_PAUSE_SECONDS, due - time.monotonic()))

    async def _poll_iteration(self) -> None:
        """Take as many tasks as there is room for, and let go of those that have ended."""
        room = self._room()
        urgent_room = max(0, self.max_jobs + URGENT_PLACES - self.job_counter - room)
        if self.allow_pick_jobs and room + urgent_room > 0:
            taken, next_in = await self._queued.take(room, urgent_room, self.shares)
            self._next_due = None if next_in is None else time.monotonic() + next_in
            self._more_waits = len(taken) >= room
            for each in taken:
                await self._begin(each)
        await self._let_go_of_ended()
        await self.heart_beat()

    async def _let_go_of_ended(self) -> None:
        for name, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[name]
                if not task.cancelled() and (error := task.exception()) is not None:
                    # Redis failed it before it ran, or before its end was written: another look does no harm.
                    log.warning("task_lost", queue=self.queue_name, task=name, error=str(error))
                    await self._queued.give_back(name)

    def _room(self) -> int:
        """The free places that tasks of any priority may have.

        Urgent ones have those first that are for them alone: else a steady stream of them would leave none to others.
        """
        urgent = sum(is_urgent(name) for name, task in self.tasks.items() if not task.done())
        beyond = max(0, urgent - URGENT_PLACES)
        return max(0, self.max_jobs - (self.job_counter - urgent) - beyond)

    async def _begin(self, taken: Taken) -> None:
        await self.sem.acquire()  # there is room, so this doesn't wait
        self.job_counter += 1
        self.tasks[taken.name] = task = asyncio.create_task(self._run(taken))
        task.add_done_callback(self._let_go)

    async def _run(self, taken: Taken) -> None:
        """Run a task once, and end it; one that is cut off by our own end is given back."""
        be_urgent(urgent=is_urgent(taken.name))
        try:
            await self._call(taken)
        except asyncio.CancelledError:
            self.jobs_retried += 1
            await asyncio.shield(self._queued.give_back(taken.name))
            raise
        await asyncio.shield(self._queued.end(taken.name))

    async def _call(self, taken: Taken) -> None:
        try:
            call = self._queued.call_of(taken)
            coroutine = self._coroutine_of(call)
            async with asyncio.timeout(self.job_timeout_s):
                await coroutine(self.ctx, *call.args, **call.kwargs)
        except NotToBeRun as error:
            self.jobs_failed += 1
            log.warning("task_dropped", queue=self.queue_name, task=taken.name, reason=str(error))
        except Exception:  # the task's outermost edge: it ends, and the worker goes on
            self.jobs_failed += 1
            log.exception("task_crashed", queue=self.queue_name, task=taken.name)
        else:
            self.jobs_complete += 1

    def _coroutine_of(self, call: Call) -> "WorkerCoroutine":
        if call.function not in self.functions:
            raise NotToBeRun("Nobody here knows what it is to do.")
        return self.functions[call.function].coroutine

    def _let_go(self, _task: asyncio.Task[None]) -> None:
        self._release_sem_dec_counter_on_complete()
        if self._more_waits:
            self.rung.set()

    async def heart_beat(self) -> None:
        """Say that the queue is served, and hold on to the tasks that run."""
        await self.record_health()
        if time.monotonic() - self._renewed_at < RENEW_SECONDS:
            return
        self._renewed_at = time.monotonic()
        await self._queued.hold_on(self.tasks)

    async def stop(self, *, within_seconds: float) -> None:
        """Take no more tasks, let those under way finish for a while, cancel the rest, and close."""
        self.allow_pick_jobs = False
        self.rung.set()
        if self.main_task is not None:
            await asyncio.wait([self.main_task], timeout=LAST_LOOK_SECONDS)
            self.main_task.cancel()
            await asyncio.gather(self.main_task, return_exceptions=True)
        if running := [task for task in self.tasks.values() if not task.done()]:
            await asyncio.wait(running, timeout=within_seconds)
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.tasks.clear()
        with suppress(RedisError, OSError):
            await self.close()

    def _places(self) -> asyncio.BoundedSemaphore:
        return asyncio.BoundedSemaphore(self.max_jobs + 1 + URGENT_PLACES)

    async def _start_afresh(self) -> None:
        """Wait a little, and count the free slots anew: arq takes one before it asks Redis, and loses it on an error."""
        await asyncio.sleep(1)
        self.job_counter = sum(not task.done() for task in self.tasks.values())
        self.sem = self._places()
        for _ in range(self.job_counter):
            await self.sem.acquire()


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
