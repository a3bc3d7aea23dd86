"""Which OCR jobs are to be asked about, and when again. Nothing here commits."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Double, Interval, bindparam, column, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.models import Job
from app.jobs.repository import jobs
from app.ocr.engine import EngineName, Operation
from app.ocr.pacing import Lane

MOST_POLLS = 16
"""How many OCR jobs of a lane are asked about at a time."""


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


def _words(members: type[StrEnum]) -> str:
    """The members of an enum, as an array in SQL has them."""
    return ", ".join(f"'{member.value}'" for member in members)


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
