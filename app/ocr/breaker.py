"""A circuit breaker for each engine, one for the whole fleet: an engine that is away is left alone, and probed by one caller.

The rules are plain functions from one circuit to the next; what keeps a circuit (Redis, or this process while Redis is
away) only has to swap the old one for the new one. A swap is lost only to another caller's, so that a change has one
author. It is written here because no library does this: purgatory reads, decides and writes in separate steps, so that
callers overwrite each other, lets everybody through while half-open, and has one open time; aiobreaker's Redis storage
blocks the event loop. Times are those of the Redis server, so that the clocks of the fleet need not agree.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar, cast

import orjson
import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from app.config import Settings
from app.ocr.engine import EngineName

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

FAILURES_COUNT_SECONDS = 60.0
"""How long a failure counts: five within a minute speak against an engine, five in a day don't."""

PROBE_SECONDS = 30.0
"""How long a probe may take to report back before the next is let through: its worker may have died."""

PROBE_LOOK_SECONDS = 5.0
"""How soon to ask again while a probe is under way; most of them end within a few seconds."""

LOOK_HOLDS_SECONDS = 0.5
"""How long a look at a closed circuit without failures holds: calls that go well then cost Redis nothing."""

REDIS_SECONDS = 2.0
"""How long Redis may take, whatever the retries of its client: an engine call waits for it."""

REDIS_AWAY_SECONDS = 5.0
"""How long Redis isn't asked after it didn't answer."""

KEPT_MS = 24 * 3600 * 1000

_LOOK = "return {redis.call('TIME'), redis.call('GET', KEYS[1])}"

_SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""


class Position(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    """Every call goes through."""
    OPEN = "open"
    """No call goes through until its time is up."""
    HALF_OPEN = "half_open"
    """One call goes through, to see whether the engine is back."""


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker that went from one state to another. Only the caller that made it gets it."""

    engine: EngineName
    from_state: Position
    to_state: Position
    reason: str | None


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a call may be made. Whoever is let through as the probe has to report how it went."""

    allowed: bool
    probe: bool = False
    retry_in_seconds: float = 0.0
    reason: str | None = None
    """Why not: the code of the last failure."""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How a breaker stands, for people and metrics; an open one with nothing left to wait for is due for a probe."""

    state: Position
    failures: int
    opened_at: datetime | None
    retry_in_seconds: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class Circuit:
    """All that is known of a breaker. Times are seconds since 1970."""

    state: Position = Position.CLOSED
    failures: tuple[float, ...] = ()
    """When the last failures in a row happened, the newest last; the oldest beyond the limit are dropped."""
    opened_at: float | None = None
    until: float = 0.0
    """When an open circuit may be probed, and when the probe of a half-open one is given up."""
    failed_probes: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How circuits change. Every method returns the circuit as it is from now on."""

    failures: int
    open_seconds: float
    max_open_seconds: float

    def asked(self, circuit: Circuit, now: float) -> tuple[Circuit, Gate]:
        """What a caller is told; letting a probe through makes the circuit half-open for as long as it may take."""
        if circuit.state is Position.CLOSED:
            return circuit, Gate(allowed=True)
        left = circuit.until - now
        if left <= 0:
            probing = replace(circuit, state=Position.HALF_OPEN, until=now + PROBE_SECONDS)
            return probing, Gate(allowed=True, probe=True, reason=circuit.reason)
        wait = min(left, PROBE_LOOK_SECONDS) if circuit.state is Position.HALF_OPEN else left
        return circuit, Gate(allowed=False, retry_in_seconds=wait, reason=circuit.reason)

    def given_back(self, circuit: Circuit, now: float) -> Circuit:
        """The next caller may be the probe at once."""
        return replace(circuit, until=now) if circuit.state is Position.HALF_OPEN else circuit

    def succeeded(self, circuit: Circuit) -> Circuit:
        """A success clears what there was. An open circuit stays so: the call had begun before."""
        return circuit if circuit.state is Position.OPEN else Circuit()

    def failed(self, circuit: Circuit, now: float, reason: str, *, probe: bool | None) -> Circuit:
        """One more failure. While half-open, only a probe's counts: others may have begun before the circuit opened."""
        if circuit.state is Position.OPEN or (circuit.state is Position.HALF_OPEN and probe is False):
            return circuit
        if circuit.state is Position.HALF_OPEN:
            return self._opened(replace(circuit, failed_probes=circuit.failed_probes + 1), now, reason)
        failures = (*(at for at in circuit.failures if now - at <= FAILURES_COUNT_SECONDS), now)[-self.failures :]
        circuit = replace(circuit, failures=failures, reason=reason)
        return self._opened(circuit, now, reason) if len(failures) >= self.failures else circuit

    def _opened(self, circuit: Circuit, now: float, reason: str) -> Circuit:
        # The exponent is bounded because 2.0 to the power of a thousand failed probes is an error.
        seconds = min(self.open_seconds * 2.0 ** min(circuit.failed_probes, 30), self.max_open_seconds)
        opened_at = circuit.opened_at if circuit.state is Position.HALF_OPEN else now
        return replace(circuit, state=Position.OPEN, opened_at=opened_at, until=now + seconds, reason=reason)


class Breaker:
    """The breaker of one engine. No method raises: while Redis is away, this process goes by what it sees itself.

    Then each process is the author of its own changes.
    """

    def __init__(
        self,
        redis: ArqRedis,
        engine: EngineName,
        settings: Settings,
        *,
        look_holds_seconds: float = LOOK_HOLDS_SECONDS,
    ) -> None:
        self.engine = engine
        self._redis = redis
        self._key = f"quire:breaker:{engine}"
        self._rules = Rules(
            settings.ocr_breaker_failures,
            settings.ocr_breaker_open_seconds,
            max(settings.ocr_breaker_open_seconds, settings.ocr_breaker_max_open_seconds),
        )
        self._look_holds_seconds = look_holds_seconds
        self._known = Circuit()
        """The circuit as last seen, and the truth while Redis is away."""
        self._known_at = float("-inf")
        self._redis_away_until = float("-inf")
        self._is_alone = False

    async def allow(self) -> Gate:
        """Whether the engine may be called now."""
        if self._is_quiet():
            return Gate(allowed=True)
        gate, change = await self._apply(self._rules.asked)
        return replace(gate, change=change)

    async def succeeded(self) -> Change | None:
        """The engine answered, which closes its breaker unless that is open; returns the change where there was one."""
        if self._is_quiet():
            return None
        return (await self._apply(lambda circuit, _: (self._rules.succeeded(circuit), None)))[1]

    async def failed(self, reason: str, *, probe: bool | None = None) -> Change | None:
        """The engine failed, by a stable code; `probe` is what the gate said, or None where that isn't known."""
        rules = self._rules
        return (await self._apply(lambda circuit, now: (rules.failed(circuit, now, reason, probe=probe), None)))[1]

    async def give_back(self) -> None:
        """For a probe that didn't come to call the engine after all: let another try."""
        await self._apply(lambda circuit, now: (self._rules.given_back(circuit, now), None))

    async def state(self) -> BreakerState:
        """How the breaker stands, for the whole fleet."""
        told, _ = await self._apply(lambda circuit, now: (circuit, _told(circuit, now)))
        return told

    def _is_quiet(self) -> bool:
        fresh = time.monotonic() - self._known_at < self._look_holds_seconds
        return fresh and self._known == Circuit()

    async def _apply(self, step: Callable[[Circuit, float], tuple[Circuit, Answer]]) -> tuple[Answer, Change | None]:
        """Take a step in Redis, or here where Redis doesn't answer."""
        if time.monotonic() >= self._redis_away_until:
            try:
                async with asyncio.timeout(REDIS_SECONDS):
                    answer, change = await self._apply_in_redis(step)
            except (RedisError, OSError) as error:
                self._redis_away_until = time.monotonic() + REDIS_AWAY_SECONDS
                if not self._is_alone:
                    log.warning("breaker_alone", engine=self.engine, error=str(error) or type(error).__name__)
                self._is_alone = True
            else:
                self._is_alone = False
                return answer, change
        circuit, answer = step(self._known, time.time())
        return answer, self._now_known(self._known, circuit)

    async def _apply_in_redis(
        self, step: Callable[[Circuit, float], tuple[Circuit, Answer]]
    ) -> tuple[Answer, Change | None]:
        """Try until nobody changed the circuit in between. That ends: each swap that is lost is another's that was made."""
        while True:
            looked = cast("Awaitable[tuple[tuple[bytes, bytes], bytes | None]]", self._redis.eval(_LOOK, 1, self._key))
            (seconds, micros), kept = await looked
            before = _parsed(kept)
            after, answer = step(before, int(seconds) + int(micros) / 1e6)
            if after == before or await self._swap(kept or b"", after):
                return answer, self._now_known(before, after)

    async def _swap(self, kept: bytes, after: Circuit) -> bool:
        new = b"" if after == Circuit() else orjson.dumps(asdict(after))
        # redis-py's types want text here; its wire takes bytes, and the comparison needs the very ones that were read.
        told = cast("list[str]", [kept, new, str(KEPT_MS)])
        return bool(await cast("Awaitable[int]", self._redis.eval(_SWAP, 1, self._key, *told)))

    def _now_known(self, before: Circuit, after: Circuit) -> Change | None:
        self._known, self._known_at = after, time.monotonic()
        if before.state is after.state:
            return None
        return Change(self.engine, before.state, after.state, after.reason or before.reason)


def _parsed(kept: bytes | None) -> Circuit:
    """A circuit from Redis; what can't be read, of whatever version, is as good as none."""
    if not kept:
        return Circuit()
    try:
        told = orjson.loads(kept)
        opened_at, reason = told["opened_at"], told["reason"]
        return Circuit(
            state=Position(told["state"]),
            failures=tuple(float(at) for at in told["failures"]),
            opened_at=None if opened_at is None else datetime.fromtimestamp(opened_at, UTC).timestamp(),
            until=float(told["until"]),
            failed_probes=int(told["failed_probes"]),
            reason=None if reason is None else str(reason),
        )
    except (ValueError, TypeError, LookupError, OverflowError):
        return Circuit()


def _told(circuit: Circuit, now: float) -> BreakerState:
    opened_at = None if circuit.opened_at is None else datetime.fromtimestamp(circuit.opened_at, UTC)
    failures = sum(now - at <= FAILURES_COUNT_SECONDS for at in circuit.failures)
    left = 0.0 if circuit.state is Position.CLOSED else max(0.0, circuit.until - now)
    return BreakerState(circuit.state, failures, opened_at, left, circuit.reason)
