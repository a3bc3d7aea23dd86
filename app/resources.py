"""The one place that opens what a process works with, and closes it again; both doors use it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aioboto3
from arq.connections import ArqRedis
from botocore.handlers import add_expect_header
from sqlalchemy.ext.asyncio import AsyncEngine

from app.config import Settings
from app.db import Sessions, open_engine, open_sessions
from app.ocr.textract import TextractEngine, client_config
from app.queue import open_redis
from app.storage import s3


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything outside that a process works with."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    redis: ArqRedis
    bucket: s3.Bucket
    ocr: TextractEngine


@asynccontextmanager
async def open_resources(settings: Settings, *, redis_retries: int = 3) -> AsyncIterator[Resources]:
    """Open them all; nothing is connected before it is used, so a part that is down doesn't keep us from starting."""
    async with AsyncExitStack() as stack:
        engine = open_engine(settings)
        stack.push_async_callback(engine.dispose)
        redis = open_redis(settings.redis_url, retries=redis_retries)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        session = aws_session(settings)
        s3_client = await stack.enter_async_context(
            session.client("s3", endpoint_url=settings.aws_endpoint_url_s3, config=s3.CONFIG)
        )
        # The store would have to say "100 Continue" before it gets a byte: a trip for every document.
        s3_client.meta.events.unregister("before-call.s3", add_expect_header)
        textract = await stack.enter_async_context(
            session.client("textract", endpoint_url=settings.aws_endpoint_url_textract, config=client_config(settings))
        )
        yield Resources(
            settings=settings,
            engine=engine,
            sessions=open_sessions(engine),
            redis=redis,
            bucket=s3.Bucket(s3_client, settings.s3_bucket),
            ocr=TextractEngine(textract, settings.textract_max_results),
        )


def aws_session(settings: Settings) -> Any:
    """An AWS session: with the settings' credentials, or by the SDK's own chain where there are none."""
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return aioboto3.Session(
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        aws_session_token=token.get_secret_value() if token else None,
        region_name=settings.aws_region,
    )
