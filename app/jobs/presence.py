"""Which workers are there: a lock that the kernel lets go of with the process, and a heartbeat that renews its leases.

The lock is a session-level advisory lock in Postgres under the worker's own id. When the process is killed, its
connection closes and the lock falls free, which the sweep sees within a second. The lease covers what that can't
show: a hung process, a cut network, or a pooler between us and Postgres.
"""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import DateTime, Interval, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError

from app.db import Sessions, new_id, one_statement
from app.jobs.models import Job, Worker
from app.jobs.repository import GIVEN_BACK, transition
from app.jobs.states import JobState

log = structlog.get_logger(__name__)

ALIVE_WITHIN = timedelta(seconds=15)


def new_worker_id() -> str:
    """An id that says where the process runs, and is never used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{new_id().hex[-8:]}"


@dataclass(slots=True)
class FleetSize:
    """How many workers live, as this process last saw."""

    workers: int = 1


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker that was heard of lately."""

    id: str
    hostname: str
    queues: Sequence[str]
    started_at: datetime
    heartbeat_at: datetime


@dataclass(slots=True)
class Presence:
    """One worker's sign of life; `run()` it beside the work."""

    sessions: Sessions
    database_url: str
    worker_id: str
    queues: Sequence[str]
    lease: timedelta
    interval_seconds: float
    doing: Callable[[], Sequence[UUID]]
    """The jobs that this process works on now: only their leases are renewed."""
    fleet: FleetSize = field(default_factory=FleetSize)
    _lock: asyncpg.Connection | None = field(default=None)
    _has_lock: bool = False
    _lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Hold the lock and say that we are there, until cancelled."""
        try:
            while True:
                try:
                    await self.beat()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError, TimeoutError) as error:
                    log.warning("heartbeat_failed", error=str(error))
                    await asyncio.sleep(0.5)
                    continue
                await self._until_next()
        finally:
            await asyncio.shield(self._leave())

    async def _until_next(self) -> None:
        """Wait for the next sign of life, or for the lock's connection to break: without it we are taken for dead."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.interval_seconds):
                await self._lost.wait()

    async def beat(self) -> None:
        """One sign of life, and the leases renewed."""
        holds_lock = await self._hold_lock()
        doing = [str(job_id) for job_id in self.doing()]
        statement = upsert(Worker).values(
            id=self.worker_id,
            hostname=socket.gethostname(),
            process_id=os.getpid(),
            queues=list(self.queues),
            doing=doing,
            holds_lock=holds_lock,
        )
        said = {
            "doing": statement.excluded.doing,
            "holds_lock": statement.excluded.holds_lock,
            "heartbeat_at": func.now(),
        }
        async with self.sessions.begin() as session:
            await session.execute(statement.on_conflict_do_update(index_elements=[Worker.id], set_=said))
            self.fleet.workers = await session.scalar(_COUNT_LIVE, {"within": ALIVE_WITHIN}) or 1
            if doing:
                await session.execute(_RENEW_LEASES, {"worker": self.worker_id, "ids": doing, "lease": self.lease})

    async def _hold_lock(self) -> bool:
        """Take the lock, where we don't hold it, and make sure that it is seen from another connection.

        Behind a pooler that shares connections it isn't; then only the lease speaks for us.
        """
        self._lost.clear()
        if self._lock is None or self._lock.is_closed():
            self._has_lock = False
            self._lock = await asyncpg.connect(
                self.database_url, timeout=5, server_settings={"application_name": "quire worker lock"}
            )
            self._lock.add_termination_listener(lambda _: self._lost.set())
        if not self._has_lock:
            # Never waited for: a connection of ours that broke unseen by Postgres may hold it for hours yet.
            self._has_lock = bool(await self._lock.fetchval(_TAKE_LOCK, self.worker_id, timeout=5))
        async with self.sessions() as session:
            return not await session.scalar(_LOCK_IS_FREE, {"worker": self.worker_id})

    async def _leave(self) -> None:
        """Give back what is still claimed under our id, at no cost to it, and be forgotten."""
        try:
            async with self.sessions.begin() as session:
                held = select(Job.id, Job.fence).where(Job.claimed_by == self.worker_id, Job.state == JobState.WORKING)
                for job_id, fence in (await session.execute(held.with_for_update())).all():
                    await transition(session, job_id, JobState.QUEUED, fence=fence, event=GIVEN_BACK)
                await session.execute(delete(Worker).where(Worker.id == self.worker_id))
            if self._lock is not None:
                await self._lock.close(timeout=1)
        except (OSError, asyncpg.PostgresError, SQLAlchemyError, TimeoutError) as error:
            log.warning("leave_unsaid", error=str(error))


async def live_workers(sessions: Sessions) -> list[LiveWorker]:
    """The workers that were heard of lately and, as far as Postgres can see that, still hold their locks."""
    async with one_statement(sessions) as session:
        rows = await session.execute(_LIVE, {"within": ALIVE_WITHIN})
        return [LiveWorker(row.id, row.hostname, row.queues, row.started_at, row.heartbeat_at) for row in rows]


async def served(sessions: Sessions) -> dict[str, int]:
    """How many live workers serve each queue; queues that none serves are left out."""
    return dict(Counter(queue for worker in await live_workers(sessions) for queue in worker.queues))


async def unserved(sessions: Sessions, queues: Iterable[str]) -> list[str]:
    """Those of some queues that no live worker serves, in order of their names."""
    return sorted(set(queues) - set(await served(sessions)))


LOCK_LOST = """
    w.holds_lock
    AND pg_postmaster_start_time() < now() - interval '5 seconds'
    AND NOT EXISTS (
        SELECT 1 FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(w.id, 0))
"""
"""That the worker `w` has lost its lock; just after Postgres itself started, none had the time to take one."""

_LIVE = (
    text(f"""
    SELECT w.id, w.hostname, w.queues, w.started_at, w.heartbeat_at FROM workers w
    WHERE w.heartbeat_at > now() - :within AND NOT ({LOCK_LOST}) ORDER BY w.started_at, w.id
""")  # noqa: S608 (no outside text)
    .bindparams(bindparam("within", type_=Interval))
    .columns(
        id=TEXT, hostname=TEXT, queues=JSONB, started_at=DateTime(timezone=True), heartbeat_at=DateTime(timezone=True)
    )
)

_RENEW_LEASES = text(
    "UPDATE jobs SET lease_until = now() + :lease WHERE state = 'working' AND claimed_by = :worker AND id = ANY(CAST(:ids AS uuid[]))"
).bindparams(bindparam("lease", type_=Interval))

_COUNT_LIVE = text("SELECT count(*) FROM workers WHERE heartbeat_at > now() - :within").bindparams(
    bindparam("within", type_=Interval)
)

_TAKE_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"

# Taking it here would succeed only if nobody held it; the transaction's end lets it go again.
_LOCK_IS_FREE = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:worker, 0))")
