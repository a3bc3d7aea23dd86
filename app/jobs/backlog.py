"""The backlog: jobs that are due, jobs whose worker is gone, and Textract jobs to ask about. Nothing here commits."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Self
from uuid import UUID

from sqlalchemy import BigInteger, Double, Interval, bindparam, column, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession

from app.config import Settings
from app.errors import WorkerLost
from app.events import EventDraft, EventType, Severity
from app.jobs.models import Job
from app.jobs.presence import LOCK_LOST
from app.jobs.repository import jobs, transition
from app.jobs.states import JobState, Priority, Stage
from app.ocr.engine import EngineName, Operation
from app.ocr.pacing import Lane

SWEEP_LOCK = 0x5175697265
"""The advisory lock under which one worker of the fleet sweeps at a time ("Quire" in ASCII)."""

MOST_POLLS = 16
"""How many OCR jobs of a lane are asked about at a time."""


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
    return bool(await session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SWEEP_LOCK}))


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


async def due_polls(session: AsyncSession, engines: Collection[EngineName]) -> list[tuple[Lane, int]]:
    """In which lanes of some engines OCR jobs are to be asked about now, and in each how many, up to `MOST_POLLS`."""
    rows = [
        (Lane(EngineName(row.engine), Operation(row.operation)), row.number)
        for row in await session.execute(_DUE_POLLS)
    ]
    return [(lane, number) for lane, number in rows if lane.engine in engines]


async def put_off_polls(session: AsyncSession, lane: Lane, *, seconds: float) -> None:
    """Leave the due jobs of a lane alone for a while, whose engine is away; what they lose of their time is given back."""
    wait = timedelta(seconds=seconds)
    await session.execute(_PUT_OFF_POLLS, {"engine": lane.engine, "operation": lane.operation, "wait": wait})


class DuePoll(NamedTuple):
    """A job to ask about, and for how many seconds it has been due."""

    job: Job
    late_seconds: float


async def take_due_polls(session: AsyncSession, lane: Lane, *, limit: int, lease: timedelta) -> list[DuePoll]:
    """The jobs of a lane to ask about now, each put off by the lease, so that no two sweeps ask about one.

    Each comes under a new fence, so that what an asker who hung meanwhile has to say doesn't count.
    """
    told = {"engine": lane.engine, "operation": lane.operation, "limit": limit, "lease": lease}
    return [DuePoll(Job.of(row), row.late_seconds) for row in await session.execute(_TAKE_POLLS, told)]


async def ask_again(session: AsyncSession, waits: Sequence[tuple[Job, float]]) -> None:
    """Have jobs that still run be asked about again, each after so many seconds."""
    if not waits:
        return
    told = {
        "ids": [str(job.id) for job, _ in waits],
        "fences": [job.fence for job, _ in waits],
        "seconds": [seconds for _, seconds in waits],
        "deadlines": [job.textract_deadline for job, _ in waits],
    }
    await session.execute(_ASK_AGAIN, told)


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


def _words(members: type[StrEnum]) -> str:
    """The members of an enum, as an array in SQL has them."""
    return ", ".join(f"'{member.value}'" for member in members)


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

_POLLED = """
    stage = 'parsing' AND state IN ('queued', 'retryable') AND next_attempt_at <= now()
      AND textract_job_status = 'IN_PROGRESS' AND cancel_requested_at IS NULL
"""

# Each lane by itself: one whose jobs are due faster than it may ask must not hide the others'. It has no parameters:
# with some, Postgres would plan it anew each time, which takes ten times as long as running it.
_DUE_POLLS = text(f"""
    SELECT lane.engine, lane.operation, due.number
    FROM (SELECT * FROM unnest(ARRAY[{_words(EngineName)}]) AS of(engine),
                        unnest(ARRAY[{_words(Operation)}]) AS by(operation)) lane
    CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM (
            SELECT 1 FROM jobs WHERE {_POLLED} AND engine = lane.engine AND operation = lane.operation
            ORDER BY next_attempt_at LIMIT {MOST_POLLS}
        ) jobs
    ) due
    WHERE due.number > 0
""")  # noqa: S608 (no outside text)

_PUT_OFF_POLLS = text(f"""
    UPDATE jobs SET next_attempt_at = now() + :wait, rung_at = NULL,
        textract_deadline = textract_deadline + (now() + :wait - next_attempt_at)
    WHERE {_POLLED} AND engine = :engine AND operation = :operation
""").bindparams(bindparam("wait", type_=Interval))  # noqa: S608 (no outside text)

_TAKE_POLLS = (
    text(f"""
    -- By itself: within the UPDATE it might be run again, and take more than its limit.
    WITH due AS MATERIALIZED (
        SELECT id, next_attempt_at AS due_at FROM jobs WHERE {_POLLED} AND engine = :engine AND operation = :operation
        ORDER BY next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE jobs
    SET next_attempt_at = now() + :lease, rung_at = now(), textract_polls = textract_polls + 1, fence = fence + 1
    FROM due WHERE jobs.id = due.id
    RETURNING {", ".join(f"jobs.{column.name}" for column in jobs.columns)},
        extract(epoch FROM now() - due.due_at)::float8 AS late_seconds
""")  # noqa: S608 (no outside text)
    .bindparams(bindparam("lease", type_=Interval))
    .columns(*jobs.columns, column("late_seconds", Double))
)

_ASK_AGAIN = text("""
    UPDATE jobs SET next_attempt_at = now() + make_interval(secs => waits.seconds), rung_at = NULL,
        textract_deadline = waits.deadline
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS bigint[]), CAST(:seconds AS float8[]),
                CAST(:deadlines AS timestamptz[])) AS waits(id, fence, seconds, deadline)
    WHERE jobs.id = waits.id AND jobs.fence = waits.fence AND jobs.state IN ('queued', 'retryable')
""")
