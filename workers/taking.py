"""Taking tasks from a queue, and ending them: one trip to Redis for as many as are taken, and one for each that ends."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.jobs import SerializationError, deserialize_job_raw
from arq.utils import timestamp_ms

from app.queue import QUEUE_KEY_PREFIX, wake_channel

log = structlog.get_logger(__name__)

HOLD_SECONDS = 60
"""How long a task that a worker has taken stays its own after the worker died; until then it fills a place of its queue."""

TRIES_KEPT_SECONDS = 88_400
"""How long it is remembered how often a task was taken: as arq does, somewhat longer than the task itself."""

# What arq's own look does in three trips for each task of the queue, those that run already among them, in one for all:
# while many run, the next would wait for a hundred trips to be seen. Of the tasks that are due, those of the class come
# first whose turn it is (ARGV[6] says the class of each place), then by priority; of a class, that of the project with
# the fewest that run, and of its batch with the fewest, by lot among equals; then the oldest. A task's id ends in its
# class, project and batch. Places beyond those that there are (ARGV[8]) are for urgent tasks alone. With each task it is
# told what it is to do and how often it was taken, and with them all when the next is due.
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
    local name = due[2 * i - 1]
    taken[#taken + 1] = {name, redis.call('GET', ARGV[9] .. name), redis.call('INCR', ARGV[10] .. name)}
    redis.call('EXPIRE', ARGV[10] .. name, ARGV[11])
end
local next = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {taken, next[2]}
"""

_END = """
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A task that this worker is to run."""

    name: str
    told: bytes | None
    """What it is to do, as it lies in Redis; None where that is gone."""
    tries: int
    """How often it was taken, this time among them: more than once where a worker died, or gave it back."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a task is to do."""

    function: str
    args: Sequence[Any]
    kwargs: dict[str, Any]


class NotToBeRun(Exception):
    """A task that can't be run, and is dropped; says why."""


class Tasks:
    """One queue's tasks, of which the `read_limit` oldest are looked at. Methods raise what the Redis client raises."""

    def __init__(self, redis: ArqRedis, queue_name: str, *, read_limit: int, max_tries: int) -> None:
        self._redis = redis
        self._queue_name = queue_name
        self._read_limit = read_limit
        self._max_tries = max_tries
        self._take = redis.register_script(_TAKE)
        self._end = redis.register_script(_END)

    async def take(self, room: int, urgent_room: int, shares: Sequence[float]) -> tuple[list[Taken], float | None]:
        """Up to so many tasks, and so many urgent ones beside them; and in how many seconds the next is due, if any.

        `shares` says how often each class comes first.
        """
        now = timestamp_ms()
        classes = "".join(random.choices("hnl", shares, k=room))  # noqa: S311 (no secret)
        limits = (now, self._read_limit, room, HOLD_SECONDS * 1000, in_progress_key_prefix)
        kept = (job_key_prefix, retry_key_prefix, TRIES_KEPT_SECONDS)
        said = (*limits, classes, random.getrandbits(31), urgent_room, *kept)
        taken, *due = await self._take([self._queue_name], said)
        next_in = (float(due[0]) - now) / 1000 if due else None
        return [Taken(name.decode(), told, tries) for name, told, tries in taken], next_in

    def call_of(self, task: Taken) -> Call:
        """What a task is to do. Raises `NotToBeRun`."""
        if task.told is None:
            raise NotToBeRun("Redis has forgotten what it is to do.")
        try:
            function, args, kwargs, _, _ = deserialize_job_raw(task.told, deserializer=self._redis.job_deserializer)
        except SerializationError as error:
            raise NotToBeRun("It can't be read.") from error
        if task.tries > self._max_tries:
            raise NotToBeRun(f"It was begun {self._max_tries} times, and never ended.")
        return Call(function, args, kwargs)

    async def end(self, name: str) -> None:
        """A task has ended, well or badly: it may be rung for again."""
        keys = [prefix + name for prefix in (in_progress_key_prefix, retry_key_prefix, job_key_prefix)]
        await self._end([self._queue_name, *keys], [name])

    async def give_back(self, name: str) -> None:
        """Let whoever is there take a task, and wake them."""
        await self._redis.delete(in_progress_key_prefix + name)
        await self._redis.publish(wake_channel(self._redis), self._queue_name.removeprefix(QUEUE_KEY_PREFIX))

    async def hold_on(self, names: Collection[str]) -> None:
        """Keep tasks that run from being taken by others."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.pexpire(in_progress_key_prefix + name, HOLD_SECONDS * 1000)
            await pipe.execute()
