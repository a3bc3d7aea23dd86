"""What the other tests stand on."""

from pathlib import Path

import asyncpg
import redis.asyncio

from app.config import Settings
from tests.stack import Stack


async def test_every_test_gets_a_database_of_its_own(stack: Stack, tmp_path: Path) -> None:
    """What one test writes, another never sees."""
    with stack.fresh_settings(tmp_path) as mine, stack.fresh_settings(tmp_path) as yours:
        connection = await asyncpg.connect(mine.database_url)
        await connection.execute("CREATE TABLE seen (number int)")
        await connection.close()
        connection = await asyncpg.connect(yours.database_url)
        assert await connection.fetchval("SELECT to_regclass('seen')") is None
        await connection.close()


async def test_every_test_gets_an_empty_redis(stack: Stack, tmp_path: Path) -> None:
    with stack.fresh_settings(tmp_path) as mine, stack.fresh_settings(tmp_path) as yours:
        async with redis.asyncio.Redis.from_url(mine.redis_url) as client:
            await client.set("seen", "1")
        async with redis.asyncio.Redis.from_url(yours.redis_url) as client:
            assert await client.dbsize() == 0


async def test_the_database_knows_vectors(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    await connection.close()
