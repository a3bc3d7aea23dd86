"""Connections to Redis: each command has its own answer, whatever became of the connection before."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from app.config import Settings
from app.queue import open_redis
from app.redis_pool import AT_ONCE_BYTES, QuickPool


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    """A client with two connections."""
    redis = open_redis(settings.redis_url, retries=1, max_connections=2)
    yield redis
    await redis.aclose(close_connection_pool=True)


async def test_more_commands_than_connections_have_their_own_answers(redis: ArqRedis) -> None:
    """Those that find none free wait their turn, long and short ones mixed."""
    values = {f"key {number}": b"x" * (number % 7) * AT_ONCE_BYTES for number in range(200)}
    await asyncio.gather(*(redis.set(key, value) for key, value in values.items()))
    told = await asyncio.gather(*(redis.get(key) for key in values))
    assert dict(zip(values, told, strict=True)) == values


async def test_a_connection_that_was_closed_meanwhile_is_replaced(redis: ArqRedis) -> None:
    """By the server, as a restart or an idle timeout does."""
    await redis.set("key", "value")
    (mine,) = [each["id"] for each in await redis.client_list() if each["cmd"].startswith("client")]
    async with redis.pipeline(transaction=False) as other:
        other.client_kill_filter(_id=mine, skipme=False)
        await other.execute(raise_on_error=False)
    for _ in range(3):
        assert await redis.get("key") == b"value"


async def test_an_answer_to_nobody_is_given_to_nobody(redis: ArqRedis) -> None:
    """A connection in which something is left is not used again."""
    await redis.set("key", "value")
    connection = await redis.connection_pool.get_connection()
    await connection.send_command("ECHO", "for somebody else")
    await asyncio.sleep(0.1)
    await redis.connection_pool.release(connection)
    assert await redis.get("key") == b"value"


async def test_who_is_cut_off_leaves_no_answer_behind(redis: ArqRedis) -> None:
    """Callers that give up between their command and its answer don't mix up those of others."""
    await redis.set("key", "value")
    for passes in range(12):
        asking = asyncio.ensure_future(redis.execute_command("ECHO", f"given up {passes}"))  # type: ignore[no-untyped-call]
        for _ in range(passes):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert await redis.get("key") == b"value"


async def test_who_finds_no_connection_is_told_so(settings: Settings) -> None:
    """After the pool's own patience; and the next gets the one that is given back."""
    pool = QuickPool.from_url(settings.redis_url, max_connections=1, timeout=0.1)
    first = await pool.get_connection()
    with pytest.raises(RedisConnectionError):
        await pool.get_connection()
    waiting = asyncio.create_task(pool.get_connection())
    await asyncio.sleep(0)
    await pool.release(first)
    assert await waiting is first
    await pool.release(first)
    assert await pool.get_connection() is first
    await pool.release(first)
    await pool.aclose()
