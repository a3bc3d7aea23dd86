"""How the queues and the workers do, for operators. Of documents it says nothing but to the project that they are of."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from app.db import Sessions, one_statement
from app.jobs.presence import LiveWorker, live_workers, served
from app.jobs.states import Stage
from app.queue import Queue, QueueName

SEEN_FOR_SECONDS = 1.0
"""How long figures of queues hold: however many ask, they are counted once a second."""

MOST_COUNTED = 100_000
"""A queue is not counted beyond this."""


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """How a queue does."""

    name: QueueName
    depth: int
    """Jobs that are due and wait; of batch queues, batches."""
    documents: int
    """Documents that these are: of batch queues, the items that were not taken yet."""
    oldest_seconds: float
    """How long the oldest of them has been due."""
    working: int
    per_minute: float
    """Tasks that were begun lately."""
    workers: int
    """Live workers that serve it."""
    window: int
    """Tasks that Redis may hold of it, not counting what is kept for urgent ones."""
    window_used: int | None
    """None while Redis is away."""

    @property
    def wait_seconds(self) -> float | None:
        """How long what comes now would wait behind all that is due; None where nothing says so."""
        if not self.depth:
            return 0.0
        return round(60 * self.depth / self.per_minute, 1) if self.per_minute and self.workers else None


@dataclass(frozen=True, slots=True)
class Doing:
    """A job that a worker has, at a stage since some moment."""

    job_id: UUID
    stage: Stage
    since: datetime


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """What a live worker does."""

    worker: LiveWorker
    working: int
    """Jobs of all projects."""
    doing: Sequence[Doing]
    """Those of the project that asks."""


@dataclass(slots=True)
class Fleet:
    """What operators can ask about queues and workers."""

    sessions: Sessions
    queue: Queue
    window: int
    stages: Mapping[QueueName, Sequence[str]]
    """The stages whose tasks run on each queue; none for those that take batches apart."""
    _seen: Sequence[QueueFigures] = ()
    _seen_at: float = field(default=float("-inf"))

    async def queues(self) -> Sequence[QueueFigures]:
        """How all queues do, as of a second ago at most."""
        if time.monotonic() - self._seen_at > SEEN_FOR_SECONDS:
            self._seen, self._seen_at = await self._figures(), time.monotonic()
        return self._seen

    async def workers(self, project_id: UUID) -> Sequence[WorkerFigures]:
        """What live workers do, the oldest first."""
        workers = await live_workers(self.sessions)
        async with one_statement(self.sessions) as session:
            rows = (await session.execute(_DOING, {"ids": [worker.id for worker in workers]})).all()
        return [
            WorkerFigures(
                worker,
                working=sum(row.claimed_by == worker.id for row in rows),
                doing=[
                    Doing(row.id, Stage(row.stage), row.since)
                    for row in rows
                    if row.claimed_by == worker.id and row.project_id == project_id
                ],
            )
            for worker in workers
        ]

    async def _figures(self) -> Sequence[QueueFigures]:
        pairs = [(queue, stage) for queue, its_stages in self.stages.items() for stage in its_stages]
        told = {"queues": [queue.value for queue, _ in pairs], "stages": [stage for _, stage in pairs]}
        async with one_statement(self.sessions) as session:
            waiting = {row.queue: row for row in await session.execute(_WAITING, told | {"most": MOST_COUNTED})}
            begun = {row.stage: float(row.per_minute) for row in await session.execute(_BEGUN)}
        at_work = await served(self.sessions)
        return [
            QueueFigures(
                name=queue,
                depth=int(waiting[queue].depth) if queue in waiting else 0,
                documents=int(waiting[queue].documents) if queue in waiting else 0,
                oldest_seconds=round(float(waiting[queue].oldest), 3) if queue in waiting else 0.0,
                working=int(waiting[queue].working) if queue in waiting else 0,
                per_minute=round(sum(begun.get(stage, 0.0) for stage in its_stages), 1),
                workers=at_work.get(queue, 0),
                window=self.window,
                window_used=await self.queue.used(queue),
            )
            for queue, its_stages in self.stages.items()
        ]


_WAITING = text("""
    SELECT of.queue, sum(due.number) AS depth, sum(due.number) AS documents, coalesce(max(due.oldest), 0) AS oldest, sum(at_work.number) AS working
    FROM unnest(:queues, :stages) AS of(queue, stage)
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, extract(epoch FROM now() - min(next_attempt_at)) AS oldest FROM (
            SELECT next_attempt_at FROM jobs
            WHERE stage = of.stage AND state IN ('queued', 'retryable') AND next_attempt_at <= now()
            ORDER BY next_attempt_at LIMIT :most
        ) jobs
    ) due
    CROSS JOIN LATERAL (SELECT count(*) AS number FROM jobs WHERE state = 'working' AND stage = of.stage) at_work
    GROUP BY of.queue
    UNION ALL
    SELECT 'batch.' || priority, count(*), sum(untaken.number), extract(epoch FROM now() - min(created_at)), 0 FROM batches
    CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM batch_items WHERE batch_id = batches.id AND status = 'waiting'
    ) untaken
    WHERE state IN ('queued', 'working') AND untaken.number > 0 GROUP BY priority
""").bindparams(bindparam("queues", type_=ARRAY(TEXT)), bindparam("stages", type_=ARRAY(TEXT)))

# By the last events, and no further back than a minute: the cost doesn't follow the number of events.
_BEGUN = text("""
    WITH latest AS (
        SELECT type, payload, created_at FROM events ORDER BY id DESC LIMIT 5000
    ), lately AS (
        SELECT * FROM latest WHERE created_at > now() - interval '1 minute'
    ), span AS (
        SELECT CASE WHEN count(*) < 5000 THEN 60.0
                    ELSE greatest(1, extract(epoch FROM now() - min(created_at))) END AS seconds
        FROM lately
    )
    SELECT payload ->> 'stage' AS stage, 60 * count(*) / (SELECT seconds FROM span) AS per_minute
    FROM lately WHERE type = 'stage' AND payload ->> 'state' = 'working' GROUP BY payload ->> 'stage'
""")

_DOING = (
    text("""
    SELECT jobs.id, jobs.project_id, jobs.claimed_by, jobs.stage,
        coalesce((SELECT created_at FROM events WHERE job_id = jobs.id AND type = 'stage' ORDER BY number DESC LIMIT 1),
                 jobs.updated_at) AS since
    FROM jobs WHERE state = 'working' AND claimed_by = ANY(:ids) ORDER BY since
""")
    .bindparams(bindparam("ids", type_=ARRAY(TEXT)))
    .columns(id=Uuid, project_id=Uuid)
)
