"""The sweep: every second, one worker of the fleet repairs what crashes, lost messages and an emptied Redis left behind.

It gives back the jobs of dead workers, and rings for what is due. It is the only repair there is, and covers them all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.batches.sweeping import sweep_batches
from app.db import one_statement, transaction
from app.errors import QuireError
from app.idempotency import forget_old_keys
from app.jobs import backlog
from app.jobs.backlog import DueJob, Shares
from app.jobs.models import Job
from app.jobs.states import WAITING_STATES
from app.pipeline.outcome import Tools
from app.pipeline.stages import QUEUES, ROUTES
from app.queue import Queue, QueueName, stages_of

log = structlog.get_logger(__name__)

LEAST_WAIT_SECONDS = 0.01
"""Before the next look whether it is somebody's turn."""
PATIENCE_SECONDS = 1.0
"""How long Redis is waited for to say whose turn it is."""
NEVER = -1
"""What Redis says of when a key without an end ends."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One look over the whole backlog."""

    tools: Tools
    queue: Queue

    async def sweep(self) -> None:
        """Give back what is lost, and ring for what is due. Does nothing while another worker sweeps."""
        async with transaction(self.tools.sessions) as session:
            await self._end_hung(session)  # first, for whoever holds the lock may be what hangs
            if not await backlog.try_sweep_lock(session):
                return
            given_back = await backlog.give_back_lost(session, max_attempts=self.tools.settings.max_attempts)
            await backlog.forget_dead_workers(session)
            await forget_old_keys(session)
        for job in given_back:
            await self._tell(job)
        for queue in QUEUES:
            await self.queue.advance_all((due, 0.0) for due in await self._take_due(queue))
        await self._sweep_batches()

    async def _sweep_batches(self) -> None:
        again = timedelta(seconds=self.tools.settings.ring_again_seconds)
        await sweep_batches(self.tools.sessions, self.tools.redis, self.queue, again=again)

    async def _end_hung(self, session: AsyncSession) -> None:
        after = timedelta(seconds=self.tools.settings.lease_seconds)
        if ended := await backlog.end_hung_transactions(session, after=after):
            log.warning("hung_transactions_ended", connections=ended)

    async def _take_due(self, queue: QueueName) -> list[DueJob]:
        room = await self.queue.room(queue)
        reserve, settings = self.queue.reserve, self.tools.settings
        if room + 2 * reserve <= 0:
            return []
        stages, again = stages_of(ROUTES, queue), timedelta(seconds=settings.ring_again_seconds)
        async with one_statement(self.tools.sessions) as session:
            return await backlog.take_due(
                session, stages, room=room, reserve=reserve, again=again, shares=Shares.of(settings)
            )

    async def _tell(self, job: Job) -> None:
        log.warning("job_given_back", job_id=str(job.id), stage=job.stage, attempts=job.attempts, state=job.state)
        await events.ring(
            self.tools.redis, job.id, job.last_event_number, project_id=job.project_id, batch_id=job.batch_id
        )
        if job.state in WAITING_STATES:
            await self.queue.advance(job)


async def every(seconds: float, do: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again, until cancelled; a part that is away for a while doesn't end it."""
    while True:
        await _once(do)
        await asyncio.sleep(seconds)


async def every_in_turn(seconds: float, name: str, redis: Redis, do: Callable[[], Awaitable[object]]) -> None:
    """The same, once in so many seconds in the whole fleet: by whoever comes first, and while Redis is away by everybody.

    Who could not do it leaves its turn to the others.
    """
    key = f"quire:turn:{name}"
    while True:
        wait = await _taken_for(seconds, key, redis)
        if wait <= 0:
            if not await _once(do):
                with suppress(RedisError, OSError):
                    await redis.delete(key)
            wait = seconds
        await asyncio.sleep(wait)


async def _taken_for(seconds: float, key: str, redis: Redis) -> float:
    """For how many seconds, no more than those of a turn, others have had it already; none where it is ours."""
    whole_ms = max(1, round(seconds * 1000))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            if await redis.set(key, 1, nx=True, px=whole_ms):
                return 0.0
            left_ms: int = await redis.pttl(key)
            if (
                left_ms == NEVER or left_ms > whole_ms
            ):  # restored so, or Redis' clock was set back: nobody would wake up
                await redis.set(key, 1, px=whole_ms)
                return 0.0
    except (RedisError, OSError):
        return 0.0
    except Exception:  # as in `_once`
        log.exception("periodic_task_crashed", task=key)
        return 0.0
    return max(LEAST_WAIT_SECONDS, left_ms / 1000)


async def _once(do: Callable[[], Awaitable[object]]) -> bool:
    """Whether it could be done."""
    try:
        await do()
    except (SQLAlchemyError, OSError, QuireError) as error:
        log.warning("periodic_task_failed", task=_name(do), error=str(error))
    except Exception:  # a defect must not end what repairs everything else
        log.exception("periodic_task_crashed", task=_name(do))
    else:
        return True
    return False


def _name(do: Callable[[], Awaitable[object]]) -> str:
    """What a task is called in the log: never its `repr`, which would tell its arguments, settings and passwords with them."""
    called = do.func if isinstance(do, partial) else do
    return getattr(called, "__name__", type(called).__name__)
