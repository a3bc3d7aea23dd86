"""Rates: what a key may ask for, over all processes, and while Redis is away."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis

from app.config import Settings
from app.db import new_id
from app.limits.rates import Rate, RateLimits
from app.queue import open_redis

SLOW = Rate(per_second=0.01, burst=20)
"""So slow that nothing comes back while a test runs."""


@pytest.fixture
async def nowhere() -> AsyncIterator[ArqRedis]:
    """A Redis that is away."""
    client = open_redis("redis://127.0.0.1:9/0", retries=0)
    yield client
    await client.aclose(close_connection_pool=True)


async def allowed(limits: RateLimits, requests: int, rate: Rate = SLOW, key: object = None) -> int:
    """How many of so many requests of a key are allowed."""
    key_id = key if key is not None else new_id()
    return sum([(await limits.take(key_id, rate)).allowed for _ in range(requests)])  # type: ignore[arg-type]


async def test_a_key_may_make_its_burst_and_no_more(redis: ArqRedis) -> None:
    """Then it is told when one more will be allowed."""
    limits, key = RateLimits(redis), new_id()
    assert await allowed(limits, 30, key=key) == 20
    standing = await limits.take(key, SLOW)
    assert not standing.allowed
    assert 0 < standing.retry_in_seconds <= 100


async def test_processes_share_one_bucket(redis: ArqRedis) -> None:
    """Four of them together allow no more than one would."""
    key = new_id()
    counts = await asyncio.gather(*(allowed(RateLimits(redis), 20, key=key) for _ in range(4)))
    assert sum(counts) == 20


async def test_requests_at_the_same_moment_are_each_counted_once(redis: ArqRedis) -> None:
    """However they come together, none is allowed twice, and none is lost."""
    limits, key = RateLimits(redis), new_id()
    standings = await asyncio.gather(*(limits.take(key, SLOW) for _ in range(50)))
    assert sum(standing.allowed for standing in standings) == 20


async def test_tokens_come_back(redis: ArqRedis) -> None:
    """At the rate of the limit."""
    limits, key, quick = RateLimits(redis), new_id(), Rate(per_second=50, burst=2)
    assert await allowed(limits, 5, quick, key) < 5

    async def is_allowed() -> bool:
        return (await limits.take(key, quick)).allowed

    async with asyncio.timeout(5):
        while not await is_allowed():  # noqa: ASYNC110 (what is awaited is elsewhere)
            await asyncio.sleep(0.01)


async def test_keys_have_buckets_of_their_own(redis: ArqRedis) -> None:
    """One that is used up leaves the others alone."""
    limits = RateLimits(redis)
    assert [await allowed(limits, 30) for _ in range(2)] == [20, 20]


async def test_a_busy_key_is_not_asked_about_for_every_request(redis: ArqRedis, settings: Settings) -> None:
    """A process that needs many tokens takes several at once."""
    limits, key, wide = RateLimits(redis), new_id(), Rate(per_second=1000, burst=2000)
    before = (await redis.info("commandstats")).get("cmdstat_eval", {"calls": 0})["calls"]
    assert await allowed(limits, 500, wide, key) == 500
    after = (await redis.info("commandstats"))["cmdstat_eval"]["calls"]
    assert after - before < 100


async def test_while_redis_is_away_a_process_keeps_to_its_share(nowhere: ArqRedis) -> None:
    """By how many processes there were."""
    limits = RateLimits(nowhere)
    assert await allowed(limits, 30) == 20
    limits.processes = 4
    assert await allowed(limits, 30) == 5


async def test_the_fields_say_how_a_key_stands(redis: ArqRedis) -> None:
    """As draft-ietf-httpapi-ratelimit-headers-10 has them: q and w of the policy, r and t of the present."""
    limits, key, rate = RateLimits(redis), new_id(), Rate(per_second=2, burst=10)
    fields = (await limits.take(key, rate)).headers()
    assert fields == {"RateLimit-Policy": '"key";q=10;w=5', "RateLimit": '"key";r=9;t=1'}
