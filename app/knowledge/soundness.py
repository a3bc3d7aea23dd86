"""What must be true of a run's rows before anybody is shown them; each sentence says what was off."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from app.jobs.steps import Step


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run has made."""

    chunks: int
    tokens: int
    vectors: int
    """Chunks with a vector of each model that there are any of."""
    mentions: int
    entities: int
    relationships: int


def figures(row: Any) -> Figures:
    """A run's figures, out of what `LOOK` has read."""
    return Figures(row.chunks, row.tokens, row.vectors, row.mentions, row.entities, row.relationships)


def faults(row: Any, steps: Collection[Step]) -> Iterator[str]:
    """What doesn't add up in what `LOOK` has read: nothing, unless something is broken."""
    if row.chunks != row.last_chunk:
        yield f"There are {row.chunks} chunks, and the last one has the number {row.last_chunk}."
    if row.chunks_beyond:
        yield f"{row.chunks_beyond} chunks are on pages that the document hasn't got."
    if Step.EMBEDDING in steps and row.vectors != row.chunks:
        yield f"There are {row.chunks} chunks, and {row.vectors} of them have their vectors."
    if row.mentions_beyond:
        yield f"{row.mentions_beyond} mentions are on pages that the document hasn't got."
    if row.unresolved and not {Step.RESOLUTION, Step.RELATIONSHIPS}.isdisjoint(steps):
        yield f"{row.unresolved} mentions mean no entity."
    if row.strangers:
        yield f"{row.strangers} mentions or relationships point to entities of another project or type."
    if row.unmentioned:
        yield f"{row.unmentioned} relationships are between entities that the document doesn't mention."


LOOK = """
    WITH models AS (
        -- Those that the run was embedded with, whatever is set by now.
        SELECT count(DISTINCT model) AS count FROM chunk_vectors
        WHERE project_id = :project AND document_id = :document AND job_id = :job
    ), chunk AS (
        SELECT count(*) AS count, coalesce(sum(token_count), 0) AS tokens, coalesce(max(number), 0) AS last_number,
               count(*) FILTER (WHERE last_page > :pages) AS beyond
        FROM document_chunks WHERE job_id = :job
    ), vector AS (
        SELECT count(*) AS count FROM (
            SELECT FROM chunk_vectors JOIN document_chunks ON document_chunks.id = chunk_vectors.chunk_id
            WHERE document_chunks.job_id = :job
            GROUP BY chunk_id HAVING count(*) = (SELECT models.count FROM models)
        ) AS whole
    ), mention AS (
        SELECT count(*) AS count, count(DISTINCT coalesce(entity.merged_into, entity.id)) AS entities,
               count(*) FILTER (WHERE page > :pages) AS beyond,
               count(*) FILTER (WHERE entity_id IS NULL) AS unresolved,
               count(*) FILTER (WHERE entity.project_id <> :project OR entity.type <> entity_mentions.type) AS strangers
        FROM entity_mentions LEFT JOIN entities AS entity ON entity.id = entity_id WHERE job_id = :job
    ), edge AS (
        SELECT count(*) AS count,
               count(*) FILTER (WHERE source.project_id <> :project OR target.project_id <> :project) AS strangers,
               count(*) FILTER (
                   WHERE NOT EXISTS (SELECT FROM entity_mentions AS m WHERE m.entity_id = source_id AND m.job_id = :job)
                      OR NOT EXISTS (SELECT FROM entity_mentions AS m WHERE m.entity_id = target_id AND m.job_id = :job)
               ) AS unmentioned
        FROM relationships
        JOIN entities AS source ON source.id = source_id JOIN entities AS target ON target.id = target_id
        WHERE job_id = :job
    )
    SELECT chunk.count AS chunks, chunk.tokens, chunk.last_number AS last_chunk, chunk.beyond AS chunks_beyond,
           vector.count AS vectors, mention.count AS mentions, mention.entities, mention.beyond AS mentions_beyond,
           mention.unresolved, mention.strangers + edge.strangers AS strangers, edge.count AS relationships,
           edge.unmentioned
    FROM chunk, vector, mention, edge
"""
"""Of a run (`job`, `document`, `project`) of so many pages (`pages`)."""

LOOKED_AT = (
    *("chunks", "tokens", "last_chunk", "chunks_beyond", "vectors", "mentions", "entities", "mentions_beyond"),
    *("unresolved", "strangers", "relationships", "unmentioned"),
)
"""What `LOOK` reads, in its order: numbers all of them."""
