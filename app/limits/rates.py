"""How many requests a key may make: a token bucket for each in Redis, from which processes take a few tokens at a time.

No library does this: those that limit rates ask Redis for every request, and status reads are the API's hottest path.
While Redis is away each process keeps to its share of the limit, by how many there were.
"""

import asyncio
import math
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from app.db import new_id

log = structlog.get_logger(__name__)

LEASE_SECONDS = 2.0
"""How long tokens that were taken from a bucket may be used; what isn't by then is lost."""

QUICK_SECONDS = 0.5
"""A process that has used its tokens up within this time takes twice as many."""

MOST_OF_BURST = 0.05
MOST_TOKENS = 50
"""At most this share of a burst, and so many tokens, are taken at once."""

REDIS_SECONDS = 0.5
"""How long Redis may take, whatever the retries of its client: a request waits for it."""

REDIS_AWAY_SECONDS = 5.0
"""How long Redis isn't asked after it didn't answer."""

KEYS_KEPT = 10_000

# Times are those of the Redis server. Returns how many tokens are given, how many are left, and how many processes
# have asked lately.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = burst
if bucket[1] then
    tokens = math.min(burst, tonumber(bucket[1]) + math.max(0, now - tonumber(bucket[2])) * rate)
end
local given = math.min(tonumber(ARGV[3]), math.floor(tokens))
tokens = tokens - given
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
redis.call('ZADD', KEYS[2], now, ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 30)
redis.call('PEXPIRE', KEYS[2], 60000)
return {given, tostring(tokens), redis.call('ZCARD', KEYS[2])}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit: requests a second in the long run, and at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands against its limit after a request."""

    rate: Rate
    allowed: bool
    remaining: int
    """Requests that it may make at once, as far as this process knows."""

    @property
    def retry_in_seconds(self) -> float:
        """When one more will be allowed, at the latest."""
        return max(0.0, (1 - self.remaining) / self.rate.per_second)

    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-10: the limit, what is left of it, and when it is whole again."""
        window = math.ceil(self.rate.burst / self.rate.per_second)
        reset = math.ceil((self.rate.burst - self.remaining) / self.rate.per_second)
        return {
            "RateLimit-Policy": f'"key";q={self.rate.burst};w={window}',
            "RateLimit": f'"key";r={self.remaining};t={reset if self.allowed else math.ceil(self.retry_in_seconds)}',
        }


@dataclass(slots=True)
class _Tokens:
    """What a process holds of a key's tokens."""

    held: int = 0
    size: int = 0
    """How many it took last."""
    left: float = 0.0
    """How many the bucket had left then."""
    at: float = -math.inf
    refused_until: float = -math.inf
    own: float = math.inf
    """The process's own bucket, for while Redis is away; full at first."""
    own_at: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class RateLimits:
    """Takes a token for each request of a key."""

    redis: ArqRedis
    name: str = field(default_factory=lambda: new_id().hex)
    processes: int = 1
    """How many processes were asking, when Redis last answered."""
    _keys: dict[UUID, _Tokens] = field(default_factory=dict)
    _away_until: float = -math.inf

    async def take(self, key_id: UUID, rate: Rate) -> Standing:
        """Count one request, and say whether it is allowed."""
        tokens = self._keys.get(key_id)
        if tokens is None:
            if len(self._keys) >= KEYS_KEPT:
                self._keys.clear()
            tokens = self._keys[key_id] = _Tokens()
        if (standing := _at_hand(tokens, rate)) is not None:
            return standing
        async with tokens.asking:  # whoever comes meanwhile uses what this one brings
            if (standing := _at_hand(tokens, rate)) is not None:
                return standing
            if time.monotonic() >= self._away_until and await self._fetch(key_id, tokens, rate):
                return _at_hand(tokens, rate) or Standing(rate, allowed=False, remaining=0)
        return self._take_of_share(tokens, rate)

    async def _fetch(self, key_id: UUID, tokens: _Tokens, rate: Rate) -> bool:
        """Take some tokens from the bucket, more where the last were used up quickly; False where Redis is away."""
        quick = time.monotonic() - tokens.at < QUICK_SECONDS
        most = max(1, min(MOST_TOKENS, int(rate.burst * MOST_OF_BURST)))
        tokens.size = min(most, tokens.size * 2) if quick and tokens.size else 1
        keys = [f"quire:rate:{key_id}", "quire:rate:processes"]
        said = [str(rate.per_second), str(rate.burst), str(tokens.size), self.name]
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                answer = await cast("Awaitable[list[bytes]]", self.redis.eval(_TAKE, len(keys), *keys, *said))
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("rate_limits_without_redis", error=str(error))
            self._away_until = time.monotonic() + REDIS_AWAY_SECONDS
            return False
        given, tokens.left, self.processes = int(answer[0]), float(answer[1]), int(answer[2])
        tokens.held, tokens.at = given, time.monotonic()
        if not given:
            tokens.refused_until = tokens.at + min(1.0, (1 - tokens.left) / rate.per_second)
        return True

    def _take_of_share(self, tokens: _Tokens, rate: Rate) -> Standing:
        """Count a request against this process's share of the limit."""
        now, share = time.monotonic(), max(1, self.processes)
        burst, per_second = max(1.0, rate.burst / share), rate.per_second / share
        tokens.own = min(burst, tokens.own + (now - tokens.own_at) * per_second)
        tokens.own_at = now
        allowed = tokens.own >= 1
        tokens.own -= allowed
        return Standing(rate, allowed=allowed, remaining=int(tokens.own))


def _at_hand(tokens: _Tokens, rate: Rate) -> Standing | None:
    """What can be said without asking: there is a token, or it is known that there is none yet."""
    now = time.monotonic()
    if now < tokens.refused_until:
        return Standing(rate, allowed=False, remaining=0)
    if tokens.held > 0 and now - tokens.at < LEASE_SECONDS:
        tokens.held -= 1
        return Standing(rate, allowed=True, remaining=max(0, min(rate.burst, tokens.held + int(tokens.left))))
    return None
