"""arq's worker, woken by the ring instead of at its next look at the queue, and kept at work through what ends arq's."""

import asyncio
import random
import time
from contextlib import suppress

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.utils import timestamp_ms
from arq.worker import Worker
from redis.exceptions import RedisError

from app.queue import is_urgent, wake_channel
from app.turns import be_urgent

log = structlog.get_logger(__name__)

HOLD_SECONDS = 60
"""How long a task that a worker has taken stays its own after the worker died; until then it fills a place of its queue."""

RENEW_SECONDS = 15

LAST_LOOK_SECONDS = 2
"""How long a stopping worker waits for a look at the queue that is under way: cut off, it would hold what it took."""


URGENT_PLACES = 2
"""So many urgent tasks are taken beside as many others as a worker takes."""

STRICT = (1.0, 0.0, 0.0)
"""Urgent tasks before normal ones, and those before low ones."""

# What arq's own look does in three trips for each task of the queue, those that run already among them, in one for all:
# while many run, the next would wait for a hundred trips to be seen. Of the tasks that are due, those of the class come
# first whose turn it is (ARGV[6] says the class of each place), then by priority; of a class, that of the project with
# the fewest that run, and of its batch with the fewest, by lot among equals; then the oldest. A task's id ends in its
# class, project and batch. Places beyond those that there are (ARGV[8]) are for urgent tasks alone.
_TAKE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local keys, runs = {}, {}
for i = 1, #due, 2 do keys[#keys + 1] = ARGV[5] .. due[i] end
for from = 1, #keys, 1000 do
    local some = redis.call('MGET', unpack(keys, from, math.min(from + 999, #keys)))
    for i = 1, #some do runs[from + i - 1] = some[i] end
end
local projects, groups, lines, named = {}, {}, {s = {}, h = {}, n = {}, l = {}}, {}
for i = 1, #keys do
    local class, project, group = string.match(due[2 * i - 1], ':([shnl])(%x+)%.(%x+)$')
    class, project, group = class or 'n', project or '', group or ''
    if runs[i] then
        projects[project] = (projects[project] or 0) + 1
        groups[group] = (groups[group] or 0) + 1
    else
        local name = class .. project .. group
        if not named[name] then
            named[name] = {project = project, group = group, first = 1}
            table.insert(lines[class], named[name])
        end
        table.insert(named[name], i)
    end
end
local lots = {}
local function lot(whose)
    lots[whose] = lots[whose] or math.random()
    return lots[whose]
end
local function before(a, b)
    local of_a, of_b = projects[a.project] or 0, projects[b.project] or 0
    if of_a ~= of_b then return of_a < of_b end
    if a.project ~= b.project then return lot('p' .. a.project) < lot('p' .. b.project) end
    of_a, of_b = groups[a.group] or 0, groups[b.group] or 0
    if of_a ~= of_b then return of_a < of_b end
    return lot(a.group) < lot(b.group)
end
local function first(class)
    local best
    for _, line in ipairs(lines[class]) do
        if line[line.first] and (not best or before(line, best)) then best = line end
    end
    return best
end
local taken = {}
math.randomseed(tonumber(ARGV[7]))
local room = tonumber(ARGV[3])
for place = 1, room + tonumber(ARGV[8]) do
    lots = {}
    local line
    if place > room then
        line = first('h')
    else
        line = first('s') or first(string.sub(ARGV[6], place, place)) or first('h') or first('n') or first('l')
    end
    if not line then break end
    local i = line[line.first]
    line.first = line.first + 1
    projects[line.project] = (projects[line.project] or 0) + 1
    groups[line.group] = (groups[line.group] or 0) + 1
    redis.call('SET', keys[i], '1', 'PX', ARGV[4])
    taken[#taken + 1] = due[2 * i - 1]
    taken[#taken + 1] = due[2 * i]
end
return taken
"""


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
        self._take = self.pool.register_script(_TAKE)
        self._more_waits = False

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
            with suppress(TimeoutError):
                async with asyncio.timeout(self.poll_delay_s):
                    await self.rung.wait()

    async def _poll_iteration(self) -> None:
        """Take as many tasks as there is room for, and let go of those that have ended."""
        room = self._room()
        urgent_room = max(0, self.max_jobs + URGENT_PLACES - self.job_counter - room)
        if self.allow_pick_jobs and room + urgent_room > 0:
            classes = "".join(random.choices("hnl", self.shares, k=room))  # noqa: S311 (no secret)
            limits = (timestamp_ms(), self.queue_read_limit, room, HOLD_SECONDS * 1000)
            seed = random.getrandbits(31)
            taken = await self._take([self.queue_name], (*limits, in_progress_key_prefix, classes, seed, urgent_room))
            self._more_waits = len(taken) >= 2 * room
            for name, score in zip(taken[::2], taken[1::2], strict=True):
                await self._begin(name.decode(), int(float(score)))
        for name, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[name]
                if not task.cancelled() and (error := task.exception()) is not None:
                    # Redis failed it before it ran, or before its end was written: another look does no harm.
                    log.warning("task_lost", queue=self.queue_name, task=name, error=str(error))
                    await self.pool.delete(in_progress_key_prefix + name)
        await self.heart_beat()

    def _room(self) -> int:
        """The free places that tasks of any priority may have.

        Urgent ones have those first that are for them alone: else a steady stream of them would leave none to others.
        """
        urgent = sum(is_urgent(name) for name, task in self.tasks.items() if not task.done())
        beyond = max(0, urgent - URGENT_PLACES)
        return max(0, self.max_jobs - (self.job_counter - urgent) - beyond)

    async def _begin(self, name: str, score: int) -> None:
        await self.sem.acquire()  # there is room, so this doesn't wait
        self.job_counter += 1
        self.tasks[name] = task = asyncio.create_task(self._run(name, score))
        task.add_done_callback(self._let_go)

    async def _run(self, name: str, score: int) -> None:
        be_urgent(urgent=is_urgent(name))
        await self.run_job(name, score)

    def _let_go(self, _task: asyncio.Task[None]) -> None:
        self._release_sem_dec_counter_on_complete()
        if self._more_waits:
            self.rung.set()

    async def heart_beat(self) -> None:
        """Say that the queue is served, and hold on to the tasks that run."""
        await super().heart_beat()
        if time.monotonic() - self._renewed_at < RENEW_SECONDS:
            return
        self._renewed_at = time.monotonic()
        async with self.pool.pipeline(transaction=False) as pipe:
            for task_id in self.tasks:
                pipe.pexpire(in_progress_key_prefix + task_id, HOLD_SECONDS * 1000)
            await pipe.execute()

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
