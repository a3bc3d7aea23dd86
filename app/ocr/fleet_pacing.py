"""The limiter that the whole fleet shares: what `Pacer` asks of Redis."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from app.ocr import pacing_scripts as scripts
from app.ocr.pacing_terms import Call, Lane, LaneState, Permit
from app.ocr.quotas import Quota

SECOND = 1_000_000

ALWAYS_COUNTED = 500
"""As many running jobs are compared one by one every time: it costs less than a millisecond."""


@dataclass(frozen=True, slots=True)
class FleetPacing:
    """Pacing by scripts in Redis; raises what the Redis client raises."""

    redis: Redis
    quotas: Mapping[Lane, Quota]
    account: str
    recount_seconds: float
    """How often more running jobs than `ALWAYS_COUNTED` are compared one by one."""
    free: dict[Lane, int] = field(default_factory=dict)
    """Free slots by lane, as they were last seen."""
    loaded: dict[str, AsyncScript] = field(default_factory=dict)

    async def start(self, lane: Lane, member: str) -> Permit:
        quota = self.quotas[lane]
        told = (member, quota.start_per_second, quota.concurrent_jobs)
        answer, moment, now, free = await self._ask(scripts.START, lane, *told)
        self.free[lane] = free
        return _permit(answer, moment, now)

    async def admit(self, lane: Lane, members: Sequence[str]) -> dict[str, Permit]:
        quota = self.quotas[lane]
        told: list[str | float] = [quota.start_per_second, quota.concurrent_jobs, *members]
        now, free, *moments = await self._ask(scripts.ADMIT, lane, *told)
        self.free[lane] = free
        return {member: _permit(0, moment, now) for member, moment in zip(members, moments, strict=False) if moment}

    async def room(self, lane: Lane) -> int:
        quota = self.quotas[lane]
        room, free = await self._ask(scripts.ROOM, lane, quota.start_per_second, quota.concurrent_jobs)
        self.free[lane] = free
        return int(room)

    async def release(self, lane: Lane, member: str) -> None:
        self.free[lane] = await self._ask(scripts.RELEASE, lane, member, self.quotas[lane].concurrent_jobs)

    async def reconcile(self, lane: Lane, running: Collection[str], *, waiting: int) -> None:
        told = (waiting, len(running), self.quotas[lane].concurrent_jobs)
        believed = 0
        if len(running) > ALWAYS_COUNTED:
            believed, self.free[lane] = await self._ask(scripts.RECONCILE, lane, *told)
        if not believed:
            # One argument, to be split there: packing each by itself costs ten times as much.
            counted = ("\n".join(running), max(1, int(self.recount_seconds * 1000)))
            _, self.free[lane] = await self._ask(scripts.RECONCILE, lane, *told, *counted)

    async def get(self, lane: Lane) -> Permit:
        return _permit(*await self._ask(scripts.GET, lane, self.quotas[lane].get_per_second))

    async def gets(self, lane: Lane, most: int) -> int:
        return int(await self._ask(scripts.GETS, lane, self.quotas[lane].get_per_second, most))

    async def read(self, lane: Lane) -> Permit:
        return _permit(*await self._ask(scripts.READ, lane, self.quotas[lane].read_per_second))

    async def throttled(self, lane: Lane, call: Call) -> None:
        await self._ask(scripts.THROTTLED, lane, call)

    async def state(self, lane: Lane) -> LaneState:
        quota = self.quotas[lane]
        running, in_line, *factors = await self._ask(scripts.STATE, lane, quota.concurrent_jobs)
        start, get, read = map(float, factors)
        return LaneState(
            running=running,
            concurrent_jobs=quota.concurrent_jobs,
            in_line=in_line,
            start_per_second=quota.start_per_second * start,
            get_per_second=quota.get_per_second * get,
            read_per_second=quota.read_per_second * read,
            fleet_wide=True,
        )

    async def forget_known(self) -> None:
        """Have running jobs counted again before anything new starts."""
        await self.redis.delete(*(self.key(lane, name) for lane in self.quotas for name in ("known", "counted")))

    def key(self, lane: Lane, name: str) -> str:
        """The Redis key of one of `KEY_NAMES` in a lane."""
        return f"quire:pace:{self.account}:{lane.engine}:{lane.operation}:{name}"

    async def _ask(self, script: str, lane: Lane, *told: str | float) -> Any:
        loaded = self.loaded.get(script)
        if loaded is None:
            loaded = self.loaded[script] = self.redis.register_script(script)
        return await loaded(keys=[self.key(lane, name) for name in scripts.KEY_NAMES], args=told)


def _permit(answer: int, moment: int, now: int) -> Permit:
    refusal = scripts.ANSWERS[answer]
    if refusal is not None:
        return Permit(refusal=refusal)
    return Permit(wait_seconds=max(0, moment - now) / SECOND, at=max(moment, now) / SECOND)
