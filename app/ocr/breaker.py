"""A circuit breaker for each engine, one for the whole fleet: an engine that is away is left alone, and probed by one caller.

The rules are in `circuit`; what keeps a circuit (Redis, or this process while Redis is away) only has to swap the old
one for the new one. A swap is lost only to another caller's, so that a change has one author. It is written here because
no library does this: purgatory reads, decides and writes in separate steps, so that callers overwrite each other, lets
everybody through while half-open, and has one open time; aiobreaker's Redis storage blocks the event loop. Times are
those of the Redis server, so that the clocks of the fleet need not agree.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar, cast

import orjson
import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from app.config import Settings
from app.errors import OcrTimeout
from app.ocr.circuit import (
    FAILURES_COUNT_SECONDS,
    TIMEOUTS_COUNT_SECONDS,
    Change,
    Circuit,
    Gate,
    Position,
    Rules,
)
from app.ocr.engine import EngineName

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

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


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How a breaker stands, for people and metrics; an open one with nothing left to wait for is due for a probe."""

    state: Position
    failures: int
    opened_at: datetime | None
    retry_in_seconds: float
    reason: str | None

    @property
    def may_be_asked_of_jobs(self) -> bool:
        """Whether the engine answers, though it may be sent no more jobs."""
        return self.state is Position.CLOSED or self.reason == OcrTimeout.code


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

    async def allow(self, *, of_jobs: bool = False) -> Gate:
        """Whether the engine may be called now; `of_jobs`: only to ask about those that it has."""
        if self._is_quiet():
            return Gate(allowed=True)
        gate, change = await self._apply(partial(self._rules.asked, of_jobs=of_jobs))
        return replace(gate, change=change)

    async def succeeded(self, *, probe: bool | None = None) -> Change | None:
        """The engine answered, which closes its breaker unless that is open, or open for jobs that don't end.

        Returns the change where there was one.
        """
        if self._is_quiet():
            return None
        rules = self._rules
        return (await self._apply(lambda circuit, now: (rules.succeeded(circuit, now, probe=probe), None)))[1]

    async def timed_out(self) -> Change | None:
        """A job of the engine's was given up, since it did not end in its time."""
        return (await self._apply(lambda circuit, now: (self._rules.timed_out(circuit, now), None)))[1]

    async def ended(self) -> Change | None:
        """A job of the engine's has ended."""
        if self._is_quiet():
            return None
        return (await self._apply(lambda circuit, _: (self._rules.ended(circuit), None)))[1]

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
            timeouts=tuple(float(at) for at in told.get("timeouts", ())),
        )
    except (ValueError, TypeError, LookupError, OverflowError):
        return Circuit()


def _told(circuit: Circuit, now: float) -> BreakerState:
    opened_at = None if circuit.opened_at is None else datetime.fromtimestamp(circuit.opened_at, UTC)
    failures = sum(now - at <= FAILURES_COUNT_SECONDS for at in circuit.failures)
    failures += sum(now - at <= TIMEOUTS_COUNT_SECONDS for at in circuit.timeouts)
    left = 0.0 if circuit.state is Position.CLOSED else max(0.0, circuit.until - now)
    return BreakerState(circuit.state, failures, opened_at, left, circuit.reason)
