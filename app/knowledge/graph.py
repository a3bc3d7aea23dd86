"""The graph of a project's entities around one of them, from what all documents say. Nothing here commits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.graph.relations import RelationType


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """How one entity stands to another, by all documents that say so."""

    source_id: UUID
    target_id: UUID
    type: RelationType
    role: str | None
    weight: float
    """That of the document which says so most surely."""
    document_count: int


@dataclass(frozen=True, slots=True)
class Around:
    """What was found around an entity."""

    depths: dict[UUID, int]
    """How many edges each entity is away."""
    edges: list[GraphEdge]
    truncated: bool
    """Whether there is more than was asked for at most."""


async def around(
    session: AsyncSession,
    entity_id: UUID,
    *,
    depth: int,
    limit: int,
    kinds: Collection[RelationType] | None = None,
    least_weight: float = 0.0,
) -> Around:
    """Go out from an entity, edge by edge, the surest first; `limit` is how many edges there may be in all."""
    depths, edges = {entity_id: 0}, dict[tuple[UUID, UUID, RelationType, str | None], GraphEdge]()
    frontier, truncated = [entity_id], False
    for step in range(1, depth + 1):
        room = limit - len(edges)
        found = await _edges_of(session, frontier, kinds, least_weight, most=len(edges) + room + 1)
        fresh = [edge for edge in found if _key(edge) not in edges]
        truncated = truncated or len(fresh) > room
        edges |= {_key(edge): edge for edge in fresh[:room]}
        ends = [end for edge in fresh[:room] for end in (edge.source_id, edge.target_id)]
        frontier = [end for end in dict.fromkeys(ends) if end not in depths]
        depths |= dict.fromkeys(frontier, step)
        if not frontier or len(edges) >= limit:
            break
    return Around(depths, list(edges.values()), truncated)


async def documents_of(session: AsyncSession, entity_ids: Sequence[UUID], *, limit: int) -> Sequence[Any]:
    """The documents that mention entities, most mentions first.

    Each has `root_id`, `document_id`, `name`, `project_id`, `project_name` and `mentions`.
    """
    return (await session.execute(_DOCUMENTS, {"entities": list(entity_ids), "most": limit})).all()


async def batches_of(session: AsyncSession, document_ids: Sequence[UUID], *, limit: int) -> Sequence[Any]:
    """The batches that documents were taken with: `document_id`, `batch_id`, `name`; the newest first.

    One that its owner gave no id of their own is called by when it came in.
    """
    return (await session.execute(_BATCHES, {"documents": list(document_ids), "most": limit})).all()


def _key(edge: GraphEdge) -> tuple[UUID, UUID, RelationType, str | None]:
    return edge.source_id, edge.target_id, edge.type, edge.role


async def _edges_of(
    session: AsyncSession,
    frontier: Sequence[UUID],
    kinds: Collection[RelationType] | None,
    least_weight: float,
    *,
    most: int,
) -> list[GraphEdge]:
    told = {
        "frontier": list(frontier),
        "kinds": [str(kind) for kind in (RelationType if kinds is None else kinds)],
        "least": least_weight,
        "most": most,
    }
    rows = await session.execute(_EDGES, told)
    return [
        GraphEdge(row.source_id, row.target_id, RelationType(row.type), row.role, row.weight, row.documents)
        for row in rows
    ]


_EDGES = text(
    """
    WITH member AS (
        SELECT id FROM entities WHERE id = ANY(:frontier) OR merged_into = ANY(:frontier)
    ), touching AS (
        SELECT relationships.* FROM relationships JOIN member ON member.id = source_id
        UNION
        SELECT relationships.* FROM relationships JOIN member ON member.id = target_id
    )
    SELECT coalesce(source.merged_into, source.id) AS source_id, coalesce(target.merged_into, target.id) AS target_id,
           touching.type, role, max(weight) AS weight, count(DISTINCT touching.document_id) AS documents
    FROM touching
    JOIN jobs ON jobs.id = touching.job_id AND jobs.published
    JOIN entities AS source ON source.id = touching.source_id
    JOIN entities AS target ON target.id = touching.target_id
    WHERE touching.type = ANY(:kinds) AND weight >= :least
      AND coalesce(source.merged_into, source.id) <> coalesce(target.merged_into, target.id)
    GROUP BY 1, 2, 3, 4
    ORDER BY weight DESC, documents DESC, 1, 2, 3, 4
    LIMIT :most
    """
).bindparams(bindparam("frontier", type_=ARRAY(Uuid())), bindparam("kinds", type_=ARRAY(Text())))
_DOCUMENTS = text(
    """
    SELECT coalesce(entities.merged_into, entities.id) AS root_id, documents.id AS document_id,
           coalesce(documents.filename, documents.external_id) AS name, documents.project_id,
           projects.name AS project_name, count(*) AS mentions
    FROM entities
    JOIN entity_mentions ON entity_mentions.entity_id = entities.id
    JOIN jobs ON jobs.id = entity_mentions.job_id AND jobs.published
    JOIN documents ON documents.id = entity_mentions.document_id
    JOIN projects ON projects.id = documents.project_id
    WHERE entities.id = ANY(:entities) OR entities.merged_into = ANY(:entities)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY mentions DESC, 1, 2 LIMIT :most
    """
).bindparams(bindparam("entities", type_=ARRAY(Uuid())))
_BATCHES = text(
    r"""
    SELECT DISTINCT batch_items.document_id, batches.id AS batch_id, coalesce(
               batches.external_id,
               to_char(batches.created_at AT TIME ZONE 'UTC', '"batch of "YYYY-MM-DD HH24\:MI "UTC"')) AS name
    FROM batch_items JOIN batches ON batches.id = batch_items.batch_id
    WHERE batch_items.document_id = ANY(:documents) AND batch_items.status = 'taken'
    ORDER BY batch_id DESC, document_id LIMIT :most
    """
).bindparams(bindparam("documents", type_=ARRAY(Uuid())))
