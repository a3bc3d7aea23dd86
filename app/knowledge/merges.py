"""What was taken for the same, kept with its score and reason, and undone again. Nothing here commits.

All of it is done in the project's turn (`entities.take_turn`). Entities that are merged go on being rows: `merged_into` names the
one that stands for them, and the merges that are in force say how it came to that.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import new_id, table_of
from app.entities.mentions import EntityType
from app.errors import EntitiesDiffer, MergeNotFound
from app.jobs.models import Job
from app.knowledge import entities
from app.knowledge.mentions import Name
from app.knowledge.models import EntityMerge

merges = table_of(EntityMerge)

BY_HAND = "by_hand"


async def copy_names(session: AsyncSession, earlier_id: UUID, job: Job) -> None:
    """Give a run what another one of its document took for the same."""
    await session.execute(_FORGET, {"job": job.id})
    await session.execute(_COPY, {"earlier": earlier_id, "job": job.id})


async def in_force(session: AsyncSession, entity_ids: Sequence[UUID], *, limit: int) -> Sequence[Any]:
    """What is taken for the same as some entities now, the newest first."""
    query = select(merges).where(merges.c.entity_id.in_(entity_ids), merges.c.undone_at.is_(None))
    return (await session.execute(query.order_by(merges.c.id.desc()).limit(limit))).all()


async def merge(session: AsyncSession, project_id: UUID, entity_id: UUID, others: Iterable[UUID]) -> list[UUID]:
    """Have one entity stand for others; returns the merges. Those that are the same by now are passed over.

    Raises `EntityNotFound`, and `EntitiesDiffer` for entities of different types.
    """
    root = await entities.find(session, project_id, entity_id)
    made: list[UUID] = []
    for other_id in others:
        other = await entities.find(session, project_id, other_id)
        if other.id == root.id:
            continue
        if other.type != root.type:
            raise EntitiesDiffer(f"One is of the type {root.type}, the other {other.type}; these can't be one.")
        made.append(new_id())
        await session.execute(
            insert(merges).values(
                id=made[-1],
                project_id=project_id,
                entity_id=root.id,
                merged_id=other.id,
                type=other.type,
                normal_form=other.normal_form,
                name=other.name,
                score=1.0,
                reason=BY_HAND,
            )
        )
        await session.execute(_MERGE, {"root": root.id, "other": other.id})
    return made


async def undo(session: AsyncSession, project_id: UUID, entity_id: UUID, merge_id: UUID) -> UUID:
    """Undo one merge of an entity; returns the entity that is parted from it. Raises `EntityNotFound`, `MergeNotFound`."""
    root = await entities.find(session, project_id, entity_id)
    family = await entities.family(session, root.id)
    undone = (
        update(merges)
        .where(merges.c.id == merge_id, merges.c.entity_id.in_(family), merges.c.undone_at.is_(None))
        .values(undone_at=text("now()"))
        .returning(merges)
    )
    row = (await session.execute(undone)).one_or_none()
    if row is None:
        raise MergeNotFound
    if row.merged_id is not None:
        await session.execute(_PART, {"parted": row.merged_id})
        return UUID(str(row.merged_id))
    return await _part_name(session, project_id, row)


async def of_name(
    session: AsyncSession, family: Sequence[UUID], normal_form: str, document_id: UUID | None
) -> Sequence[UUID]:
    """The merges in force by which a name belongs to an entity, everywhere or in one document."""
    query = select(merges.c.id).where(
        merges.c.entity_id.in_(family), merges.c.normal_form == normal_form, merges.c.undone_at.is_(None)
    )
    if document_id is not None:
        query = query.where(merges.c.document_id == document_id)
    return list(await session.scalars(query.order_by(merges.c.id)))


async def _part_name(session: AsyncSession, project_id: UUID, row: Any) -> UUID:
    """Have a name of a document mean an entity of its own, and so what relates by it alone."""
    name: Name = EntityType(row.type), row.normal_form
    keys = entities.keys_of_name(*name)
    own = (await entities.upsert(session, project_id, [entities.EntityDraft(*name, row.name, keys)]))[name]
    told = {"job": row.job_id, "type": row.type, "normal_form": row.normal_form, "own": own, "entity": row.entity_id}
    await session.execute(_PART_MENTIONS, told)
    for end, other in (("source_id", "target_id"), ("target_id", "source_id")):
        await session.execute(_PART_EDGES[end, other], told)
    return own


_UUID = merges.c.id.type


def _with_ids(statement: str, *names: str) -> Any:
    return text(statement).bindparams(*(bindparam(name, type_=_UUID) for name in names))


_FORGET = _with_ids("DELETE FROM entity_merges WHERE job_id = :job AND undone_at IS NULL", "job")
_COPY = _with_ids(
    """
    INSERT INTO entity_merges (
        id, project_id, document_id, job_id, entity_id, type, normal_form, name, score, reason)
    SELECT gen_random_uuid(), project_id, document_id, :job, entity_id, type, normal_form, name, score, reason
    FROM entity_merges WHERE job_id = :earlier AND undone_at IS NULL
    """,
    "earlier",
    "job",
)
_MERGE = _with_ids(
    "UPDATE entities SET merged_into = :root, updated_at = now() WHERE id = :other OR merged_into = :other",
    "root",
    "other",
)
# Whatever was merged into the one that is parted goes with it.
_PART = _with_ids(
    """
    WITH RECURSIVE below (id) AS (
        SELECT CAST(:parted AS uuid)
        UNION
        SELECT merged_id FROM entity_merges JOIN below ON entity_merges.entity_id = below.id
        WHERE merged_id IS NOT NULL AND undone_at IS NULL
    )
    UPDATE entities SET merged_into = NULLIF(CAST(:parted AS uuid), entities.id), updated_at = now()
    FROM below WHERE entities.id = below.id
    """,
    "parted",
)
_PART_MENTIONS = _with_ids(
    """
    UPDATE entity_mentions SET entity_id = :own
    WHERE job_id = :job AND type = :type AND normal_form = :normal_form AND entity_id = :entity
    """,
    "own",
    "job",
    "entity",
)
# An edge is the parted name's where each sentence that it is read from has that name, and none has another of the entity's.
_PART_EDGE = """
    UPDATE relationships SET {end} = :own
    WHERE job_id = :job AND {end} = :entity AND {other} <> :own AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(evidence) AS said ("start" int, "end" int)
        WHERE NOT EXISTS (
            SELECT FROM entity_mentions AS parted
            WHERE parted.job_id = :job AND parted.entity_id = :own AND parted.type = :type
              AND parted.normal_form = :normal_form
              AND parted.start_char >= said."start" AND parted.start_char < said."end"
        ) OR EXISTS (
            SELECT FROM entity_mentions AS kept
            WHERE kept.job_id = :job AND kept.entity_id = :entity
              AND kept.start_char >= said."start" AND kept.start_char < said."end"
        )
    ) AND NOT EXISTS (
        SELECT FROM relationships AS there
        WHERE there.job_id = :job AND there.type = relationships.type AND there.{end} = :own
          AND there.{other} = relationships.{other} AND there.role IS NOT DISTINCT FROM relationships.role
    )
"""
_PART_EDGES = {
    (end, other): _with_ids(_PART_EDGE.format(end=end, other=other), "own", "job", "entity")
    for end, other in (("source_id", "target_id"), ("target_id", "source_id"))
}
