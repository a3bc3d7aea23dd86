"""Texts of documents in Redis: a read cache, never the truth, under the run that each is of."""

from collections.abc import Awaitable
from typing import Any, cast
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

LONGEST_CHARACTERS = 200_000
"""Texts that are longer are read from Postgres, page by page."""

KEPT_SECONDS = 3600


def text_key(document_id: UUID) -> str:
    """Where a document's text is kept."""
    return f"doc:ocr:{document_id}"


def keep_text(pipe: Any, document_id: UUID, job_id: UUID, text: str) -> None:
    """Add keeping a text to what a pipeline of Redis does."""
    key = text_key(document_id)
    pipe.hset(key, mapping={"job_id": str(job_id), "text": text})
    pipe.expire(key, KEPT_SECONDS)


async def kept_text(redis: Redis, document_id: UUID, job_id: UUID) -> bytes | None:
    """The text of a run, pages parted by form feeds, if it is that run's which is kept."""
    try:
        kept = await cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(text_key(document_id)))
    except (RedisError, OSError) as error:
        log.warning("text_cache_away", error=str(error))
        return None
    return kept.get(b"text") if kept.get(b"job_id") == str(job_id).encode() else None
