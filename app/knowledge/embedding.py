"""Making the vectors of chunks: of one run while its document is processed, or of all that have none of a model."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import structlog

from app import at_hand
from app.db import Sessions, one_statement
from app.embeddings.embedder import Embedder
from app.embeddings.models import Embedders
from app.knowledge import vectors
from app.knowledge.vector_index import ensure_index
from app.knowledge.vectors import Unembedded
from app.turns import aside

log = structlog.get_logger(__name__)

CHUNKS_AT_ONCE = 256
"""Texts and vectors that are in memory at once: about 5 MB of them with 1536 dimensions."""


@dataclass(frozen=True, slots=True)
class MadeChunks:
    """All chunks of a run, at hand where they were just written: none of them has a vector of what it says now."""

    chunks: Sequence[Unembedded]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Makes vectors with the models of a process, and keeps them."""

    sessions: Sessions
    embedders: Embedders
    database_url: str
    _known: set[str] = field(default_factory=set)
    _background: set[asyncio.Task[None]] = field(default_factory=set)

    async def embed_run(self, job_id: UUID) -> AsyncIterator[int]:
        """Make the vectors that the chunks of a run don't have yet, of each model in use; yields how many, as they are kept.

        A second try goes on where the first one was cut off. Raises the errors under `EmbeddingError`.
        """
        for embedder in self.embedders.written:
            await self._know(embedder)
            async for chunks in self._without_vector(job_id, embedder.name):
                await self.embed(embedder, chunks)
                yield len(chunks)

    async def embed(self, embedder: Embedder, chunks: Sequence[Unembedded]) -> None:
        """Make and keep the vectors of some chunks."""
        async with aside():
            made = await embedder.embed([chunk.text for chunk in chunks])
        async with one_statement(self.sessions) as session:
            await vectors.save_vectors(session, embedder, [chunk.chunk_id for chunk in chunks], made)

    async def aclose(self) -> None:
        """Leave indexes that are being made to be made by another process."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _without_vector(self, job_id: UUID, model: str) -> AsyncIterator[Sequence[Unembedded]]:
        if (made := at_hand.find(job_id, MadeChunks)) is not None:
            if made.chunks:
                yield made.chunks
            return
        after, is_last = 0, False
        while not is_last:
            async with one_statement(self.sessions) as session:
                chunks = await vectors.without_vector_of_job(session, job_id, model, after=after, most=CHUNKS_AT_ONCE)
            if chunks:
                after = chunks[-1].number
                yield chunks
            is_last = len(chunks) < CHUNKS_AT_ONCE

    async def _know(self, embedder: Embedder) -> None:
        """Once in a process: write the model down, and have its index made while vectors are."""
        if embedder.name in self._known:
            return
        async with self.sessions.begin() as session:
            await vectors.know_model(session, embedder)
        self._known.add(embedder.name)
        task = asyncio.create_task(self._index(embedder))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _index(self, embedder: Embedder) -> None:
        """Without it searches are right, and slow: no reason to fail a document."""
        try:
            await ensure_index(self.database_url, embedder.name, embedder.dimensions)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._known.discard(embedder.name)
            log.warning("vector_index_not_made", model=embedder.name, error=str(error))
