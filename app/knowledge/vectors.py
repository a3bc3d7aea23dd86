"""Writing the vectors of chunks, and finding the chunks that have none yet. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.embeddings.embedder import Embedder
from app.knowledge.unhurried import UNHURRIED
from app.knowledge.vector_index import LOCK_SPACE


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A chunk without a vector of some model."""

    chunk_id: UUID
    text: str
    number: int


# Two processes that begin at once, with different models, would both find none that is searched.
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(:space, 0)")
_KNOW = text("""
    INSERT INTO embedding_models (name, vector_dim) VALUES (:name, :vector_dim) ON CONFLICT (name) DO NOTHING
""")
_SEARCH_FIRST = text("""
    UPDATE embedding_models SET searched = true, searched_since = now()
    WHERE name = :name AND NOT EXISTS (SELECT FROM embedding_models WHERE searched)
""")
# By way of the chunks: those that were deleted meanwhile are left out, and owners can't be wrong.
_SAVE = text(f"""
    INSERT INTO chunk_vectors (chunk_id, model, project_id, document_id, job_id, vector_dim, embedding)
    SELECT chunk.id, :model, chunk.project_id, chunk.document_id, chunk.job_id, :vector_dim, made.embedding::vector
    FROM unnest(CAST(:ids AS uuid[]), CAST(:embeddings AS text[])) AS made (id, embedding)
    JOIN document_chunks AS chunk ON chunk.id = made.id CROSS JOIN {UNHURRIED}
    ON CONFLICT (chunk_id, model) DO UPDATE SET embedding = excluded.embedding, vector_dim = excluded.vector_dim
""")  # noqa: S608 (a setting of ours)
_WITHOUT_OF_JOB = text("""
    SELECT chunk.id, chunk.text, chunk.number FROM document_chunks AS chunk
    WHERE chunk.job_id = :job_id AND chunk.number > :after
        AND NOT EXISTS (SELECT FROM chunk_vectors AS v WHERE v.chunk_id = chunk.id AND v.model = :model)
    ORDER BY chunk.number LIMIT :most
""")
ASKED_FOR = "(jobs.options ->> 'stages' IS NULL OR jobs.options -> 'stages' ? 'embedding')"
"""The condition that a job's options, as `wanted` reads them, have vectors made of its chunks."""

_WITHOUT = text(f"""
    SELECT chunk.id, chunk.text, chunk.number FROM document_chunks AS chunk
    WHERE chunk.id > :after AND (SELECT {ASKED_FOR} FROM jobs WHERE jobs.id = chunk.job_id)
        AND NOT EXISTS (SELECT FROM chunk_vectors AS v WHERE v.chunk_id = chunk.id AND v.model = :model)
    ORDER BY chunk.id LIMIT :most
""")  # noqa: S608 (a condition of ours)
_COUNT_OF_JOB = text("""
    SELECT count(*), count(*) FILTER (WHERE EXISTS (
        SELECT FROM chunk_vectors AS v WHERE v.chunk_id = chunk.id AND v.model = :model))
    FROM document_chunks AS chunk WHERE chunk.job_id = :job_id
""")


async def know_model(session: AsyncSession, embedder: Embedder) -> None:
    """Write down that there are vectors of a model; the first one that there is becomes the one that is searched."""
    told = {"name": embedder.name, "vector_dim": embedder.dimensions}
    await session.execute(_ONE_BY_ONE, {"space": LOCK_SPACE})
    await session.execute(_KNOW, told)
    await session.execute(_SEARCH_FIRST, {"name": embedder.name})


async def save_vectors(
    session: AsyncSession, embedder: Embedder, chunk_ids: Sequence[UUID], vectors: Sequence[Sequence[float]]
) -> None:
    """Write the vectors of chunks, over those that the model made of them before."""
    told = {
        "model": embedder.name,
        "vector_dim": embedder.dimensions,
        "ids": list(chunk_ids),
        "embeddings": [as_text(vector) for vector in vectors],
    }
    await session.execute(_SAVE, told)


async def without_vector_of_job(
    session: AsyncSession, job_id: UUID, model: str, *, after: int, most: int
) -> list[Unembedded]:
    """The next chunks of a run, by number, that have no vector of a model."""
    rows = await session.execute(_WITHOUT_OF_JOB, {"job_id": job_id, "model": model, "after": after, "most": most})
    return [Unembedded(*row) for row in rows]


async def without_vector(session: AsyncSession, model: str, *, after: UUID, most: int) -> list[Unembedded]:
    """The next chunks of all runs that ask for vectors, by id, that have none of a model."""
    rows = await session.execute(_WITHOUT, {"model": model, "after": after, "most": most})
    return [Unembedded(*row) for row in rows]


async def counts_of_job(session: AsyncSession, job_id: UUID, model: str) -> tuple[int, int]:
    """How many chunks a run has, and how many of them have a vector of a model."""
    chunks, vectors = (await session.execute(_COUNT_OF_JOB, {"job_id": job_id, "model": model})).one()
    return chunks, vectors


def as_text(vector: Sequence[float]) -> str:
    """A vector as pgvector reads it."""
    return orjson.dumps(vector).decode()
