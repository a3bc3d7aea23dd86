"""What a document's names are resolved by, and how that is written down. Nothing here commits.

It is written in the project's turn (`entities.take_turn`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ARRAY, JSON, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import new_id
from app.entities.mentions import EntityType
from app.jobs.models import Job
from app.knowledge import entities, mentions
from app.knowledge.mentions import Name


@dataclass(frozen=True, slots=True)
class Known:
    """An entity that a project has already."""

    id: UUID
    root_id: UUID
    """The one that stands for it: itself, where it is merged into none."""
    form: Name
    name: str


@dataclass(frozen=True, slots=True)
class Background:
    """What there was before a document's names are resolved."""

    known: dict[UUID, Known] = field(default_factory=dict)
    """The project's entities that share a blocking key with a name, merged ones among them."""
    undone: set[tuple[Name, UUID]] = field(default_factory=set)
    """The names of the document that were taken for an entity's, and that somebody said are not; each with that entity."""


@dataclass(frozen=True, slots=True)
class JoinedName:
    """A name as a document has it that was taken for an entity's."""

    type: EntityType
    normal_form: str
    name: str
    entity_id: UUID
    score: float
    reason: str


async def look(session: AsyncSession, job: Job, blocking_keys: Iterable[str]) -> Background:
    """What is known that the names with these blocking keys may mean."""
    found = Background()
    owners = {"project": job.project_id, "document": job.document_id}
    for keys in entities.batches(sorted(set(blocking_keys))):
        for row in await session.execute(_LOOK, {"keys": keys, **owners}):
            form = (EntityType(row.type), row.normal_form)
            if row.root_id is None:
                found.undone.add((form, row.id))
            else:
                found.known[row.id] = Known(row.id, row.root_id, form, row.name)
    return found


async def link(session: AsyncSession, job: Job, meanings: Mapping[Name, UUID], joined: Sequence[JoinedName]) -> None:
    """Say of a run's names what they mean, and keep what it took for the same, in place of what an earlier try of it did."""
    rows = [
        {
            "id": str(new_id()),
            "entity_id": str(name.entity_id),
            "type": name.type,
            "normal_form": name.normal_form,
            "name": name.name,
            "score": name.score,
            "reason": name.reason,
        }
        for name in joined
    ]
    owners = {"project": job.project_id, "document": job.document_id, "job": job.id}
    await session.execute(_LINK, {"rows": mentions.meaning_rows(meanings), "joined": rows, **owners})


_LOOK = text(
    """
    SELECT id, coalesce(merged_into, id) AS root_id, type, normal_form, name FROM entities
    WHERE project_id = :project AND blocking_keys && :keys
    UNION ALL
    SELECT entity_id, NULL, type, normal_form, name FROM entity_merges
    WHERE document_id = :document AND undone_at IS NOT NULL
    """
).bindparams(
    bindparam("keys", type_=ARRAY(Text())), *(bindparam(name, type_=Uuid()) for name in ("project", "document"))
)
# What an earlier try has joined as well is written over: its row, deleted here, would still be in the way.
_LINK = text(
    f"""
    WITH joined AS (
        SELECT * FROM json_to_recordset(:joined) AS joined (
            id uuid, entity_id uuid, type text, normal_form text, name text, score float, reason text)
    ), linked AS ({mentions.LINK}), gone AS (
        DELETE FROM entity_merges WHERE job_id = :job AND undone_at IS NULL
          AND (type, normal_form) NOT IN (SELECT type, normal_form FROM joined)
    )
    INSERT INTO entity_merges (
        id, project_id, document_id, job_id, entity_id, type, normal_form, name, score, reason)
    SELECT id, :project, :document, :job, entity_id, type, normal_form, name, score, reason FROM joined
    ON CONFLICT (job_id, type, normal_form) WHERE job_id IS NOT NULL AND undone_at IS NULL DO UPDATE SET
        entity_id = excluded.entity_id, name = excluded.name, score = excluded.score, reason = excluded.reason
    """  # noqa: S608 (a statement of ours)
).bindparams(
    bindparam("rows", type_=JSON),
    bindparam("joined", type_=JSON),
    *(bindparam(name, type_=Uuid()) for name in ("project", "document", "job")),
)
