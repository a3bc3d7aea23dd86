"""Reading and writing a project's entities. Nothing here commits.

Whoever adds entities, merges or parts them holds the project's turn (`take_turn`) in the same transaction: what one
document was resolved to is there for the next one to see, whatever runs at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, JSON, Row, Uuid, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import new_id, table_of
from app.entities.blocking import keys_of
from app.entities.mentions import EntityType
from app.errors import EntityNotFound
from app.knowledge.mentions import Name
from app.knowledge.models import Entity

entities = table_of(Entity)

KEYS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class EntityDraft:
    """An entity as it is to be kept."""

    type: EntityType
    normal_form: str
    name: str
    blocking_keys: Iterable[str]


def keys_of_name(kind: EntityType, normal_form: str) -> frozenset[str]:
    """The blocking keys that an entity of a type and normal form is kept with."""
    return keys_of(kind, normal_form)


async def take_turn(session: AsyncSession, project_id: UUID) -> None:
    """Wait until no other transaction changes the project's entities, and keep others waiting until this one ends."""
    await session.execute(_TAKE_TURN, {"name": f"entities {project_id}"})


async def upsert(session: AsyncSession, project_id: UUID, drafts: Sequence[EntityDraft]) -> dict[Name, UUID]:
    """Keep entities, each once for its type and normal form; returns the id of each, old or new."""
    rows = [
        {
            "id": str(new_id()),
            "type": draft.type,
            "normal_form": draft.normal_form,
            "name": draft.name,
            "blocking_keys": sorted(draft.blocking_keys),
        }
        for draft in drafts
    ]
    if not rows:
        return {}
    kept = await session.execute(_UPSERT, {"project": project_id, "rows": rows})
    return {(EntityType(row.type), row.normal_form): row.id for row in kept}


async def by_forms(session: AsyncSession, project_id: UUID, names: Iterable[Name]) -> dict[Name, UUID]:
    """The ids of the entities that are kept under some types and normal forms, where they are."""
    rows = [{"type": kind, "normal_form": normal} for kind, normal in names]
    found = await session.execute(_BY_FORMS, {"project": project_id, "rows": rows})
    return {(EntityType(row.type), row.normal_form): row.id for row in found}


async def find(session: AsyncSession, project_id: UUID, entity_id: UUID) -> Row[Any]:
    """One entity of a project, or the one that it was merged into. Raises `EntityNotFound`."""
    row = (await session.execute(_FIND, {"project": project_id, "entity": entity_id})).one_or_none()
    if row is None:
        raise EntityNotFound
    return row


async def family(session: AsyncSession, root_id: UUID) -> list[UUID]:
    """An entity's id and those of all that are merged into it: what mentions and relationships point to."""
    merged = select(entities.c.id).where(entities.c.merged_into == root_id)
    return [root_id, *await session.scalars(merged)]


async def forget_unused(session: AsyncSession, project_id: UUID, entity_ids: Iterable[UUID]) -> int:
    """Take away those entities that nothing speaks of any more, and that nobody merged; returns how many."""
    ids, forgotten = sorted(set(entity_ids)), 0
    for some in batches(ids):
        await session.execute(_LOCK_UNUSED, {"project": project_id, "ids": some})
        forgotten += len((await session.execute(_FORGET_UNUSED, {"project": project_id, "ids": some})).all())
    return forgotten


def batches(values: Sequence[Any]) -> Iterable[list[Any]]:
    """Values in lists that are short enough for one statement."""
    for first in range(0, len(values), KEYS_AT_ONCE):
        yield list(values[first : first + KEYS_AT_ONCE])


_UUID = entities.c.id.type
_PROJECT = bindparam("project", type_=_UUID)

_TAKE_TURN = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name"), 0)))
_UPSERT = text(
    """
    INSERT INTO entities (id, project_id, type, normal_form, name, blocking_keys)
    SELECT id, :project, type, normal_form, name, blocking_keys
    FROM json_to_recordset(:rows) AS kept (id uuid, type text, normal_form text, name text, blocking_keys text[])
    ORDER BY type, normal_form
    ON CONFLICT (project_id, type, normal_form) DO UPDATE SET
        name = excluded.name, blocking_keys = excluded.blocking_keys, updated_at = now()
    RETURNING id, type, normal_form
    """
).bindparams(_PROJECT, bindparam("rows", type_=JSON))
_BY_FORMS = text(
    """
    SELECT entities.id, entities.type, entities.normal_form FROM entities
    JOIN json_to_recordset(:rows) AS named (type text, normal_form text) USING (type, normal_form)
    WHERE project_id = :project
    """
).bindparams(_PROJECT, bindparam("rows", type_=JSON))
_FIND = text(
    """
    SELECT root.* FROM entities JOIN entities AS root ON root.id = coalesce(entities.merged_into, entities.id)
    WHERE entities.id = :entity AND entities.project_id = :project
    """
).bindparams(_PROJECT, bindparam("entity", type_=_UUID))

# Locked first, so that what another transaction has added by now is seen by the second statement.
_LOCK_UNUSED = text(
    "SELECT id FROM entities WHERE project_id = :project AND id = ANY(:ids) ORDER BY id FOR UPDATE"
).bindparams(_PROJECT, bindparam("ids", type_=ARRAY(Uuid())))
_FORGET_UNUSED = text(
    """
    DELETE FROM entities WHERE project_id = :project AND id = ANY(:ids) AND merged_into IS NULL
      AND NOT EXISTS (SELECT FROM entity_mentions WHERE entity_id = entities.id)
      AND NOT EXISTS (SELECT FROM relationships WHERE source_id = entities.id)
      AND NOT EXISTS (SELECT FROM relationships WHERE target_id = entities.id)
      AND NOT EXISTS (SELECT FROM entity_merges WHERE entity_id = entities.id OR merged_id = entities.id)
      AND NOT EXISTS (SELECT FROM entities AS merged WHERE merged.merged_into = entities.id)
    RETURNING id
    """
).bindparams(_PROJECT, bindparam("ids", type_=ARRAY(Uuid())))
