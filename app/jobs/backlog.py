"""The backlog: jobs that are due, and jobs whose worker is gone. Nothing here commits."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import BigInteger, Double, Interval, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession

from app.config import Settings
from app.errors import WorkerLost
from app.events import EventDraft, EventType, Severity
from app.jobs.models import Job
from app.jobs.presence import LOCK_LOST
from app.jobs.repository import transition
from app.jobs.states import JobState, Priority, Stage

SWEEP_LOCK = 0x5175697265
"""The advisory lock under which one worker of the fleet sweeps at a time ("Quire" in ASCII)."""


@dataclass(frozen=True, slots=True)
class DueJob:
    """As much of a job as ringing for it takes."""

    id: UUID
    stage: Stage
    fence: int
    rings: int
    priority: Priority
    project_id: UUID
    batch_id: UUID | None


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of places that are kept for the lower priorities, whatever waits above them, so that neither starves."""

    normal: float = 0.2
    low: float = 0.05

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(settings.normal_priority_share, settings.low_priority_share)

    def told(self) -> dict[str, float]:
        """As parameters of a statement; the chances round a share of few places up as often as it should be."""
        chances = {"normal_chance": random.random(), "low_chance": random.random()}  # noqa: S311 (no secrets)
        return {"normal_share": self.normal, "low_share": self.low, **chances}


async def try_sweep_lock(session: AsyncSession) -> bool:
    """Whether this transaction may sweep; the lock ends with it."""
    return bool(await session.scalar(_TRY_LOCK))


async def end_hung_transactions(session: AsyncSession, *, after: timedelta) -> int:
    """Cut the connections of processes that hang within a statement, and with them the locks; returns how many.

    `idle_in_transaction_session_timeout` ends those that hang between two statements. One that hangs after it has sent
    half of one (parsed, not yet run) is `active` to Postgres, and would hold its locks for ever.
    """
    return len((await session.execute(_END_HUNG, {"after": after})).all())


async def take_due(
    session: AsyncSession,
    stages: Sequence[str],
    *,
    room: int,
    again: timedelta,
    reserve: int = 0,
    shares: Shares = Shares(),
) -> list[DueJob]:
    """Mark as rung, and return in the order to ring in, the jobs that a queue's free room should go to.

    By priority, with a share kept for the lower ones; within one by turns between projects, by their weights; within a
    project by turns between batches, those that came by themselves being as one; then by age. `room` is for all, and may
    be negative; one `reserve` more is for what came by itself or is urgent, and another for what is both. The cost
    follows the room and the number of groups that take turns, never the length of the backlog.
    """
    told = {"stages": list(stages), "room": room, "reserve": reserve, "again": again, "seed": random.getrandbits(62)}
    rows = await session.execute(_TAKE_DUE, told | shares.told())
    return [_due(row) for row in rows]


def _due(row: Any) -> DueJob:
    return DueJob(row.id, Stage(row.stage), row.fence, row.rings, Priority(row.priority), row.project_id, row.batch_id)


async def mark_rung(session: AsyncSession, job_ids: Sequence[UUID]) -> None:
    """Write down that jobs are being rung for, so that they aren't again at once."""
    if job_ids:
        await session.execute(_MARK_RUNG, {"ids": [str(each) for each in job_ids]})


async def give_back_lost(session: AsyncSession, *, max_attempts: int, limit: int = 200) -> list[Job]:
    """Give back the jobs of dead workers and run-out leases. Each counts as an attempt: a job may be what kills them."""
    rows = (await session.execute(_LOST, {"limit": limit})).all()
    return [await _give_back(session, row._mapping, max_attempts) for row in rows]


async def _give_back(session: AsyncSession, lost: Mapping[Any, Any], max_attempts: int) -> Job:
    attempts = lost["attempts"] + 1
    error = WorkerLost()
    over = attempts >= max_attempts
    return await transition(
        session,
        lost["id"],
        JobState.DEADLETTER if over else JobState.QUEUED,
        fence=lost["fence"],
        at_state=JobState.WORKING,
        attempts=attempts,
        error_code=error.code if over else ...,
        error_message=f"{error.detail} That happened {attempts} times, so it was given up." if over else ...,
        error_retryable=True if over else ...,
        error_stage=lost["stage"] if over else ...,
        event=EventDraft(
            EventType.ERROR if over else EventType.RETRY,
            {"message": error.detail, "worker": lost["claimed_by"]},
            Severity.ERROR if over else Severity.WARNING,
            error.code,
        ),
    )


async def forget_dead_workers(session: AsyncSession) -> int:
    """Forget workers that are gone and hold no job any more; returns how many.

    Whatever was rung for lately may have been in their hands before it was claimed, so it is rung for anew, under new
    task ids; and what was being asked about is asked about again.
    """
    gone = (await session.scalars(_FORGET)).all()
    if gone:
        await session.execute(_RING_ANEW)
    return len(gone)


_TRY_LOCK = text(f"SELECT pg_try_advisory_xact_lock({SWEEP_LOCK})")

# What waits for its client is never at work; only a COPY may wait long for its next piece.
_END_HUNG = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name = 'quire'
      AND state = 'active' AND wait_event = 'ClientRead' AND state_change < now() - :after
      AND query NOT ILIKE 'copy%'
""").bindparams(bindparam("after", type_=Interval))

_DEAD = f"SELECT w.id FROM workers w WHERE w.heartbeat_at < now() - interval '60 seconds' OR ({LOCK_LOST})"  # noqa: S608

_LOST = text(f"""
    WITH dead AS ({_DEAD})
    SELECT id, stage, attempts, fence, claimed_by FROM jobs
    WHERE state = 'working' AND (lease_until < now() OR claimed_by IN (SELECT id FROM dead))
    LIMIT :limit FOR UPDATE SKIP LOCKED
""")  # noqa: S608 (no outside text)

_FORGET = text(f"""
    DELETE FROM workers w WHERE w.id IN ({_DEAD})
      AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.state = 'working' AND j.claimed_by = w.id)
    RETURNING w.id
""")  # noqa: S608 (no outside text)

# Whoever moves a job on rings for it without writing that down; the sweep writes it down when it next comes by.
_RING_ANEW = text("""
    UPDATE jobs SET rings = rings + 1, rung_at = NULL,
        next_attempt_at = CASE WHEN stage = 'parsing' AND textract_job_status = 'IN_PROGRESS' AND rung_at IS NOT NULL
                               THEN now() ELSE next_attempt_at END
    WHERE state IN ('queued', 'retryable')
      AND (rung_at > now() - interval '10 minutes'
           OR (rung_at IS NULL AND updated_at > now() - interval '1 minute'))
""")

GROUPS = """
    groups AS (
        (SELECT project_id, stage, priority, coalesce(batch_id, project_id) AS turn_key FROM jobs
         WHERE state IN ('queued', 'retryable')
         ORDER BY project_id, stage, priority, coalesce(batch_id, project_id) LIMIT 1)
        UNION ALL
        SELECT next.* FROM groups CROSS JOIN LATERAL (
            SELECT project_id, stage, priority, coalesce(batch_id, project_id) AS turn_key FROM jobs
            WHERE state IN ('queued', 'retryable')
              AND (project_id, stage, priority, coalesce(batch_id, project_id))
                > (groups.project_id, groups.stage, groups.priority, groups.turn_key)
            ORDER BY project_id, stage, priority, coalesce(batch_id, project_id) LIMIT 1
        ) next
    )
"""
"""The groups that wait, each found by one step along the index `ix_jobs_backlog`; needs `WITH RECURSIVE`."""

KEPT = """
    CASE priority WHEN 'high' THEN 0 WHEN 'low' THEN floor(:places * :low_share + :low_chance)
        ELSE floor(:places * :normal_share + :normal_chance) END
"""
"""How many of some places are kept for a priority."""


def _luck(whose: str) -> str:
    """A number for a sweep and an id, by the exponential law with mean 1.

    The least of several, each over its weight, is each one's in proportion to its weight: so even few places go round,
    though no sweep knows who had the last ones.
    """
    return f"-ln(((hashtextextended({whose}::text, :seed) & 4294967295) + 1) / 4294967297::float8)"


_TAKE_DUE = text(f"""
    WITH RECURSIVE {GROUPS}, wanted AS MATERIALIZED (
        SELECT groups.*, projects.weight FROM groups JOIN projects ON projects.id = groups.project_id
        WHERE stage = ANY(:stages) AND stage <> 'job_validated'
          AND :room + :reserve * CASE priority WHEN 'low' THEN 0
                ELSE (priority = 'high')::int + (turn_key = project_id)::int END > 0
    ), due AS (
        SELECT j.*, wanted.turn_key, wanted.weight FROM wanted
        CROSS JOIN LATERAL (
            SELECT id, priority, project_id, batch_id, created_at FROM jobs
            WHERE project_id = wanted.project_id AND stage = wanted.stage AND priority = wanted.priority
              AND coalesce(batch_id, project_id) = wanted.turn_key
              AND state IN ('queued', 'retryable') AND next_attempt_at <= now()
              AND (rung_at IS NULL OR rung_at < now() - :again)
              AND NOT (stage = 'parsing' AND textract_job_status = 'IN_PROGRESS')
            ORDER BY created_at
            LIMIT greatest(0, least(:room + 2 * :reserve, greatest(20,
                20 * (:room + 2 * :reserve) / (SELECT greatest(1, count(*)) FROM wanted))))
        ) j
    ), group_turns AS (
        SELECT *, row_number() OVER (PARTITION BY priority, turn_key ORDER BY created_at) + {_luck("turn_key")}
            AS group_turn FROM due
    ), turns AS (
        SELECT *, (row_number() OVER (PARTITION BY priority, project_id ORDER BY group_turn, created_at) - 1
            + {_luck("project_id")}) / weight AS turn FROM group_turns
    ), ranked AS (
        SELECT *, row_number() OVER (PARTITION BY priority ORDER BY turn, created_at) AS rank FROM turns
    ), placed AS (
        SELECT id, priority, batch_id, row_number() OVER (
            ORDER BY rank <= {KEPT.replace(":places", "greatest(:room, 1)")} DESC,
                array_position(ARRAY['high', 'normal', 'low'], priority), turn, created_at
        ) AS place FROM ranked
    ), chosen AS (
        SELECT id, place FROM placed WHERE place <= :room + :reserve * CASE priority WHEN 'low' THEN 0
            ELSE (priority = 'high')::int + (batch_id IS NULL)::int END
    ), rung AS (
        UPDATE jobs SET rung_at = now() FROM chosen
        WHERE jobs.id = chosen.id AND jobs.state IN ('queued', 'retryable')
        RETURNING jobs.id, jobs.stage, jobs.fence, jobs.rings, jobs.priority, jobs.project_id, jobs.batch_id,
            chosen.place
    )
    SELECT * FROM rung ORDER BY place
""").bindparams(  # noqa: S608 (no outside text)
    bindparam("stages", type_=ARRAY(TEXT)),
    bindparam("again", type_=Interval),
    bindparam("seed", type_=BigInteger),
    bindparam("room", type_=BigInteger),
    bindparam("reserve", type_=BigInteger),
    *(bindparam(name, type_=Double) for name in ("normal_share", "low_share", "normal_chance", "low_chance")),
)

_MARK_RUNG = text("""
    UPDATE jobs SET rung_at = now() WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN ('queued', 'retryable')
""")
