"""How long a job will take, as far as that can be said: its place in the queue, and the pace of the last minutes.

An estimate, and no promise. What is counted is the project's own: its jobs take turns with those of others, whose number
is nobody's business, and the pace at which its jobs ended lately shows how that goes. Counts have a limit, and the pace is
looked at once in a while, however many ask.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text

from app.db import Sessions, one_statement
from app.jobs.models import Job
from app.jobs.shares import share_of
from app.jobs.states import TERMINAL_STATES, JobState, Priority, Stage

PACE_HOLDS_SECONDS = 5.0
MOST_PROJECTS = 1000
MOST_COUNTED = 10_000
"""A place in the queue beyond this is told as this."""
MOST_OF_A_GROUP = 2000
"""Of each other batch that takes turns with the job's, no more are counted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a project's jobs did lately."""

    per_second: float
    """Jobs that ended well, by the last minutes or the last hundred."""
    seconds: float
    """From a job's begin to its end, but for what its pages took."""
    seconds_per_page: float
    pages: float
    """Pages of a job, in the mean."""

    def of_job(self, job: Job) -> float:
        """How many seconds a job takes from its begin to its end."""
        return max(0.0, self.seconds + self.seconds_per_page * (job.pages_total or self.pages))


@dataclass(frozen=True, slots=True)
class Prospect:
    """What can be said of a job that hasn't ended; None where nothing tells."""

    queue_position: int | None = None
    estimated_start_at: datetime | None = None
    estimated_completion_at: datetime | None = None


NOTHING = Prospect()


@dataclass(frozen=True, slots=True)
class Outlook:
    """Says what can be said of jobs."""

    sessions: Sessions
    _paces: dict[UUID, tuple[float, Pace | None]] = field(default_factory=dict)

    async def of(self, job: Job) -> Prospect:
        """What can be said of a job."""
        if job.state in TERMINAL_STATES:
            return NOTHING
        pace, now = await self._pace(job.project_id), datetime.now(UTC)
        if job.started_at is not None or job.stage is not Stage.QUEUED:
            left = None if pace is None else pace.of_job(job) * (1 - _done(job))
            return Prospect(estimated_completion_at=None if left is None else now + timedelta(seconds=left))
        position = await self._position(job)
        if pace is None:
            return Prospect(position)
        starts_at = max(now, job.next_attempt_at) + timedelta(seconds=position / pace.per_second)
        return Prospect(position, starts_at, starts_at + timedelta(seconds=pace.of_job(job)))

    async def _position(self, job: Job) -> int:
        """How many jobs of its project are begun before one that waits for its begin, should nothing else come.

        What is more urgent, what is older in its own group, and as many of each other group, for they take turns.
        """
        told = {
            "project": job.project_id,
            "urgent": [priority.value for priority in _above(job.priority)],
            "priority": job.priority,
            "group": job.batch_id or job.project_id,
            "created": job.created_at,
            "most": MOST_COUNTED,
            "most_of_a_group": MOST_OF_A_GROUP,
        }
        async with one_statement(self.sessions) as session:
            return int(await session.scalar(_POSITION, told) or 0)

    async def _pace(self, project_id: UUID) -> Pace | None:
        """How the project's jobs did lately; None where too few ended. As of a few seconds ago at most."""
        now = time.monotonic()
        seen_at, pace = self._paces.get(project_id, (float("-inf"), None))
        if now - seen_at < PACE_HOLDS_SECONDS:
            return pace
        async with one_statement(self.sessions) as session:
            row = (await session.execute(_PACE, {"project": project_id})).one()
        if len(self._paces) >= MOST_PROJECTS:
            self._paces.clear()
        pace = _pace_of(row)
        self._paces[project_id] = (now, pace)
        return pace


def _pace_of(row: Any) -> Pace | None:
    if not row.number:
        return None
    slope = max(0.0, float(row.slope or 0.0))
    pages = float(row.pages or 1.0)
    return Pace(
        per_second=row.number / max(1.0, float(row.span)),
        seconds=max(0.0, float(row.mean) - slope * pages),
        seconds_per_page=slope,
        pages=pages,
    )


def _above(priority: Priority) -> list[Priority]:
    order = list(Priority)
    return order[: order.index(priority)]


def _done(job: Job) -> float:
    return share_of(job.stage, job.pages_done, job.pages_total) if job.state is not JobState.DONE else 1.0


_POSITION = text("""
    WITH RECURSIVE own AS (
        SELECT count(*) AS number FROM (
            SELECT FROM jobs WHERE project_id = :project AND stage = 'queued' AND priority = :priority
              AND coalesce(batch_id, project_id) = :group AND state IN ('queued', 'retryable')
              AND created_at < :created LIMIT :most) older
    ), urgent AS (
        SELECT count(*) AS number FROM (
            SELECT FROM jobs WHERE project_id = :project AND stage = 'queued' AND priority = ANY(:urgent)
              AND state IN ('queued', 'retryable') LIMIT :most) before
    ), groups AS (
        (SELECT coalesce(batch_id, project_id) AS turn_key FROM jobs
         WHERE project_id = :project AND stage = 'queued' AND priority = :priority AND state IN ('queued', 'retryable')
         ORDER BY coalesce(batch_id, project_id) LIMIT 1)
        UNION ALL
        SELECT next.turn_key FROM groups CROSS JOIN LATERAL (
            SELECT coalesce(batch_id, project_id) AS turn_key FROM jobs
            WHERE project_id = :project AND stage = 'queued' AND priority = :priority AND state IN ('queued', 'retryable')
              AND coalesce(batch_id, project_id) > groups.turn_key
            ORDER BY coalesce(batch_id, project_id) LIMIT 1
        ) next
    ), others AS (
        SELECT coalesce(sum(taken.number), 0) AS number
        FROM (SELECT turn_key FROM groups WHERE turn_key <> :group LIMIT 100) other CROSS JOIN LATERAL (
            SELECT count(*) AS number FROM (
                SELECT FROM jobs WHERE project_id = :project AND stage = 'queued' AND priority = :priority
                  AND coalesce(batch_id, project_id) = other.turn_key AND state IN ('queued', 'retryable')
                LIMIT least(:most_of_a_group, (SELECT number FROM own))) ahead
        ) taken
    )
    SELECT least(:most, own.number + urgent.number + others.number) FROM own, urgent, others
""").bindparams(bindparam("project", type_=Uuid()), bindparam("group", type_=Uuid()))

# By the last hundred that ended well within ten minutes: pages explain what part of the time they can.
_PACE = text("""
    SELECT count(*) AS number, avg(seconds) AS mean, avg(pages) AS pages, regr_slope(seconds, pages) AS slope,
        extract(epoch FROM now() - min(finished_at)) AS span
    FROM (
        SELECT extract(epoch FROM finished_at - started_at) AS seconds, coalesce(pages_total, 1) AS pages, finished_at
        FROM jobs WHERE project_id = :project AND finished_at > now() - interval '10 minutes'
          AND state = 'done' AND started_at IS NOT NULL
        ORDER BY finished_at DESC LIMIT 100
    ) lately
""").bindparams(bindparam("project", type_=Uuid()))
