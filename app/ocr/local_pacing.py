"""The limiter of a process that Redis has left alone: a fair share of the quotas, counted in process."""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from app.ocr.pacing_terms import (
    ADMISSION_LEAD_SECONDS,
    ADMISSION_REACH_SECONDS,
    BURST_SECONDS,
    GRANT_LEASE_SECONDS,
    HOLDER_REACH_SECONDS,
    LATE_SECONDS,
    LOWERED_ONCE_SECONDS,
    LOWEST_FACTOR,
    READ_REACH_SECONDS,
    RECOVERY_SECONDS,
    START_REACH_SECONDS,
    THROTTLED_FACTOR,
    Call,
    Lane,
    LaneState,
    Permit,
    Refusal,
)
from app.ocr.quotas import Quota


@dataclass(slots=True)
class Rate:
    """The rate of one kind of call, by GCRA: the same rules as in Redis."""

    due: float = -math.inf
    factor: float = 1.0
    lowered_at: float = -math.inf
    moments: deque[float] = field(default_factory=deque)

    def left(self, now: float) -> float:
        """What throttles have left of the quota, from `LOWEST_FACTOR` to 1."""
        return min(1.0, self.factor + (now - self.lowered_at) / RECOVERY_SECONDS)

    def lower(self, now: float) -> None:
        """Lower the rate for a throttle."""
        if now - self.lowered_at >= LOWERED_ONCE_SECONDS:
            self.factor = max(LOWEST_FACTOR, self.left(now) * THROTTLED_FACTOR)
            self.lowered_at = now

    def reserve(self, per_second: float, now: float, latest: float, burst_seconds: float = 0.0) -> float | None:
        """The next moment from `now` on, or None where that is after `latest`."""
        rate = per_second * self.left(now)
        burst, window = max(1, int(rate * burst_seconds)), math.ceil(per_second)
        moment = max(now, self.due - (burst - 1) / rate)
        while len(self.moments) > window:
            self.moments.popleft()
        if len(self.moments) == window:
            moment = max(moment, self.moments[0] + 1.0)
        if moment > latest:
            return None
        self.due = max(self.due, moment) + 1.0 / rate
        self.moments.append(moment)
        return moment


@dataclass(slots=True)
class Slots:
    """The slots that one process may fill, and those that it has granted of late."""

    allowed: int
    held: dict[str, float] = field(default_factory=dict)
    """When each was granted; a slot whose lease is over counts as spent, until some job is released."""
    moments: dict[str, float] = field(default_factory=dict)

    def free(self, now: float) -> int:
        """How many are left."""
        # Grants are in the order of time, so the oldest come first.
        while self.held and next(iter(self.held.values())) + GRANT_LEASE_SECONDS <= now:
            member = next(iter(self.held))
            self.drop(member)
            self.allowed -= 1
        return self.allowed - len(self.held)

    def grant(self, member: str, now: float) -> None:
        """Take a slot for a member, or hold it for longer."""
        self.held.pop(member, None)
        self.held[member] = now

    def drop(self, member: str) -> bool:
        """Forget a member; tells whether it held a slot."""
        self.moments.pop(member, None)
        return self.held.pop(member, None) is not None


@dataclass(slots=True)
class LocalPacing:
    """Pacing in process: quotas divided by the workers that live. It never fails, and knows of no line."""

    quotas: Mapping[Lane, Quota]
    workers: Callable[[], int]
    clock: Callable[[], float] = time.monotonic
    rates: dict[tuple[Lane, Call], Rate] = field(default_factory=dict)
    slots: dict[Lane, Slots] = field(default_factory=dict)

    def begin(self, free: Mapping[Lane, int]) -> None:
        """Begin anew, with a share of the slots that were free when Redis was last heard; of all, where it never was."""
        self.rates.clear()
        self.slots.clear()
        for lane, quota in self.quotas.items():
            share = free[lane] // self._living() if lane in free else quota.concurrent_jobs // self._living() or 1
            self.slots[lane] = Slots(max(0, share))

    @property
    def granted(self) -> bool:
        """Whether slots were granted that Redis doesn't know of."""
        return any(slots.held for slots in self.slots.values())

    async def start(self, lane: Lane, member: str) -> Permit:
        now, slots = self.clock(), self.slots[lane]
        free, reach = slots.free(now), START_REACH_SECONDS
        moment: float | None = None
        if member in slots.held:
            reach = HOLDER_REACH_SECONDS
            moment = slots.moments.pop(member, -math.inf)
        elif free < 1:
            return Permit(refusal=Refusal.SLOTS_FULL)
        if moment is None or moment + LATE_SECONDS < now:
            moment = self._rate(lane, "start").reserve(self._share(lane, "start"), now, now + reach)
        if moment is None:
            return Permit(refusal=Refusal.TOO_SOON)
        slots.grant(member, now)
        return _permit(moment, now)

    async def admit(self, lane: Lane, members: Sequence[str]) -> dict[str, Permit]:
        now, slots, admitted = self.clock(), self.slots[lane], dict[str, Permit]()
        rate, per_second = self._rate(lane, "start"), self._share(lane, "start")
        for member in members:
            free, held = slots.free(now), member in slots.held
            if free < 1 and not held:
                break
            moment: float | None = slots.moments.get(member, -math.inf)
            if moment is None or moment < now:
                moment = rate.reserve(per_second, now + ADMISSION_LEAD_SECONDS, now + ADMISSION_REACH_SECONDS)
            if moment is None and not held:
                break
            if moment is not None:
                slots.grant(member, now)
                slots.moments[member] = moment
                admitted[member] = _permit(moment, now)
        return admitted

    async def room(self, lane: Lane) -> int:
        now, rate = self.clock(), self._rate(lane, "start")
        first, latest = max(rate.due, now + ADMISSION_LEAD_SECONDS), now + ADMISSION_REACH_SECONDS
        calls = math.floor((latest - first) * self._share(lane, "start") * rate.left(now)) + 1
        return max(0, min(calls, self.slots[lane].free(now)))

    async def release(self, lane: Lane, member: str) -> None:
        slots = self.slots[lane]
        if not slots.drop(member):
            # Another's grant: its slot is free for whoever hears of its end, so that the fleet's sum stays the same.
            slots.allowed = min(slots.allowed + 1, self.quotas[lane].concurrent_jobs)

    async def reconcile(self, lane: Lane, running: Collection[str], *, waiting: int) -> None:  # noqa: ARG002  no line here
        now, slots = self.clock(), self.slots[lane]
        slots.free(now)
        for member in slots.held.keys() & set(running):
            slots.drop(member)
        free = self.quotas[lane].concurrent_jobs - len(running) - len(slots.held)
        slots.allowed = max(0, free) // self._living() + len(slots.held)

    async def get(self, lane: Lane) -> Permit:
        now = self.clock()
        moment = self._rate(lane, "get").reserve(self._share(lane, "get"), now, math.inf, BURST_SECONDS)
        return _permit(now if moment is None else moment, now)

    async def gets(self, lane: Lane, most: int) -> int:
        now, rate, per_second = self.clock(), self._rate(lane, "get"), self._share(lane, "get")
        taken = 0
        while taken < most and rate.reserve(per_second, now, now, BURST_SECONDS) is not None:
            taken += 1
        return taken

    async def read(self, lane: Lane) -> Permit:
        now = self.clock()
        moment = self._rate(lane, "read").reserve(self._share(lane, "read"), now, now + READ_REACH_SECONDS)
        return Permit(refusal=Refusal.TOO_SOON) if moment is None else _permit(moment, now)

    async def throttled(self, lane: Lane, call: Call) -> None:
        self._rate(lane, call).lower(self.clock())

    async def state(self, lane: Lane) -> LaneState:
        now, slots = self.clock(), self.slots[lane]
        slots.free(now)
        start, get, read = (
            self._share(lane, call) * self._rate(lane, call).left(now) for call in ("start", "get", "read")
        )
        return LaneState(
            running=len(slots.held),
            concurrent_jobs=slots.allowed,
            in_line=0,
            start_per_second=start,
            get_per_second=get,
            read_per_second=read,
            fleet_wide=False,
        )

    def _rate(self, lane: Lane, call: Call) -> Rate:
        return self.rates.setdefault((lane, call), Rate())

    def _share(self, lane: Lane, call: Call) -> float:
        quota = self.quotas[lane]
        whole = {"start": quota.start_per_second, "get": quota.get_per_second, "read": quota.read_per_second}
        return whole[call] / self._living()

    def _living(self) -> int:
        return max(1, self.workers())


def _permit(moment: float, now: float) -> Permit:
    return Permit(wait_seconds=max(0.0, moment - now), at=max(moment, now))
