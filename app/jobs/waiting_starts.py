"""The jobs that wait for their OCR to be started: who is next, by lane and by what engines find. Nothing here commits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Double, Interval, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.backlog import GROUPS, KEPT, DueJob, Shares
from app.jobs.states import Priority, Stage
from app.ocr.engine import EngineName, Feature
from app.ocr.pacing import Lane


@dataclass(frozen=True, slots=True)
class WaitingStart(DueJob):
    """A job whose OCR is to be started, in so many parts."""

    parts: int
    reuses: bool
    """Whether another job has read the same already, so that it needs no slot."""


@dataclass(frozen=True, slots=True)
class Takes:
    """Which waiting jobs an engine takes: those that name it, and of those that name none, what it is the one to find."""

    named: Collection[EngineName]
    """The engines that a job may name."""
    finds: frozenset[Feature] = frozenset()
    """What it finds on pages; nothing, where it takes only jobs that name it."""
    left_to: Sequence[frozenset[Feature]] = ()
    """What engines find that come first: their jobs are left to them."""
    again: timedelta = timedelta(seconds=10)
    """How long a ring is given to be heard before the next."""
    shares: Shares = field(default_factory=Shares)


async def count_waiting_starts(session: AsyncSession, lane: Lane, takes: Takes, *, limit: int = 2000) -> int:
    """How many jobs wait for their OCR to be started in a lane, up to a limit."""
    return int(await session.scalar(_COUNT_STARTS, {**_lane_parameters(lane, takes), "limit": limit}) or 0)


async def waiting_starts(session: AsyncSession, lane: Lane, takes: Takes, *, room: int) -> list[WaitingStart]:
    """The jobs whose OCR should be started next, in order; none of them is marked.

    By priority, with a share kept for the lower ones; then by turns between projects, those with fewer running OCR jobs
    for their weight first; then by turns between the batches of a project, and by age.

    Those whose content another job is reading are among them only when there is a result to take over.
    """
    told = {**_lane_parameters(lane, takes), **takes.shares.told(), "room": room}
    return [_waiting_start(row) for row in await session.execute(_WAITING_STARTS, told)]


def _waiting_start(row: Any) -> WaitingStart:
    return WaitingStart(
        id=row.id,
        stage=Stage.JOB_VALIDATED,
        fence=row.fence,
        rings=row.rings,
        priority=Priority(row.priority),
        project_id=row.project_id,
        batch_id=row.batch_id,
        parts=row.parts,
        reuses=row.reuses,
    )


# Each looks for one row by an index; as EXISTS they might be planned as one look at all of them.
_READER = """(
    SELECT reader.id FROM jobs reader WHERE reader.project_id = jobs.project_id
      AND reader.content_key = jobs.content_key AND reader.reads AND reader.state IN ('queued', 'working', 'retryable')
    LIMIT 1)"""

_RESULT = """(
    SELECT earlier.id FROM jobs earlier WHERE earlier.project_id = {job}.project_id
      AND earlier.content_key = {job}.content_key
      AND earlier.result_key IS NOT NULL AND earlier.textract_job_status = 'SUCCEEDED' LIMIT 1)"""

_FEATURES = "coalesce(nullif(options -> 'features', 'null'), '[]')"

_OF_LANE = f"""
    stage = 'job_validated' AND state IN ('queued', 'retryable') AND next_attempt_at <= now()
      AND (rung_at IS NULL OR rung_at < now() - :again) AND operation = :operation
      AND (options ->> 'engine' = :engine
           OR (coalesce(options ->> 'engine', '') <> ALL(:engines) AND {_FEATURES} <@ CAST(:finds AS jsonb)
               AND NOT {_FEATURES} <@ ANY(CAST(:left_to AS jsonb[]))))
      AND (reads OR options ->> 'force_reprocess' = 'true' OR {_READER} IS NULL
           OR {_RESULT.format(job="jobs")} IS NOT NULL)
"""

_OF_LANE_TYPES = (
    bindparam("engines", type_=ARRAY(TEXT)),
    bindparam("left_to", type_=ARRAY(TEXT)),
    bindparam("again", type_=Interval),
)

_COUNT_STARTS = text(
    f"SELECT count(*) FROM (SELECT 1 FROM jobs WHERE {_OF_LANE} ORDER BY next_attempt_at LIMIT :limit) waiting"  # noqa: S608 (no outside text)
).bindparams(*_OF_LANE_TYPES)

# Whose turn it is goes by what a project has running too: slots become free one by one, and then the oldest backlog
# would have them all. One that has begun to read has found no result to take over, whatever there seems to be.
_WAITING_STARTS = text(f"""
    WITH RECURSIVE {GROUPS}, due AS (
        SELECT j.*, p.weight, groups.turn_key FROM groups JOIN projects p ON p.id = groups.project_id
        CROSS JOIN LATERAL (
            SELECT id, priority, project_id, batch_id, created_at, fence, rings, parts, content_key, reads, options
            FROM jobs
            WHERE project_id = groups.project_id AND priority = groups.priority
              AND coalesce(batch_id, project_id) = groups.turn_key AND {_OF_LANE}
            ORDER BY created_at LIMIT :room
        ) j
        WHERE groups.stage = 'job_validated'
    ), running AS (
        SELECT project_id, count(*) AS number FROM textract_jobs
        WHERE engine = :engine AND operation = :operation AND status IN ('STARTING', 'IN_PROGRESS') GROUP BY project_id
    ), group_turns AS (
        SELECT *, row_number() OVER (PARTITION BY priority, turn_key ORDER BY created_at) AS group_turn FROM due
    ), turns AS (
        SELECT group_turns.*, (coalesce(running.number, 0) + row_number() OVER (
            PARTITION BY priority, project_id ORDER BY group_turn, created_at)) / weight AS turn
        FROM group_turns LEFT JOIN running USING (project_id)
    ), ranked AS (
        SELECT *, row_number() OVER (PARTITION BY priority ORDER BY turn, created_at) AS rank FROM turns
    ), chosen AS (
        SELECT *, row_number() OVER (
            ORDER BY rank <= {KEPT.replace(":places", ":room")} DESC,
                array_position(ARRAY['high', 'normal', 'low'], priority), turn, created_at
        ) AS place FROM ranked ORDER BY place LIMIT :room
    )
    SELECT id, fence, rings, priority, project_id, batch_id, greatest(1, jsonb_array_length(parts)) AS parts,
        NOT reads AND coalesce(options ->> 'force_reprocess', '') <> 'true' AND {_RESULT.format(job="chosen")} IS NOT NULL
            AS reuses
    FROM chosen ORDER BY place
""").bindparams(  # noqa: S608 (no outside text)
    *_OF_LANE_TYPES,
    bindparam("room", type_=BigInteger),
    *(bindparam(name, type_=Double) for name in ("normal_share", "low_share", "normal_chance", "low_chance")),
)


def _lane_parameters(lane: Lane, takes: Takes) -> dict[str, Any]:
    return {
        "engine": lane.engine,
        "operation": lane.operation,
        "engines": [str(name) for name in takes.named],
        # TEXT alone is written as no features at all, which even an empty list contains.
        "finds": orjson.dumps(sorted(takes.finds)).decode() if takes.finds else "null",
        "left_to": [orjson.dumps(sorted(finds)).decode() for finds in takes.left_to],
        "again": takes.again,
    }
