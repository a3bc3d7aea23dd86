"""The names that both doors agree on, and the way to tell a worker that a job is due.

A task carries a job's id and nothing else: it means "look at this job". Ringing twice is harmless, for the claim lets
one in; ringing too late only delays, for the sweep rings again; Redis may be emptied at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app import events
from app.redis_pool import QuickPool
from app.rings import RING, RUNG_AT_ONCE, TASK_KEPT_MS, Ring, deserialize, serialize

log = structlog.get_logger(__name__)


class QueueName(StrEnum):
    """The queues that workers serve."""

    OCR = "ocr"
    TEXT = "text"
    ENTITY = "entity"
    GRAPH = "graph"
    DEFAULT = "default"
    BATCH_HIGH = "batch.high"
    BATCH_NORMAL = "batch.normal"
    BATCH_LOW = "batch.low"


BATCH_QUEUES: Mapping[str, QueueName] = {
    "high": QueueName.BATCH_HIGH,
    "normal": QueueName.BATCH_NORMAL,
    "low": QueueName.BATCH_LOW,
}
"""Where batches are taken apart, by their priority."""

BATCHES_AT_ONCE: Mapping[QueueName, int] = {
    QueueName.BATCH_HIGH: 4,
    QueueName.BATCH_NORMAL: 2,
    QueueName.BATCH_LOW: 1,
}
"""How many a worker process takes apart at once."""


class TaskName(StrEnum):
    """The tasks that workers run: each the door to one stage, but for that which takes batches apart."""

    VALIDATE_DOCUMENT = "validate_document"
    START_TEXTRACT_JOB = "start_textract_job"
    COLLECT_TEXTRACT_RESULT = "collect_textract_result"
    VALIDATE_PARSE = "validate_parse"
    CHUNK_DOCUMENT = "chunk_document"
    EMBED_CHUNKS = "embed_chunks"
    EXTRACT_ENTITIES = "extract_entities"
    RESOLVE_ENTITIES = "resolve_entities"
    BUILD_RELATIONSHIPS = "build_relationships"
    FINALIZE_DOCUMENT = "finalize_document"
    TAKE_BATCH = "take_batch"


@dataclass(frozen=True, slots=True)
class Route:
    """What runs for a job at some stage, and which workers run it."""

    task: TaskName
    queue: QueueName


class Ringable(Protocol):
    """As much of a job as ringing for it takes."""

    @property
    def id(self) -> UUID: ...
    @property
    def stage(self) -> str: ...
    @property
    def fence(self) -> int: ...
    @property
    def rings(self) -> int: ...
    @property
    def priority(self) -> str: ...
    @property
    def project_id(self) -> UUID: ...
    @property
    def batch_id(self) -> UUID | None: ...


class Queue(Protocol):
    """Tells workers that a job is due. Never fails: a ring that isn't heard is repeated by the sweep."""

    @property
    def reserve(self) -> int:
        """How many more jobs a queue takes beyond its room: so many by themselves, and twice as many urgent ones."""

    async def advance(self, job: Ringable, *, in_seconds: float = 0.0) -> None:
        """Have a worker look at the job now, or at a moment that is near, if there is room."""

    async def advance_all(self, jobs: Iterable[tuple[Ringable, float]]) -> None:
        """The same for several jobs, each with the seconds until its moment, in one trip to Redis for each queue."""

    async def announce(self, job: Ringable) -> None:
        """`advance` for a job that was just made, whose first event the streams are told of, too."""

    async def take_batch(self, batch_id: UUID, priority: str, chance: int) -> None:
        """Have a worker take a batch apart; ringing again for the same chance is one task, not two."""

    async def room(self, queue: QueueName) -> int:
        """How many more jobs of batches may be rung for on a queue.

        It is negative where the queue holds some of its reserve too, and by as much as it can be while Redis is away.
        """

    async def used(self, queue: QueueName) -> int | None:
        """How many tasks of a queue Redis holds; None while it is away."""


COMES_FIRST = TaskName.START_TEXTRACT_JOB
"""It has been given a slot and a moment, in order of priority, and is over at once."""

RESERVE_SHARE = 0.25
"""How much of its window a queue keeps free for jobs that came by themselves, and as much again for urgent ones."""

FIRST_EVENT = 1
"""The number of the event that a job is made with."""


@dataclass(frozen=True, slots=True)
class ArqQueue:
    """Rings over arq, as long as a queue has room; the rest of the backlog waits in Postgres."""

    redis: ArqRedis
    routes: Mapping[str, Route]
    window: int
    """Tasks of one queue that Redis may hold: about twice what the fleet runs at once."""
    _script: AsyncScript = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_script", self.redis.register_script(RING))

    @property
    def reserve(self) -> int:
        return max(1, round(self.window * RESERVE_SHARE))

    async def advance(self, job: Ringable, *, in_seconds: float = 0.0) -> None:
        await self.advance_all([(job, in_seconds)])

    async def advance_all(self, jobs: Iterable[tuple[Ringable, float]]) -> None:
        rings: dict[QueueName, list[Ring]] = {}
        for job, in_seconds in jobs:
            if (route := self.routes.get(job.stage)) is None:
                continue
            reserves = 2 if route.task is COMES_FIRST else reserves_of(job)
            ring = Ring(task_id(job, route), route.task, job.id, self.window + self.reserve * reserves, in_seconds)
            rings.setdefault(route.queue, []).append(ring)
        for queue, its_rings in rings.items():
            for first in range(0, len(its_rings), RUNG_AT_ONCE):
                await self._ring(queue, its_rings[first : first + RUNG_AT_ONCE])

    async def announce(self, job: Ringable) -> None:
        await self.advance(job)
        await events.ring(self.redis, job.id, FIRST_EVENT, project_id=job.project_id, batch_id=job.batch_id)

    async def take_batch(self, batch_id: UUID, priority: str, chance: int) -> None:
        task = TaskName.TAKE_BATCH
        await self._ring(BATCH_QUEUES[priority], [Ring(f"{task}:{batch_id}:{chance}", task, batch_id, self.window)])

    async def _ring(self, queue: QueueName, rings: Sequence[Ring]) -> None:
        keys = [queue_key(queue), *(job_key_prefix + ring.name for ring in rings)]
        said = [wake_channel(self.redis), queue, str(TASK_KEPT_MS)]
        try:
            await self._script(keys=keys, args=[*said, *(part for ring in rings for part in ring.told())])
        except (RedisError, OSError) as error:
            log.warning("ring_unheard", subjects=[str(ring.subject) for ring in rings], error=str(error))

    async def room(self, queue: QueueName) -> int:
        used = await self.used(queue)
        return -2 * self.reserve if used is None else self.window - used

    async def used(self, queue: QueueName) -> int | None:
        try:
            return int(await self.redis.zcard(queue_key(queue)))
        except (RedisError, OSError) as error:
            log.warning("queue_unreachable", queue=queue, error=str(error))
            return None


def reserves_of(job: Ringable) -> int:
    """How many reserves of a queue's window are open to a job, so that bulk work never keeps an urgent one out."""
    if job.priority == "low":
        return 0
    return (job.priority == "high") + (job.batch_id is None)


def task_id(job: Ringable, route: Route) -> str:
    """One id for one chance to claim a job: ringing again for the same chance is one task, not two.

    It ends in whose turn the task is of, which workers go by: a letter for its class, the project's and the batch's ends.
    """
    letter = "s" if route.task is COMES_FIRST else job.priority[0]
    group = job.batch_id or job.project_id
    turn = f"{letter}{job.project_id.hex[-8:]}.{group.hex[-8:]}"
    return f"{route.task}:{job.id}:{job.fence}:{job.rings}:{turn}"


def is_urgent(task: str) -> bool:
    """Whether a task is of a job of high priority, by its id."""
    return task.rpartition(":")[2].startswith("h")  # as `task_id` writes it: a priority's first letter


QUEUE_KEY_PREFIX = "quire:queue:"


def queue_key(queue: QueueName) -> str:
    """The Redis key of a queue."""
    return QUEUE_KEY_PREFIX + queue


def wake_channel(redis: ArqRedis) -> str:
    """Where workers hear that a queue has something new; the message is the queue's name."""
    return f"quire:{redis.connection_pool.connection_kwargs.get('db') or 0}:wake"


def open_redis(redis_url: str, *, retries: int, max_connections: int = 50) -> ArqRedis:
    """A Redis client that outlives restarts of Redis; nothing is connected before the first command.

    A worker waits long (many retries); the API would rather go on without, since the sweep rings as well.
    """
    pool = QuickPool.from_url(
        redis_url,
        max_connections=max_connections,
        timeout=5,
        socket_connect_timeout=2,
        socket_timeout=10,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries),
        retry_on_error=[RedisConnectionError, RedisTimeoutError, ConnectionError],
        retry_on_timeout=True,
        health_check_interval=15,
    )
    return ArqRedis(connection_pool=pool, job_serializer=serialize, job_deserializer=deserialize)


def stages_of(routes: Mapping[str, Route], queue: QueueName) -> Sequence[str]:
    """The stages whose tasks run on a queue."""
    return [stage for stage, route in routes.items() if route.queue is queue]


def queues_named(names: str) -> tuple[QueueName, ...]:
    """The queues of a list with commas, all where it names none. Raises ValueError for a name that is no queue's."""
    named = [name.strip() for name in names.split(",") if name.strip()]
    known = [queue.value for queue in QueueName]
    if unknown := sorted(set(named) - set(known)):
        raise ValueError(f"no such queue: {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(queue for queue in QueueName if not named or queue.value in named)
