"""When engines may be called: one limiter for the whole fleet, in Redis, so that no quota is ever exceeded.

Callers are told a moment, not made to wait: `wait_seconds` is theirs to sleep, or to hand on. While Redis is away,
each process goes on with a fair share of the quotas. What Redis knows may be lost at any time: rates begin anew, and
nothing starts until the next sweep has told which jobs run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.config import Settings
from app.ocr.engine import EngineName
from app.ocr.fleet_pacing import FleetPacing
from app.ocr.local_pacing import LocalPacing
from app.ocr.pacing_terms import Call, Lane, LaneState, Pacing, Permit, Refusal
from app.ocr.quotas import Quota, quotas_of

__all__ = ["Call", "Lane", "LaneState", "Pacer", "Permit", "Refusal", "lanes_of"]

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")

RETRY_SECONDS = 1.0
"""How long Redis is left alone after it didn't answer."""


def lanes_of(settings: Settings, engines: Collection[EngineName]) -> Mapping[Lane, Quota]:
    """The lanes of some engines, with what this fleet may ask of each."""
    return {
        Lane(engine, operation): quota for engine in engines for operation, quota in quotas_of(settings, engine).items()
    }


class Pacer:
    """The limiter. No method raises an error of Redis: while it is away, this process' own share is what counts.

    `account` names whose quotas they are: fleets with the same account and Redis share them. `workers` tells how many
    worker processes live, of which this is one.
    """

    __slots__ = ("_away", "_clock", "_fleet", "_local", "_patience_seconds", "_retry_at")

    def __init__(
        self,
        redis: Redis,
        quotas: Mapping[Lane, Quota],
        *,
        account: str,
        workers: Callable[[], int],
        recount_seconds: float = 10.0,
        patience_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fleet = FleetPacing(redis, quotas, account, recount_seconds)
        self._local = LocalPacing(quotas, workers, clock)
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._away = False
        self._retry_at = 0.0

    async def start(self, lane: Lane, member: str) -> Permit:
        """Whether a member may start a job: in its slot, at the moment that is returned.

        A member that holds a slot is granted again, at another moment if its own has been used or has passed.
        """
        return await self._ask(lambda pacing: pacing.start(lane, member))

    async def admit(self, lane: Lane, members: Sequence[str]) -> dict[str, float]:
        """Give slots and moments to members in order, as far as both reach; the seconds until each one's moment."""
        admitted = await self._ask(lambda pacing: pacing.admit(lane, members))
        return {member: permit.wait_seconds for member, permit in admitted.items()}

    async def room(self, lane: Lane) -> int:
        """How many could be admitted now."""
        return await self._ask(lambda pacing: pacing.room(lane))

    async def release(self, lane: Lane, member: str) -> None:
        """Give a slot back: the member's job has ended, or never began."""
        await self._ask(lambda pacing: pacing.release(lane, member))

    async def reconcile(self, lane: Lane, running: Collection[str], *, waiting: int) -> None:
        """Put the slots right by what Postgres knows, and say how many wait for one.

        Up to 500 running jobs are compared each time, more only every `recount_seconds`. A slot that was granted less
        than a minute ago stays, though its job may not run yet.
        """
        await self._ask(lambda pacing: pacing.reconcile(lane, running, waiting=waiting))

    async def get(self, lane: Lane) -> float:
        """Reserve a Get for a page of results: the seconds until its moment."""
        permit = await self._ask(lambda pacing: pacing.get(lane))
        return permit.wait_seconds

    async def gets(self, lane: Lane, most: int) -> int:
        """Take up to so many Gets for asking how jobs do, to be made at once, out of what result pages leave.

        A fifth of a second's worth is kept at most, so only who asks five times a second or more can spend it all.
        """
        return await self._ask(lambda pacing: pacing.gets(lane, most))

    async def read(self, lane: Lane) -> Permit:
        """Whether, and at which moment, a document may be read by a synchronous call."""
        return await self._ask(lambda pacing: pacing.read(lane))

    async def throttled(self, lane: Lane, call: Call) -> None:
        """Lower a rate for about a minute: the engine has throttled us, though we kept to the quota."""
        await self._ask(lambda pacing: pacing.throttled(lane, call))

    async def state(self, lane: Lane) -> LaneState:
        """How a lane is doing, for metrics."""
        return await self._ask(lambda pacing: pacing.state(lane))

    async def _ask(self, ask: Callable[[Pacing], Awaitable[Answer]]) -> Answer:
        now, away = self._clock(), self._away
        if away and now < self._retry_at:
            return await ask(self._local)
        # One caller tries whether Redis is back; the others go on alone meanwhile.
        self._retry_at = now + RETRY_SECONDS + self._patience_seconds
        try:
            async with asyncio.timeout(self._patience_seconds):
                if away and self._local.granted:
                    await self._fleet.forget_known()
                answer = await ask(self._fleet)
        except (RedisError, OSError) as error:
            self._lost(error)
            return await ask(self._local)
        if away:
            self._away = False
            log.info("pacing_together")
        return answer

    def _lost(self, error: Exception) -> None:
        self._retry_at = self._clock() + RETRY_SECONDS
        if not self._away:
            self._away = True
            self._local.begin(self._fleet.free)
            log.warning("pacing_alone", error=str(error) or type(error).__name__)
