"""Changing the model that is searched while everything goes on: vectors of the new one first, then the change."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Sessions, one_statement
from app.embeddings.embedder import Embedder
from app.errors import EmbeddingModelNotFound, StateConflict
from app.knowledge import vectors
from app.knowledge.embedding import CHUNKS_AT_ONCE, Embedding
from app.knowledge.vector_index import drop_index, ensure_index
from app.knowledge.vectors import ASKED_FOR

NOWHERE = UUID(int=0)
FORGOTTEN_AT_ONCE = 5000

_CHUNKS = text(f"SELECT count(*) FROM document_chunks AS chunk JOIN jobs ON jobs.id = chunk.job_id AND {ASKED_FOR}")  # noqa: S608 (a condition of ours)
_MODELS = text("""
    SELECT model.name, model.vector_dim, model.searched,
        (SELECT count(*) FROM chunk_vectors AS v WHERE v.model = model.name) AS vectors
    FROM embedding_models AS model ORDER BY model.created_at
""")
# Of runs that are still being made, the stage that embeds sees to it.
_NONE_IS_WITHOUT = text(f"""
    SELECT NOT EXISTS (
        SELECT FROM document_chunks AS chunk JOIN jobs ON jobs.id = chunk.job_id AND jobs.published AND {ASKED_FOR}
        WHERE NOT EXISTS (SELECT FROM chunk_vectors AS v WHERE v.chunk_id = chunk.id AND v.model = :model))
""")  # noqa: S608 (a condition of ours)
_KNOWN = text("SELECT name, searched FROM embedding_models ORDER BY created_at")
_UNSEARCH = text("UPDATE embedding_models SET searched = false WHERE searched AND name <> :model")
_SEARCH = text("UPDATE embedding_models SET searched = true, searched_since = now() WHERE name = :model")
_FORGET_SOME = text("""
    WITH gone AS (
        DELETE FROM chunk_vectors WHERE (chunk_id, model) IN
            (SELECT chunk_id, model FROM chunk_vectors WHERE model = :model LIMIT :most)
        RETURNING chunk_id
    )
    SELECT count(*) FROM gone
""")
_FORGET = text("DELETE FROM embedding_models WHERE name = :model AND NOT searched RETURNING name")


@dataclass(frozen=True, slots=True)
class ModelRead:
    """A model that there are vectors of."""

    name: str
    vector_dim: int
    searched: bool
    vectors: int


@dataclass(frozen=True, slots=True)
class Switching:
    """What an operator does about models."""

    sessions: Sessions
    embedding: Embedding
    database_url: str

    async def models(self) -> tuple[int, list[ModelRead]]:
        """How many chunks are to have vectors, and the models that there are any of."""
        async with one_statement(self.sessions) as session:
            chunks = await session.scalar(_CHUNKS) or 0
            return chunks, [ModelRead(*row) for row in await session.execute(_MODELS)]

    async def switch(self, embedder: Embedder, told: Callable[[int], None]) -> None:
        """Make the vectors and the index that a model lacks, and have searches made by it from then on.

        Stopped anywhere, it goes on there when it is called again. `told` hears how many vectors were made, as they are.
        """
        async with self.sessions.begin() as session:
            await vectors.know_model(session, embedder)
        # The index first: adding to it costs less than it does to searches to be without.
        await ensure_index(self.database_url, embedder.name, embedder.dimensions)
        while not await self._changed(embedder.name):
            await self._fill(embedder, told)

    async def forget(self, name: str) -> int:
        """Drop a model's index and vectors; returns how many there were.

        Raises `EmbeddingModelNotFound`, and `StateConflict` for the one that is searched.
        """
        async with one_statement(self.sessions) as session:
            known = {row.name: row.searched for row in await session.execute(_KNOWN)}
        if name not in known:
            there_are = f"those that there are: {', '.join(known)}" if known else "there are none of any"
            raise EmbeddingModelNotFound(f"There are no vectors of a model of the name {name!r}; {there_are}.")
        if known[name]:
            raise StateConflict(f"Searches are made by {name}; switch to another model before.")
        await drop_index(self.database_url, name)
        forgotten = 0
        while some := await self._forget_some(name):
            forgotten += some
        async with one_statement(self.sessions) as session:
            await session.execute(_FORGET, {"model": name})
        return forgotten

    async def _fill(self, embedder: Embedder, told: Callable[[int], None]) -> None:
        after = NOWHERE
        while True:
            async with one_statement(self.sessions) as session:
                chunks = await vectors.without_vector(session, embedder.name, after=after, most=CHUNKS_AT_ONCE)
            if not chunks:
                return
            await self.embedding.embed(embedder, chunks)
            after = chunks[-1].chunk_id
            told(len(chunks))

    async def _changed(self, name: str) -> bool:
        """Change to a model, unless a chunk has no vector of it: its document was published while others were looked at."""
        async with self.sessions.begin() as session:
            whole = bool(await session.scalar(_NONE_IS_WITHOUT, {"model": name}))
            if whole:
                await _search(session, name)
        return whole

    async def _forget_some(self, name: str) -> int:
        async with one_statement(self.sessions) as session:
            return int(await session.scalar(_FORGET_SOME, {"model": name, "most": FORGOTTEN_AT_ONCE}) or 0)


async def _search(session: AsyncSession, name: str) -> None:
    # In this order: of two that are searched, the unique index would refuse the second.
    await session.execute(_UNSEARCH, {"model": name})
    await session.execute(_SEARCH, {"model": name})
