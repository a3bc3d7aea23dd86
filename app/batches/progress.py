"""How far a batch has come: counted in one statement over its jobs, and kept in Redis for a second or more.

However many ask, a batch is counted about once a second, and less often where counting takes long. Postgres keeps the
percentage that was told last, so that it never falls.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Interval, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.models import ENDED_STATES, Batch, BatchState, ItemStatus
from app.db import Sessions
from app.jobs.shares import share_of
from app.jobs.states import LIVE_STATES, JobState, Stage

log = structlog.get_logger(__name__)

WINDOW = timedelta(minutes=5)
"""Of how long the throughput is measured."""

FRESH_SECONDS = 1.0
SHARE_OF_TIME = 20
"""Counting may take one part in so many of the time."""

KEPT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Counts:
    """What has become of a batch's items and jobs."""

    items: dict[str, int]
    """By status."""
    jobs: dict[str, int]
    """By state."""
    stages: dict[str, int]
    """Of the jobs that haven't ended, by stage."""
    errors: dict[str, int]
    """Items that were refused and jobs that were given up, by code."""
    pages_done: int
    pages_total: int
    """Of the documents whose pages have been counted."""
    cost_microdollars: int
    behind: float
    """Documents' ways that are behind, each 1 at its end."""
    pages_left: float
    pages_lately: float
    """Pages of the documents that ended within the window; of those that weren't counted, as many as the others' mean."""
    documents_lately: int

    @property
    def documents_done(self) -> int:
        """Jobs that have ended well."""
        return self.jobs.get(JobState.DONE, 0)

    @property
    def documents_refused(self) -> int:
        """Items that could not be taken."""
        return self.items.get(ItemStatus.REFUSED, 0)

    @property
    def documents_failed(self) -> int:
        """Jobs that were given up."""
        return self.jobs.get(JobState.DEADLETTER, 0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch has come."""

    state: BatchState
    counts: Counts
    percent: float
    """0 to 100; it only grows, but for a retry, which begins anew."""
    documents_per_minute: float
    pages_per_minute: float
    estimated_finish_at: datetime | None
    """By the throughput of the last minutes; None while none can be told."""
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class ProgressBook:
    """Tells how far batches have come."""

    sessions: Sessions
    redis: Redis

    async def of(self, batch: Batch) -> Progress:
        """How far a batch has come, as it was counted a moment ago."""
        kept, is_fresh = await self._kept(batch.id)
        if kept is not None and is_fresh and kept.state == batch.state:
            return kept
        began = time.monotonic()
        async with self.sessions.begin() as session:
            progress = await _measure(session, batch)
        await self._keep(batch.id, progress, seconds=time.monotonic() - began)
        return progress

    async def _kept(self, batch_id: UUID) -> tuple[Progress | None, bool]:
        """What was counted last, and whether it may be told; only one caller at a time hears that it may not."""
        try:
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.get(progress_key(batch_id))
                pipe.set(_fresh_key(batch_id), b"1", nx=True, px=int(FRESH_SECONDS * 1000))
                kept, taken = await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("progress_cache_away", error=str(error))
            return None, False
        return (None if kept is None else _loaded(kept)), not taken

    async def _keep(self, batch_id: UUID, progress: Progress, *, seconds: float) -> None:
        fresh_ms = int(1000 * max(FRESH_SECONDS, SHARE_OF_TIME * seconds))
        try:
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.set(progress_key(batch_id), orjson.dumps(asdict(progress)), ex=KEPT_SECONDS)
                pipe.set(_fresh_key(batch_id), b"1", px=fresh_ms)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("progress_cache_away", error=str(error))


def progress_key(batch_id: UUID) -> str:
    """Where a batch's progress is kept."""
    return f"batch:progress:{batch_id}"


async def counts_of(session: AsyncSession, batch: Batch) -> Counts:
    """Count a batch's items and jobs as they are now."""
    items = (await session.execute(_ITEMS, {"batch": batch.id})).all()
    groups = (await session.execute(_JOBS, {"batch": batch.id, "window": WINDOW})).all()
    return _counts(items, groups)


async def _measure(session: AsyncSession, batch: Batch) -> Progress:
    counts = await counts_of(session, batch)
    percent = 100.0 if batch.state in ENDED_STATES else _percent(batch, counts)
    told = (batch.documents_refused, batch.documents_failed)
    if percent > batch.percent or told != (counts.documents_refused, counts.documents_failed):
        now_told = {"refused": counts.documents_refused, "failed": counts.documents_failed}
        percent = await session.scalar(_TELL, {"batch": batch.id, "percent": percent, **now_told}) or percent
    now = datetime.now(UTC)
    seconds = min(WINDOW, now - (batch.started_at or now)).total_seconds()
    minutes = max(seconds, 1.0) / 60
    return Progress(
        state=batch.state,
        counts=counts,
        percent=max(percent, batch.percent),
        documents_per_minute=round(counts.documents_lately / minutes, 2),
        pages_per_minute=round(counts.pages_lately / minutes, 2),
        estimated_finish_at=_estimate(batch, counts, minutes, now),
        counted_at=now,
    )


def _estimate(batch: Batch, counts: Counts, minutes: float, now: datetime) -> datetime | None:
    if batch.state in ENDED_STATES or not counts.pages_lately:
        return None
    return now + timedelta(minutes=counts.pages_left / (counts.pages_lately / minutes))


def _percent(batch: Batch, counts: Counts) -> float:
    """Of all items; those that wait have nothing behind them, and those that were refused everything."""
    unfinished = counts.items.get(ItemStatus.WAITING, 0) + sum(counts.jobs.get(state, 0) for state in LIVE_STATES)
    whole = batch.item_count - unfinished + counts.behind
    return int(min(99.99, 100 * whole / batch.item_count) * 100) / 100


def _counts(items: Sequence[Any], groups: Sequence[Any]) -> Counts:
    by_status, errors, states, stages = (Counter[str]() for _ in range(4))
    for row in items:
        by_status[row.status] += row.number
        if row.error_code:
            errors[row.error_code] += row.number
    for row in groups:
        states[row.state] += row.number
        if row.state in LIVE_STATES:
            stages[row.stage] += row.number
        elif row.state == JobState.DEADLETTER:
            errors[row.error_code] += row.number
    counted = sum(row.counted for row in groups)
    mean = sum(row.pages_total for row in groups) / counted if counted else 1.0
    live = [row for row in groups if row.state in LIVE_STATES]
    return Counts(
        items=dict(by_status),
        jobs=dict(states),
        stages=dict(stages),
        errors=dict(errors),
        pages_done=sum(row.pages_done for row in groups),
        pages_total=sum(row.pages_total for row in groups),
        cost_microdollars=sum(row.cost for row in groups),
        behind=sum(_share(row) * row.number for row in live),
        pages_left=sum(_pages(row, mean) * (1 - _share(row)) for row in live) + by_status["waiting"] * mean,
        pages_lately=sum(row.pages_lately + row.uncounted_lately * mean for row in groups),
        documents_lately=sum(row.ended_lately for row in groups),
    )


def _share(row: Any) -> float:
    """How much of its way is behind a job of a group, at the mean."""
    return share_of(Stage(row.stage), row.pages_done, row.pages_total)


def _pages(row: Any, mean: float) -> float:
    return float(row.pages_total + (row.number - row.counted) * mean)


def _fresh_key(batch_id: UUID) -> str:
    return f"{progress_key(batch_id)}:fresh"


def _loaded(kept: bytes) -> Progress:
    values = orjson.loads(kept)
    finish = values["estimated_finish_at"]
    return Progress(
        **values
        | {
            "state": BatchState(values["state"]),
            "counts": Counts(**values["counts"]),
            "estimated_finish_at": datetime.fromisoformat(finish) if finish else None,
            "counted_at": datetime.fromisoformat(values["counted_at"]),
        }
    )


_ITEMS = text("""
    SELECT status, error_code, count(*) AS number FROM batch_items WHERE batch_id = :batch GROUP BY 1, 2
""")

_JOBS = text("""
    SELECT state, stage, error_code, count(*) AS number, count(pages_total) AS counted,
        CAST(sum(pages_done) AS bigint) AS pages_done,
        CAST(coalesce(sum(pages_total), 0) AS bigint) AS pages_total,
        CAST(sum(cost_microdollars) AS bigint) AS cost,
        count(*) FILTER (WHERE finished_at > now() - :window) AS ended_lately,
        CAST(coalesce(sum(pages_total) FILTER (WHERE finished_at > now() - :window), 0) AS bigint) AS pages_lately,
        count(*) FILTER (WHERE finished_at > now() - :window AND pages_total IS NULL) AS uncounted_lately
    FROM jobs WHERE batch_id = :batch GROUP BY 1, 2, 3
""").bindparams(bindparam("window", type_=Interval))

_TELL = text("""
    UPDATE batches SET percent = greatest(percent, :percent), documents_refused = :refused, documents_failed = :failed
    WHERE id = :batch AND state IN ('queued', 'working') RETURNING percent
""")
