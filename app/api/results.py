"""Results on their way out, piece by piece: their size is no concern of memory's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from redis.asyncio import Redis

from app.api.media import prefers_gzip
from app.documents.service import Documents
from app.documents.text_cache import kept_text
from app.errors import ResultUnavailable
from app.jobs.models import Job
from app.storage.compression import GZIP, decompressed
from app.storage.s3 import Bucket

PAGES_AT_ONCE = 50


async def stream_text(documents: Documents, job: Job, redis: Redis) -> AsyncIterator[bytes]:
    """A run's text, pages parted by form feeds; out of the cache where a batch has had it put there."""
    kept = await kept_text(redis, job.document_id, job.id)
    if kept is not None:
        yield kept + b"\n"
        return
    after, first = 0, True
    while True:
        pages = await documents.pages_of_run(job.id, after=after, limit=PAGES_AT_ONCE)
        for page in pages:
            yield (page.text if first else "\f" + page.text).encode()
            first = False
        if len(pages) < PAGES_AT_ONCE:
            yield b"\n"
            return
        after = pages[-1].number


async def stream_object(request: Request, bucket: Bucket, key: str | None, media_type: str) -> Response:
    """An object of the bucket as an answer. Raises `ResultUnavailable` where it is gone, before anything is sent.

    One that is stored compressed goes out as it is to who takes gzip, and plain to others.
    """
    if key is None:
        raise ResultUnavailable
    stack = AsyncExitStack()
    try:
        stored = await stack.enter_async_context(bucket.open(key))
    except FileNotFoundError as error:
        raise ResultUnavailable("The result is gone from the bucket; submit the document again.") from error

    plain = stored.content_encoding == GZIP and not prefers_gzip(request)
    chunks = decompressed(stored.chunks) if plain else stored.chunks

    async def body() -> AsyncIterator[bytes]:
        async with stack:
            async for chunk in chunks:
                yield chunk

    answer = StreamingResponse(body(), media_type=media_type)
    if stored.content_encoding is not None:
        answer.headers.add_vary_header("Accept-Encoding")
        if not plain:
            answer.headers["Content-Encoding"] = stored.content_encoding
    return answer
