"""A project with many chunks, as the pipeline would have left them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import orjson

from app.db import new_id
from app.embeddings.wordllama_embedder import WordLlamaEmbedder
from benchmarks.search_texts import TOPICS, WORDS_EACH, Texts

DOCUMENTS = 5000
CHUNKS_EACH = 20
CHARACTERS_EACH = 2000
BATCH = 1000
ENTITIES = 200
NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Rows:
    """What was written, and when the newest of its documents came in; they came an hour apart."""

    project_id: UUID
    document_ids: list[UUID]
    entity_ids: list[UUID]
    newest_at: datetime


async def read_rows(pool: asyncpg.Pool) -> Rows | None:
    """What an earlier run wrote to the end; None where there is nothing."""
    if not await pool.fetchval("SELECT to_regclass('bench_written') IS NOT NULL"):
        return None
    documents = await pool.fetch("SELECT id, project_id, created_at FROM documents ORDER BY created_at DESC")
    entities = await pool.fetch("SELECT id FROM entities ORDER BY substr(normal_form, 8)::int")
    newest = documents[0]
    return Rows(
        newest["project_id"],
        [row["id"] for row in documents],
        [row["id"] for row in entities],
        newest["created_at"],
    )


async def write_rows(pool: asyncpg.Pool, words: Texts, *, documents: int = DOCUMENTS) -> Rows:
    """A published run of each document with its chunks, vectors and mentions, as the pipeline would have left them."""
    project_id = await pool.fetchval("SELECT id FROM projects WHERE name = 'default'")
    document_ids = [new_id() for _ in range(documents)]
    job_ids = [new_id() for _ in document_ids]
    embedder = WordLlamaEmbedder()
    await pool.execute(
        "INSERT INTO embedding_models (name, vector_dim, searched) VALUES ($1, $2, true)",
        embedder.name,
        embedder.dimensions,
    )
    await _write_documents(pool, project_id, document_ids, job_ids)
    entity_ids = await _write_entities(pool, project_id)
    owners = list(zip(document_ids, job_ids, strict=True))
    for first in range(0, len(owners), BATCH // CHUNKS_EACH):
        chunks = list(_chunks(words, project_id, owners[first : first + BATCH // CHUNKS_EACH]))
        await pool.copy_records_to_table("document_chunks", records=chunks, columns=CHUNK_COLUMNS)
        vectors = await embedder.embed([chunk[5] for chunk in chunks])
        await pool.executemany(
            "INSERT INTO chunk_vectors (chunk_id, model, project_id, document_id, job_id, vector_dim, embedding)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7::text::vector)",
            [
                (chunk[0], embedder.name, *chunk[1:4], embedder.dimensions, orjson.dumps(vector).decode())
                for chunk, vector in zip(chunks, vectors, strict=True)
            ],
        )
        await _write_mentions(pool, words.rng, chunks, entity_ids)
    await pool.execute("CREATE TABLE bench_written ()")
    return Rows(project_id, document_ids, entity_ids, NOW)


CHUNK_COLUMNS = (
    *("id", "project_id", "document_id", "job_id", "number", "text", "token_count", "first_page", "last_page"),
    *("start_char", "end_char", "boxes", "heading"),
)


def _chunks(
    words: Texts, project_id: UUID, owners: Sequence[tuple[UUID, UUID]]
) -> Iterator[tuple[UUID, UUID, UUID, UUID, int, str, int, int, int, int, int, str, str]]:
    boxes = orjson.dumps(
        [{"page": 1, "left": 0.12, "top": 0.05 * line, "width": 0.76, "height": 0.02} for line in range(15)]
    ).decode()
    for document_id, job_id in owners:
        topic = words.rng.randrange(TOPICS)
        for number in range(1, CHUNKS_EACH + 1):
            start = (number - 1) * CHARACTERS_EACH
            text = words.text(topic if number % 4 else words.rng.randrange(TOPICS))
            place = (number, text, WORDS_EACH, number, number, start, start + CHARACTERS_EACH, boxes)
            yield (new_id(), project_id, document_id, job_id, *place, "Of the heading")


async def _write_documents(
    pool: asyncpg.Pool, project_id: UUID, document_ids: Sequence[UUID], job_ids: Sequence[UUID]
) -> None:
    await pool.executemany(
        "INSERT INTO documents (id, project_id, filename, media_type, size_bytes, sha256, s3_bucket, s3_key, created_at)"
        " VALUES ($1, $2, $3, 'application/pdf', 1, repeat('0', 64), 'bench', $3, $4)",
        [
            (document_id, project_id, f"{number}.pdf", NOW - timedelta(hours=number))
            for number, document_id in enumerate(document_ids)
        ],
    )
    await pool.executemany(
        "INSERT INTO jobs (id, project_id, document_id, stage, state, finished_at, published)"
        " VALUES ($1, $2, $3, 'finalized', 'done', now(), true)",
        [(job_id, project_id, document_id) for job_id, document_id in zip(job_ids, document_ids, strict=True)],
    )


async def _write_entities(pool: asyncpg.Pool, project_id: UUID) -> list[UUID]:
    entity_ids = [new_id() for _ in range(ENTITIES)]
    await pool.executemany(
        "INSERT INTO entities (id, project_id, type, normal_form, name) VALUES ($1, $2, 'person', $3, $3)",
        [(entity_id, project_id, f"person {number}") for number, entity_id in enumerate(entity_ids)],
    )
    return entity_ids


async def _write_mentions(
    pool: asyncpg.Pool, rng: random.Random, chunks: Sequence[tuple[object, ...]], entity_ids: Sequence[UUID]
) -> None:
    """Two a chunk: some entities are named in a chunk of five, most in a few hundred."""
    shares = [1 / (rank + 2) for rank in range(len(entity_ids))]
    await pool.executemany(
        "INSERT INTO entity_mentions"
        " (job_id, start_char, end_char, document_id, type, text, normal_form, confidence, source, page, entity_id)"
        " VALUES ($1, $2, $2 + 10, $3, 'person', 'a person', 'a person', 1, 'bench', $4, $5)",
        [
            (chunk[3], chunk[9] + offset, chunk[2], chunk[7], rng.choices(entity_ids, shares)[0])  # type: ignore[operator]
            for chunk in chunks
            for offset in (100, 1100)
        ],
    )
