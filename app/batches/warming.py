"""Putting into Redis, before a batch's work starts, what its documents' readers will ask for: their states, and their text.

Both are kept under the run that they are of: whoever reads them compares that with Postgres, so that nothing stale is
ever told. Texts of long documents are left out, for Redis is memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select, text

from app.batches.models import BatchState
from app.batches.repository import batches
from app.db import Sessions
from app.documents.state import document_state
from app.documents.state_cache import KeptState, keep_state
from app.documents.text_cache import LONGEST_CHARACTERS, keep_text
from app.jobs.models import Job
from app.jobs.repository import jobs
from app.jobs.states import Stage
from app.jobs.steps import Step

log = structlog.get_logger(__name__)

AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Warming:
    """Fills the caches of documents."""

    sessions: Sessions
    redis: Redis
    steps: Mapping[Step, Sequence[Stage]]

    async def warm(self, batch_id: UUID) -> None:
        """Fill them for a batch that asks for it, and has not begun. Never fails: without, reads ask Postgres."""
        async with self.sessions() as session:
            query = select(batches.c.options).where(batches.c.id == batch_id, batches.c.state == BatchState.QUEUED)
            options = await session.scalar(query)
        if not (options or {}).get("warm_cache"):
            return
        after, documents = 0, 0
        try:
            while rows := await self._next(batch_id, after):
                await self._warm([row.document_id for row in rows])
                after, documents = rows[-1].number, documents + len(rows)
        except (RedisError, OSError) as error:
            log.warning("cache_not_warmed", error=str(error))
            return
        log.info("cache_warmed", documents=documents)

    async def _next(self, batch_id: UUID, after: int) -> Sequence[Any]:
        async with self.sessions() as session:
            return (await session.execute(_NEXT, {"batch": batch_id, "after": after, "limit": AT_ONCE})).all()

    async def _warm(self, document_ids: Sequence[UUID]) -> None:
        told = {"documents": [str(each) for each in document_ids], "longest": LONGEST_CHARACTERS}
        async with self.sessions() as session:
            newest = [Job.of(row) for row in await session.execute(_NEWEST, told)]
            texts = (await session.execute(_TEXTS, told)).all()
        async with self.redis.pipeline(transaction=False) as pipe:
            for job in newest:
                keep_state(pipe, job.document_id, KeptState.of(job, document_state(job, self.steps)))
            for row in texts:
                keep_text(pipe, row.document_id, row.job_id, row.text)
            await pipe.execute()


_NEXT = text("""
    SELECT number, document_id FROM batch_items
    WHERE batch_id = :batch AND number > :after AND status = 'waiting' AND document_id IS NOT NULL
    ORDER BY number LIMIT :limit
""")

_NEWEST = text(f"""
    SELECT {", ".join(f"newest.{column.name}" for column in jobs.columns)} FROM unnest(CAST(:documents AS uuid[])) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT * FROM jobs WHERE document_id = wanted.id ORDER BY created_at DESC LIMIT 1
    ) AS newest
""").columns(*jobs.columns)  # noqa: S608 (no outside text)

_TEXTS = text("""
    SELECT readable.document_id, readable.id AS job_id, page.text
    FROM unnest(CAST(:documents AS uuid[])) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT id, document_id FROM jobs
        WHERE document_id = wanted.id AND stage NOT IN ('queued', 'job_validated', 'parsing')
        ORDER BY created_at DESC LIMIT 1
    ) AS readable
    CROSS JOIN LATERAL (
        SELECT string_agg(pages.text, E'\\f' ORDER BY number) AS text, sum(length(pages.text)) AS characters
        FROM pages WHERE pages.job_id = readable.id
    ) AS page
    WHERE page.characters <= :longest
""")
