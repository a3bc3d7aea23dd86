"""How many documents may be under way: of a project, and before each queue. Counted by Postgres, once a second at most."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from app.db import Sessions, one_statement
from app.errors import BatchOverLimit, QueueFull, TooManyOpenDocuments

COUNTED_FOR_SECONDS = 1.0
"""How long a count holds: a limit may be passed by what other processes take in within that time."""

PROJECTS_KEPT = 10_000


@dataclass(slots=True)
class _Count:
    """A number, and when it was counted."""

    number: int
    at: float


@dataclass(frozen=True, slots=True)
class Intake:
    """Whether more documents are taken in."""

    sessions: Sessions
    stages: Mapping[str, Sequence[str]]
    """The stages whose tasks run on each queue."""
    max_queue_depth: int
    max_open_documents: int
    """Of a project that has no limit of its own."""
    _open: dict[UUID, _Count] = field(default_factory=dict)
    _depths: dict[str, _Count] = field(default_factory=dict)
    _counting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def admit(self, project_id: UUID, *, limit: int | None = None, documents: int = 1) -> None:
        """Take some documents of a project in, with its own limit if it has one.

        Raises `QueueFull` where a queue is as deep as may be, `TooManyOpenDocuments`, and `BatchOverLimit` for more at
        once than may ever be.
        """
        await self._require_room()
        most = self.max_open_documents if limit is None else limit
        if documents > max(most, 1):
            raise BatchOverLimit(
                f"The batch has {documents} documents, and the project may have {most} under way; submit it in parts."
            )
        count = await self._open_of(project_id, most)
        if count.number + documents > most:
            raise TooManyOpenDocuments(
                f"The project has {min(count.number, most)} documents under way and may have {most};"
                " submit more when some have ended."
            )
        count.number += documents

    async def _require_room(self) -> None:
        async with self._counting:
            if not self._depths or _is_old(next(iter(self._depths.values()))):
                await self._count_depths()
        full = sorted(queue for queue, count in self._depths.items() if count.number >= self.max_queue_depth)
        if full:
            raise QueueFull(f"The queue {full[0]} has {self.max_queue_depth} documents waiting; submit more later.")

    async def _count_depths(self) -> None:
        pairs = [(queue, stage) for queue, its_stages in self.stages.items() for stage in its_stages]
        told = {"queues": [queue for queue, _ in pairs], "stages": [stage for _, stage in pairs]}
        async with one_statement(self.sessions) as session:
            rows = (await session.execute(_DEPTHS, told | {"most": self.max_queue_depth})).all()
        now = time.monotonic()
        self._depths.update({queue: _Count(int(number), now) for queue, number in rows})

    async def _open_of(self, project_id: UUID, most: int) -> _Count:
        count = self._open.get(project_id)
        if count is not None and not _is_old(count):
            return count
        async with one_statement(self.sessions) as session:
            number = int(await session.scalar(_OPEN, {"project": project_id, "most": most + 1}) or 0)
        if len(self._open) >= PROJECTS_KEPT:
            self._open.clear()
        fresh = self._open[project_id] = _Count(number, time.monotonic())
        return fresh


def _is_old(count: _Count) -> bool:
    return time.monotonic() - count.at > COUNTED_FOR_SECONDS


_DEPTHS = text("""
    SELECT of.queue, sum(due.number) FROM unnest(:queues, :stages) AS of(queue, stage)
    CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM (
            SELECT 1 FROM jobs WHERE stage = of.stage AND state IN ('queued', 'retryable') AND next_attempt_at <= now()
            LIMIT :most
        ) jobs
    ) due
    GROUP BY of.queue
    UNION ALL
    SELECT 'batch.' || of.priority, (
        SELECT count(*) FROM (
            SELECT 1 FROM batches JOIN batch_items ON batch_id = batches.id AND status = 'waiting'
            WHERE priority = of.priority AND batches.state IN ('queued', 'working') LIMIT :most
        ) items
    ) FROM unnest(ARRAY['high', 'normal', 'low']) AS of(priority)
""").bindparams(
    bindparam("queues", type_=ARRAY(TEXT)), bindparam("stages", type_=ARRAY(TEXT)), bindparam("most", type_=BigInteger)
)

_OPEN = text("""
    SELECT (SELECT count(*) FROM (
                SELECT 1 FROM jobs WHERE project_id = :project AND state IN ('queued', 'retryable') LIMIT :most) waiting)
         + (SELECT count(*) FROM jobs WHERE project_id = :project AND state = 'working')
         + (SELECT count(*) FROM (
                SELECT 1 FROM batches JOIN batch_items ON batch_id = batches.id AND status = 'waiting'
                WHERE project_id = :project AND batches.state IN ('queued', 'working') LIMIT :most) untaken)
""").bindparams(bindparam("most", type_=BigInteger))
