"""The bell's rope: what there is news of is collected for a moment, and told in one message.

A document has some fifteen events within a second, and many documents are worked on at once. Whoever hears of a job
reads all that is new of it, so of several rings for one the last says it all.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.01
"""Between two messages of one process; the first after a pause goes out at once."""
MESSAGE_LINES = 500
"""So many subjects are named in one message."""
MOST = 20_000
"""So many subjects are kept while Redis doesn't answer; of the others listeners learn when they look by themselves."""

FINISH_SECONDS = 2.0
"""How long a process that ends waits for Redis to take what is left."""


def channel(redis: Redis) -> str:
    """The bell's channel: publish and subscribe know nothing of database numbers, so the name carries it."""
    database = redis.connection_pool.connection_kwargs.get("db") or 0
    return f"quire:{database}:events"


@dataclass(frozen=True, slots=True)
class About:
    """Who else is to look: the streams of a project and of a batch."""

    project_id: UUID | None = None
    batch_id: UUID | None = None

    def __str__(self) -> str:
        return f"{self.project_id or ''}:{self.batch_id or ''}"


@dataclass(slots=True)
class Ringer:
    """What a process has still to tell."""

    _jobs: dict[UUID, tuple[int, About]] = field(default_factory=dict)
    _others: set[About] = field(default_factory=set)
    _telling: asyncio.Task[None] | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def tell(self, redis: Redis, job_id: UUID | None, number: int, about: About) -> None:
        """Have it told in a moment that a job has events up to a number, or that there are some of no one job."""
        if len(self._jobs) + len(self._others) >= MOST:
            return
        if job_id is None:
            self._others.add(about)
        else:
            before, known = self._jobs.get(job_id, (0, about))
            both = About(about.project_id or known.project_id, about.batch_id or known.batch_id)
            self._jobs[job_id] = max(before, number), both
        if self._telling is None or self._telling.done():
            # Not as part of the task that happens to be first: what is logged is not about its job alone.
            self._telling = asyncio.get_running_loop().create_task(self._tell(redis), context=Context())

    async def finish(self, redis: Redis) -> None:
        """Tell what is left at once, unless Redis is away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await self._tell_all(redis)
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])

    async def _tell(self, redis: Redis) -> None:
        while self._jobs or self._others:
            await self._tell_all(redis)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _tell_all(self, redis: Redis) -> None:
        async with self._one_at_a_time:
            await self._tell_these(redis, self._taken())

    def _taken(self) -> list[str]:
        lines = [f"{job_id}:{number}:{about}" for job_id, (number, about) in self._jobs.items()]
        lines += [f"::{about}" for about in self._others]
        self._jobs.clear()
        self._others.clear()
        return lines

    async def _tell_these(self, redis: Redis, lines: Sequence[str]) -> None:
        try:
            for first in range(0, len(lines), MESSAGE_LINES):
                await redis.publish(channel(redis), "\n".join(lines[first : first + MESSAGE_LINES]))
        except (RedisError, OSError) as error:
            log.warning("event_bell_unheard", subjects=len(lines), error=str(error))


_RINGERS: WeakKeyDictionary[Redis, Ringer] = WeakKeyDictionary()


def ringer_of(redis: Redis) -> Ringer:
    """The one ringer of a client."""
    ringer = _RINGERS.get(redis)
    if ringer is None:
        ringer = _RINGERS[redis] = Ringer()
    return ringer


async def finish_ringing(redis: Redis) -> None:
    """Tell what is left to tell, before a client is closed."""
    if (ringer := _RINGERS.pop(redis, None)) is not None:
        await ringer.finish(redis)


def subjects_of(message: bytes) -> Sequence[UUID]:
    """The jobs, projects and batches that a message says there is news of."""
    found = []
    for line in message.split(b"\n"):
        job_id, _, about = line.partition(b":")
        for said in (job_id, *about.split(b":")[1:]):
            try:
                found.append(UUID(said.decode()))
            except ValueError:  # nothing, or not one of ours
                continue
    return found
