"""Data left in the servers of a stack, to see whether it is found again."""

import asyncio

import aioboto3
import asyncpg
import redis

from tests.embedded.running import RunningStack


async def _in_postgres(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def _bucket(environment: dict[str, str], *, write: bool) -> bytes:
    session = aioboto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    async with session.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL_S3"]) as s3:
        if write:
            await s3.put_object(Bucket=environment["S3_BUCKET"], Key="kept", Body=b"here")
        answer = await s3.get_object(Bucket=environment["S3_BUCKET"], Key="kept")
        return await answer["Body"].read()


def write_object(stack: RunningStack) -> None:
    asyncio.run(_bucket(stack.environment, write=True))


def has_object(stack: RunningStack) -> bool:
    return asyncio.run(_bucket(stack.environment, write=False)) == b"here"


def write_row(stack: RunningStack) -> None:
    statement = "CREATE TABLE kept AS SELECT 'here' AS value"
    asyncio.run(_in_postgres(stack.environment["DATABASE_URL"], statement))


def has_row(stack: RunningStack) -> bool:
    return asyncio.run(_in_postgres(stack.environment["DATABASE_URL"], "SELECT value FROM kept")) == "here"


def write_key(stack: RunningStack) -> None:
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        client.set("kept", "here")


def has_key(stack: RunningStack) -> bool:
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        return bool(client.get("kept") == b"here")
