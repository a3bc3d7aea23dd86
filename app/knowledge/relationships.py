"""Reading and writing relationships. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, JSON, Float, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import new_id, table_of
from app.graph.relations import MOST_EVIDENCE, MOST_WEIGHT, SUREST, RelationType
from app.jobs.models import Job
from app.knowledge.models import Relationship
from app.knowledge.unhurried import UNHURRIED

relationships = table_of(Relationship)


@dataclass(frozen=True, slots=True)
class EdgeDraft:
    """A relationship as it is to be kept."""

    type: RelationType
    source_id: UUID
    target_id: UUID
    role: str | None
    weight: float
    evidence: Sequence[Mapping[str, Any]]
    """The strongest first, each with `sentence`, `page`, `start`, `end`, `weight` and `boxes`."""


async def forget(session: AsyncSession, job_id: UUID) -> None:
    """Take away what an earlier try of a run wrote."""
    await session.execute(_FORGET, {"job": job_id})


async def add(session: AsyncSession, job: Job, edges: Sequence[EdgeDraft]) -> None:
    """Write edges of a run; to one that is there already they are further evidence, as of an independent witness.

    No two of the edges may be of the same type, source, target and role.
    """
    if edges:
        bounds = {"most": MOST_EVIDENCE, "most_weights": MOST_WEIGHT, "surest": SUREST}
        await session.execute(_ADD, _told(job, edges) | bounds)


async def replace(session: AsyncSession, job: Job, edges: Sequence[EdgeDraft]) -> None:
    """Write edges of a run in place of all that an earlier try wrote; no two may be of the same type, source, target and role."""
    await session.execute(_REPLACE, _told(job, edges))


def _told(job: Job, edges: Sequence[EdgeDraft]) -> dict[str, Any]:
    rows = [
        {
            "id": str(new_id()),
            "type": edge.type,
            "source_id": str(edge.source_id),
            "target_id": str(edge.target_id),
            "role": edge.role,
            "weight": min(1.0, max(0.0, edge.weight)),
            "evidence": list(edge.evidence[:MOST_EVIDENCE]),
        }
        for edge in edges
    ]
    return {"rows": rows, "project": job.project_id, "document": job.document_id, "job": job.id}


async def copy(session: AsyncSession, earlier_id: UUID, job: Job) -> int:
    """Give a run the relationships of another one of its document; returns how many."""
    await forget(session, job.id)
    return len((await session.execute(_COPY, {"earlier": earlier_id, "job": job.id})).all())


async def counts(session: AsyncSession, job_id: UUID) -> dict[RelationType, int]:
    """How many relationships a run has of each type."""
    rows = await session.execute(_COUNTS, {"job": job_id})
    return {RelationType(kind): count for kind, count in rows}


async def list_of_run(
    session: AsyncSession,
    job_id: UUID,
    *,
    after: UUID | None,
    limit: int,
    kind: RelationType | None = None,
    entity_ids: Sequence[UUID] | None = None,
    least_weight: float = 0.0,
) -> Sequence[Any]:
    """Relationships of a run after one of them, each with the entities that stand for its two; in the order of their ids.

    These come as `source_id`, `source_name` and `source_type`, and so for `target`. What was kept of several entities that are one
    by now is one relationship, under the first of its ids: with the evidence of all, and as sure as the surest, as in the graph.
    Those within what is one entity by now are left out.
    """
    told = {
        "job": job_id,
        "after": after,
        "limit": limit,
        "kind": kind,
        "entities": None if entity_ids is None else list(entity_ids),
        "least": least_weight,
        "most": MOST_EVIDENCE,
    }
    return (await session.execute(_LIST, told)).all()


_UUID = relationships.c.job_id.type


def _of_job(statement: str, *others: str) -> Any:
    """A statement about a job; the other parameters named are ids as well."""
    return text(statement).bindparams(*(bindparam(name, type_=_UUID) for name in ("job", *others)))


_FORGET = _of_job("DELETE FROM relationships WHERE job_id = :job")
_MADE = """
    SELECT * FROM json_to_recordset(:rows) AS made (
        id uuid, type text, source_id uuid, target_id uuid, role text, weight float, evidence jsonb)
"""
_INSERT = """
    INSERT INTO relationships (
        id, project_id, document_id, job_id, type, source_id, target_id, role, weight, evidence)
    SELECT id, :project, :document, :job, type, source_id, target_id, role, weight, evidence FROM made
"""
_ADD = _of_job(
    f"""
    WITH made AS ({_MADE}) {_INSERT}
    ON CONFLICT (job_id, type, source_id, target_id, role) DO UPDATE SET
        weight = least(
            1 - (1 - relationships.weight) * (1 - excluded.weight),
            coalesce(CAST(CAST(:most_weights AS jsonb) ->> excluded.type AS float), :surest)),
        evidence = (
            SELECT jsonb_agg(said ORDER BY rank) FROM (
                SELECT said, row_number() OVER (ORDER BY CAST(said ->> 'weight' AS float) DESC) AS rank
                FROM jsonb_array_elements(relationships.evidence || excluded.evidence) AS said
            ) AS ranked WHERE rank <= :most)
    """,  # noqa: S608 (names of ours)
    "project",
    "document",
).bindparams(bindparam("rows", type_=JSON), bindparam("most_weights", type_=JSON), bindparam("surest", type_=Float()))
# What an earlier try has written of the same two is written over: its row, deleted here, would still be in the way.
_REPLACE = _of_job(
    f"""
    WITH made AS ({_MADE}), gone AS (
        DELETE FROM relationships AS old WHERE job_id = :job AND NOT EXISTS (
            SELECT FROM made WHERE made.type = old.type AND made.source_id = old.source_id
              AND made.target_id = old.target_id AND made.role IS NOT DISTINCT FROM old.role)
    ) {_INSERT}, {UNHURRIED}
    ON CONFLICT (job_id, type, source_id, target_id, role) DO UPDATE SET
        weight = excluded.weight, evidence = excluded.evidence
    """,  # noqa: S608 (names of ours)
    "project",
    "document",
).bindparams(bindparam("rows", type_=JSON))
_COPY = _of_job(
    """
    INSERT INTO relationships (
        id, project_id, document_id, job_id, type, source_id, target_id, role, weight, evidence)
    SELECT gen_random_uuid(), project_id, document_id, :job, type, source_id, target_id, role, weight, evidence
    FROM relationships WHERE job_id = :earlier
    RETURNING id
    """,
    "earlier",
)
# Only of what is shown is the evidence put together; what several rules or names have from one sentence is told once.
_LIST = (
    _of_job(
        """
        WITH edge AS MATERIALIZED (
            SELECT array_agg(edge.id ORDER BY edge.id) AS ids, max(weight) AS weight, edge.type, role,
                   coalesce(source.merged_into, source.id) AS source_id, coalesce(target.merged_into, target.id) AS target_id
            FROM relationships AS edge
            JOIN entities AS source ON source.id = edge.source_id
            JOIN entities AS target ON target.id = edge.target_id
            WHERE edge.job_id = :job
              AND (CAST(:kind AS text) IS NULL OR edge.type = :kind)
              AND (CAST(:entities AS uuid[]) IS NULL OR edge.source_id = ANY(:entities) OR edge.target_id = ANY(:entities))
              AND coalesce(source.merged_into, source.id) <> coalesce(target.merged_into, target.id)
            GROUP BY edge.type, role, coalesce(source.merged_into, source.id), coalesce(target.merged_into, target.id)
            HAVING max(weight) >= :least
               AND (CAST(:after AS uuid) IS NULL OR (array_agg(edge.id ORDER BY edge.id))[1] > :after)
            ORDER BY 1 LIMIT :limit
        )
        SELECT kept.id, kept.document_id, edge.type, edge.role, edge.weight,
               source.id AS source_id, source.name AS source_name, source.type AS source_type,
               target.id AS target_id, target.name AS target_name, target.type AS target_type,
               CASE WHEN cardinality(edge.ids) = 1 THEN kept.evidence ELSE (
                   SELECT jsonb_agg(said ORDER BY rank) FROM (
                       SELECT said, row_number() OVER (
                                  ORDER BY CAST(said ->> 'weight' AS float) DESC, CAST(said ->> 'start' AS int)) AS rank
                       FROM (
                           SELECT DISTINCT ON (said -> 'start', said -> 'end') said
                           FROM relationships AS member, jsonb_array_elements(member.evidence) AS said
                           WHERE member.id = ANY(edge.ids)
                           ORDER BY said -> 'start', said -> 'end', CAST(said ->> 'weight' AS float) DESC
                       ) AS once
                   ) AS ranked WHERE rank <= :most) END AS evidence
        FROM edge
        JOIN relationships AS kept ON kept.id = edge.ids[1]
        JOIN entities AS source ON source.id = edge.source_id
        JOIN entities AS target ON target.id = edge.target_id
        ORDER BY kept.id
        """,
        "after",
    )
    .bindparams(bindparam("entities", type_=ARRAY(_UUID)), bindparam("kind", type_=Text()))
    .columns(evidence=relationships.c.evidence.type)
)
_COUNTS = _of_job("SELECT type, count(*) FROM relationships WHERE job_id = :job GROUP BY type ORDER BY type")
