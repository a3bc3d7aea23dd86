"""The pre-flight: whether a batch would be worked on, asked before it is accepted, so that none waits for nobody.

What makes it pointless to wait (no worker, no engine, no bucket) refuses a batch that requires better; what only makes
it slow (a full account, a day's budget that is spent) is told and no more, since documents wait for that by design.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from app.alerts.models import AlertCode
from app.alerts.repository import raise_alert
from app.batches.drafts import BatchDraft, Strictness
from app.db import Sessions
from app.errors import (
    DailyCostReached,
    NoWorkers,
    OcrEnginesAway,
    OcrSlotsFull,
    QuireError,
    StorageUnavailable,
    Unavailable,
)
from app.jobs.presence import live_workers
from app.jobs.watch import unserved
from app.ocr.calls import Ocr
from app.ocr.circuit import Position
from app.ocr.engine import ReadRequest
from app.ocr.pacing import Lane
from app.queue import BATCH_QUEUES, QueueName
from app.storage.s3 import Bucket

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a batch would meet with."""

    error: QuireError
    queues: tuple[str, ...] = ()
    """The queues that nobody serves."""

    @property
    def is_hopeless(self) -> bool:
        """Whether the batch would wait for something that doesn't come by itself."""
        return isinstance(self.error, NoWorkers | StorageUnavailable | OcrEnginesAway)

    def said(self) -> dict[str, Any]:
        """As a warning of the batch."""
        return {"code": self.error.code, "message": self.error.detail, "queues": list(self.queues)}


@dataclass(frozen=True, slots=True)
class Preflight:
    """Asks every part that a batch needs."""

    sessions: Sessions
    redis: Redis
    bucket: Bucket
    ocr: Ocr
    queues_for: Callable[[Mapping[str, Any]], Sequence[QueueName]]
    """The queues that jobs of some options need workers on."""
    daily_cap: int | None
    """Micro-dollars that a project may spend on a day."""

    async def check(self, project_id: UUID, draft: BatchDraft, *, rehearsed: bool = False) -> list[dict[str, Any]]:
        """What a batch would meet with, as its warnings.

        With `require`, raises `NoWorkers`, `StorageUnavailable` or `OcrEnginesAway`. Either way, an alert is raised for each
        queue that nobody serves, but where it is only rehearsed and nothing is refused: nothing waits there then.
        """
        found = await asyncio.gather(
            self._workers(draft),
            self._storage(),
            self._engines(draft.options),
            self._budget(project_id),
            self._doorbell(),
        )
        findings = [finding for finding in found if finding is not None]
        required = draft.preflight is Strictness.REQUIRE
        hopeless = [finding.error for finding in findings if required and finding.is_hopeless]
        for finding in findings if hopeless or not rehearsed else ():
            await self._alert(finding)
            log.warning("batch_preflight_failed", code=finding.error.code, queues=list(finding.queues))
        if hopeless:
            raise hopeless[0]
        return [finding.said() for finding in findings]

    async def _workers(self, draft: BatchDraft) -> Finding | None:
        needed = [BATCH_QUEUES[draft.priority], *self.queues_for(draft.options)]
        served = {queue for worker in await live_workers(self.sessions) for queue in worker.queues}
        unserved = tuple(queue.value for queue in needed if queue not in served)
        if not unserved:
            return None
        named = ", ".join(unserved)
        told = f"No live worker serves {named}; start one with `quire worker --queues {','.join(unserved)}`."
        return Finding(NoWorkers(told), unserved)

    async def _storage(self) -> Finding | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.bucket.check()
        except QuireError as error:
            return Finding(error)
        except (TimeoutError, OSError):
            return Finding(StorageUnavailable())
        return None

    async def _engines(self, options: Mapping[str, Any]) -> Finding | None:
        """Whether an engine is there to be asked, and whether it has room for another job."""
        states = await self.ocr.router.states()
        wanted = options.get("engine")
        asked = {name: state for name, state in states.items() if wanted in {None, name.value}}
        open_to_us = [
            name for name, each in asked.items() if each.state is Position.CLOSED or not each.retry_in_seconds
        ]
        if not open_to_us:
            reasons = "; ".join(f"{name} is away ({state.reason})" for name, state in asked.items())
            return Finding(OcrEnginesAway(f"No engine can be asked: {reasons or f'{wanted} is not set up here'}."))
        operation = ReadRequest.from_options(dict(options)).operation
        lanes = [await self.ocr.pacer.state(Lane(name, operation)) for name in open_to_us]
        return Finding(OcrSlotsFull()) if all(lane.running >= lane.concurrent_jobs for lane in lanes) else None

    async def _budget(self, project_id: UUID) -> Finding | None:
        if self.daily_cap is None:
            return None
        async with self.sessions() as session:
            spent = int(await session.scalar(_SPENT_TODAY, {"project": project_id}) or 0)
        if spent < self.daily_cap:
            return None
        told = f"The project has spent {spent} of the {self.daily_cap} micro-dollars that it may on a day."
        return Finding(DailyCostReached(f"{told} What is to be paid for waits for the next one (UTC)."))

    async def _doorbell(self) -> Finding | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.redis.ping()
        except (RedisError, TimeoutError, OSError):
            return Finding(Unavailable("Redis doesn't answer: work starts when it is back."))
        return None

    async def _alert(self, finding: Finding) -> None:
        """Tell operators, in a transaction of its own: also of a batch that is refused."""
        if not finding.queues:
            return
        async with self.sessions.begin() as session:
            for queue in finding.queues:
                await raise_alert(
                    session, AlertCode.QUEUE_UNSERVED, queue, {"message": unserved(queue), "wanted_by": "batch"}
                )


# Without the lock under which jobs are begun: here a figure is enough.
_SPENT_TODAY = text("""
    SELECT coalesce(sum(cost_microdollars), 0) FROM textract_jobs
    WHERE project_id = :project AND created_at >= date_trunc('day', now(), 'UTC')
""")
