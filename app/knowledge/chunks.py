"""Reading and writing chunks. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import new_id, table_of
from app.jobs.models import Job
from app.knowledge.models import DocumentChunk
from app.knowledge.unhurried import UNHURRIED
from app.text.chunking import Chunk

chunks = table_of(DocumentChunk)


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """What there is of a run's chunks."""

    count: int
    tokens: int
    last_number: int
    last_page: int


async def save(
    session: AsyncSession,
    job: Job,
    made: Sequence[Chunk],
    *,
    edges: Mapping[int, str] | None = None,
    last_number: int | None = None,
) -> dict[int, UUID]:
    """Write chunks of a run, over those of the same numbers that an earlier try wrote; `edges` by the chunks' numbers.

    With the last of all, what such a try wrote after it is taken away. Returns the ids by the numbers.
    """
    rows = [
        {
            "id": str(new_id()),
            "number": chunk.number,
            "text": chunk.text,
            "token_count": chunk.token_count,
            "first_page": chunk.first_page,
            "last_page": chunk.last_page,
            "start_char": chunk.start,
            "end_char": chunk.end,
            "boxes": chunk.boxes,
            "heading": chunk.heading,
            "edges": (edges or {}).get(chunk.number),
        }
        for chunk in made
    ]
    if not rows and last_number is None:
        return {}
    owners = {"project": job.project_id, "document": job.document_id, "job": job.id}
    saved = await session.execute(_SAVE, {"rows": rows, "last": last_number, **owners})
    return {row.number: row.id for row in saved}


async def trim(session: AsyncSession, job_id: UUID, last_number: int) -> None:
    """Take away what an earlier try of a run wrote after its last chunk."""
    await session.execute(_TRIM, {"job": job_id, "last": last_number})


async def copy(session: AsyncSession, earlier_id: UUID, job: Job) -> int:
    """Give a run the chunks of another one of its document, in place of those that it may have; returns how many."""
    await trim(session, job.id, 0)
    told = {"earlier": earlier_id, "job": job.id}
    return len((await session.execute(_COPY, told)).all())


async def copy_vectors(session: AsyncSession, earlier_id: UUID, job: Job) -> None:
    """Give the chunks of a run the vectors of those that they are copies of."""
    await session.execute(_COPY_VECTORS, {"earlier": earlier_id, "job": job.id})


async def counts(session: AsyncSession, job_id: UUID) -> ChunkCounts:
    """What there is of a run's chunks."""
    return ChunkCounts(*(await session.execute(_COUNTS, {"job": job_id})).one())


async def list_of_run(
    session: AsyncSession, job_id: UUID, *, after: int, limit: int, page: int | None = None
) -> Sequence[Any]:
    """Chunks of a run after a number, in order; of those that touch a page, where one is named."""
    query = select(*(chunks.c[name] for name in _SHOWN)).where(chunks.c.job_id == job_id, chunks.c.number > after)
    if page is not None:
        query = query.where(chunks.c.first_page <= page, chunks.c.last_page >= page)
    return (await session.execute(query.order_by(chunks.c.number).limit(limit))).all()


_SHOWN = (
    "id", "document_id", "number", "text", "token_count", "first_page", "last_page", "start_char", "end_char", "boxes",
    "heading", "edges",
)  # fmt: skip

_SAVE = text(
    f"""
    WITH trimmed AS (DELETE FROM document_chunks WHERE job_id = :job AND number > :last)
    INSERT INTO document_chunks (
        id, project_id, document_id, job_id, number, text, token_count, first_page, last_page, start_char, end_char,
        boxes, heading, edges)
    SELECT id, :project, :document, :job, number, text, token_count, first_page, last_page, start_char, end_char,
           boxes, heading, edges
    FROM json_to_recordset(:rows) AS made (
        id uuid, number int, text text, token_count int, first_page int, last_page int, start_char int, end_char int,
        boxes jsonb, heading text, edges text), {UNHURRIED}
    ON CONFLICT (job_id, number) DO UPDATE SET
        text = excluded.text, token_count = excluded.token_count, first_page = excluded.first_page,
        last_page = excluded.last_page, start_char = excluded.start_char, end_char = excluded.end_char,
        boxes = excluded.boxes, heading = excluded.heading, edges = excluded.edges
    RETURNING number, id
    """  # noqa: S608 (a setting of ours)
).bindparams(
    bindparam("rows", type_=JSON),
    bindparam("last", type_=chunks.c.number.type),
    *(bindparam(name, type_=chunks.c.job_id.type) for name in ("project", "document", "job")),
)
_TRIM = text("DELETE FROM document_chunks WHERE job_id = :job AND number > :last").bindparams(
    bindparam("job", type_=chunks.c.job_id.type)
)
_COPY = text(
    """
    INSERT INTO document_chunks (
        id, project_id, document_id, job_id, number, text, token_count, first_page, last_page, start_char, end_char,
        boxes, heading, edges)
    SELECT gen_random_uuid(), project_id, document_id, :job, number, text, token_count, first_page, last_page,
           start_char, end_char, boxes, heading, edges
    FROM document_chunks WHERE job_id = :earlier
    RETURNING number
    """
).bindparams(*(bindparam(name, type_=chunks.c.job_id.type) for name in ("earlier", "job")))
_COPY_VECTORS = text(
    """
    INSERT INTO chunk_vectors (chunk_id, model, project_id, document_id, job_id, vector_dim, embedding)
    SELECT made.id, model, made.project_id, made.document_id, made.job_id, vector_dim, embedding
    FROM chunk_vectors
    JOIN document_chunks AS copied ON copied.id = chunk_vectors.chunk_id
    JOIN document_chunks AS made ON made.number = copied.number
    WHERE copied.job_id = :earlier AND made.job_id = :job
    ON CONFLICT (chunk_id, model) DO NOTHING
    """
).bindparams(*(bindparam(name, type_=chunks.c.job_id.type) for name in ("earlier", "job")))
_COUNTS = select(
    func.count(),
    func.coalesce(func.sum(chunks.c.token_count), 0),
    func.coalesce(func.max(chunks.c.number), 0),
    func.coalesce(func.max(chunks.c.last_page), 0),
).where(chunks.c.job_id == bindparam("job"))
