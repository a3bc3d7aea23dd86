"""What the sweep does for batches every second: ring for those that nobody takes apart, and end those whose items have."""

from datetime import timedelta

from redis.asyncio import Redis
from sqlalchemy import Interval, bindparam, text

from app.batches.ending import cancel_jobs, end_batch
from app.db import Sessions, one_statement
from app.queue import Queue

LOOKED_AT = 1000
"""Open batches that are looked at in one sweep, those of high priority and the oldest first."""


async def sweep_batches(sessions: Sessions, redis: Redis, queue: Queue, *, again: timedelta) -> None:
    """Look once over all open batches; `again` is how long a taker may be silent before another one is rung for."""
    async with one_statement(sessions) as session:
        rows = (await session.execute(_OPEN, {"again": again, "limit": LOOKED_AT})).all()
    for row in rows:
        if row.cancelled:
            await cancel_jobs(sessions, redis, row.project_id, row.id)
        elif row.is_waiting and row.is_silent:
            await queue.take_batch(row.id, row.priority, row.chance)
        if not row.is_waiting and not row.is_running:
            await end_batch(sessions, redis, row.id)


# A chance to take from a batch is named by when it was last taken from: a taker that died with one doesn't keep others
# from the next.
_OPEN = text("""
    SELECT b.id, b.project_id, b.priority, b.cancel_requested_at IS NOT NULL AS cancelled,
        b.state = 'queued' OR b.updated_at < now() - :again AS is_silent,
        CAST(floor(extract(epoch FROM b.updated_at) * 1000) AS bigint) AS chance,
        EXISTS (SELECT FROM batch_items i WHERE i.batch_id = b.id AND i.status = 'waiting') AS is_waiting,
        EXISTS (
            SELECT FROM jobs j WHERE j.batch_id = b.id AND j.state IN ('queued', 'working', 'retryable')
        ) AS is_running
    FROM batches b WHERE b.state IN ('queued', 'working')
    ORDER BY array_position(ARRAY['high', 'normal', 'low'], b.priority), b.created_at LIMIT :limit
""").bindparams(bindparam("again", type_=Interval))
