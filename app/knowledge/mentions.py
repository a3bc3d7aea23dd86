"""Reading and writing mentions. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Row, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import table_of
from app.entities.mentions import EntityType, Mention
from app.entities.resolution import Named
from app.jobs.models import Job
from app.knowledge.models import Entity, EntityMention
from app.knowledge.unhurried import UNHURRIED

mentions = table_of(EntityMention)
entities = table_of(Entity)

Name = tuple[EntityType, str]
"""A name: its type and normal form."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A mention, and where it stands."""

    mention: Mention
    page: int
    boxes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Linked:
    """A stored mention, and what it was resolved to."""

    mention: Mention
    page: int
    entity_id: UUID | None


async def forget(session: AsyncSession, job_id: UUID) -> None:
    """Take away what an earlier try of a run found."""
    await session.execute(_FORGET, {"job": job_id})


async def add(session: AsyncSession, job: Job, found: Sequence[Placed]) -> None:
    """Write mentions of a run; one that begins where another does is left out."""
    if found:
        await session.execute(_SAVE, {"job": job.id, "document": job.document_id, "rows": _rows(found)})


async def replace(session: AsyncSession, job: Job, found: Sequence[Placed]) -> list[Placed]:
    """Write all mentions of a run in place of what an earlier try found, in one statement; returns those that were written.

    One that begins where another does is left out.
    """
    first = {placed.mention.start: placed for placed in reversed(found)}
    written = list(first.values())
    await session.execute(_REPLACE, {"job": job.id, "document": job.document_id, "rows": _rows(written)})
    return written


def _rows(found: Sequence[Placed]) -> list[dict[str, Any]]:
    return [
        {
            "start_char": placed.mention.start,
            "end_char": placed.mention.end,
            "type": placed.mention.type,
            "text": placed.mention.text,
            "normal_form": placed.mention.normal,
            "confidence": placed.mention.confidence,
            "source": placed.mention.source,
            "page": placed.page,
            "boxes": placed.boxes,
        }
        for placed in found
    ]


async def copy(session: AsyncSession, earlier_id: UUID, job: Job, *, resolved: bool) -> int:
    """Give a run the mentions of another one of its document, with what they were resolved to where that is wanted."""
    await forget(session, job.id)
    told = {"earlier": earlier_id, "job": job.id, "resolved": resolved}
    return len((await session.execute(_COPY, told)).all())


async def names(session: AsyncSession, job_id: UUID, *, unlinked: bool = False) -> list[Named]:
    """The names that a run's mentions have, or those that mean no entity yet."""
    rows = await session.execute(_UNLINKED_NAMES if unlinked else _NAMES, {"job": job_id})
    return [Named(EntityType(kind), normal, written, count) for kind, normal, written, count in rows]


async def link(session: AsyncSession, job_id: UUID, meanings: Mapping[Name, UUID]) -> int:
    """Say of names what they mean; returns how many mentions that changed."""
    told = {"job": job_id, "rows": meaning_rows(meanings)}
    return len((await session.execute(_LINK, told)).all()) if meanings else 0


def meaning_rows(meanings: Mapping[Name, UUID]) -> list[dict[str, str]]:
    """What names mean, as the rows that `LINK` takes."""
    return [
        {"type": kind, "normal_form": normal, "entity_id": str(entity)} for (kind, normal), entity in meanings.items()
    ]


async def on_pages(session: AsyncSession, job_id: UUID, first_page: int, last_page: int) -> list[Linked]:
    """The mentions that begin on some pages of a run, in the document's order."""
    rows = await session.execute(_ON_PAGES, {"job": job_id, "first": first_page, "last": last_page})
    return [Linked(_mention(row), row.page, row.entity_id) for row in rows]


async def counts(session: AsyncSession, job_id: UUID) -> dict[EntityType, int]:
    """How many mentions a run has of each type."""
    rows = await session.execute(_COUNTS, {"job": job_id})
    return {EntityType(kind): count for kind, count in rows}


async def list_of_run(
    session: AsyncSession,
    job_id: UUID,
    *,
    after: int,
    limit: int,
    page: int | None = None,
    kind: EntityType | None = None,
    entity_ids: Sequence[UUID] | None = None,
) -> Sequence[Any]:
    """Mentions of a run that begin after a character, in order; `root_id` is the entity that stands for theirs."""
    root = func.coalesce(entities.c.merged_into, entities.c.id).label("root_id")
    query = (
        select(*(mentions.c[name] for name in _SHOWN), root)
        .select_from(mentions.outerjoin(entities, entities.c.id == mentions.c.entity_id))
        .where(mentions.c.job_id == job_id, mentions.c.start_char > after)
    )
    if page is not None:
        query = query.where(mentions.c.page == page)
    if kind is not None:
        query = query.where(mentions.c.type == kind)
    if entity_ids is not None:
        query = query.where(mentions.c.entity_id.in_(entity_ids))
    return (await session.execute(query.order_by(mentions.c.start_char).limit(limit))).all()


def _mention(row: Row[Any]) -> Mention:
    return Mention(
        type=EntityType(row.type),
        text=row.text,
        normal=row.normal_form,
        confidence=row.confidence,
        source=row.source,
        start=row.start_char,
        end=row.end_char,
    )


_SHOWN = (
    "document_id", "type", "text", "normal_form", "confidence", "source", "page", "start_char", "end_char", "boxes",
)  # fmt: skip
_UUID = mentions.c.job_id.type


def _of_job(statement: str, *others: str) -> Any:
    """A statement about a job; the other parameters named are ids as well."""
    return text(statement).bindparams(*(bindparam(name, type_=_UUID) for name in ("job", *others)))


_FORGET = _of_job("DELETE FROM entity_mentions WHERE job_id = :job")
_FOUND = """
    SELECT :job AS job_id, :document AS document_id, start_char, end_char, type, text, normal_form,
           confidence, source, page, boxes
    FROM json_to_recordset(:rows) AS found (
        start_char int, end_char int, type text, text text, normal_form text, confidence float, source text, page int,
        boxes jsonb)
"""
_COLUMNS = "job_id, document_id, start_char, end_char, type, text, normal_form, confidence, source, page, boxes"
_SAVE = _of_job(
    f"INSERT INTO entity_mentions ({_COLUMNS}) {_FOUND} ON CONFLICT (job_id, start_char) DO NOTHING",
    "document",
).bindparams(bindparam("rows", type_=JSON))
# What an earlier try has written of the same place is written over: its row, deleted here, would still be in the way.
_REPLACE = _of_job(
    f"""
    WITH found AS ({_FOUND}), gone AS (
        DELETE FROM entity_mentions WHERE job_id = :job AND start_char NOT IN (SELECT start_char FROM found)
    )
    INSERT INTO entity_mentions ({_COLUMNS}) SELECT {_COLUMNS} FROM found, {UNHURRIED}
    ON CONFLICT (job_id, start_char) DO UPDATE SET
        end_char = excluded.end_char, type = excluded.type, text = excluded.text,
        normal_form = excluded.normal_form, confidence = excluded.confidence, source = excluded.source,
        page = excluded.page, boxes = excluded.boxes, entity_id = NULL
    """,  # noqa: S608 (names of ours)
    "document",
).bindparams(bindparam("rows", type_=JSON))
_COPY = _of_job(
    """
    INSERT INTO entity_mentions (
        job_id, document_id, start_char, end_char, type, text, normal_form, confidence, source, page, boxes, entity_id)
    SELECT :job, document_id, start_char, end_char, type, text, normal_form, confidence, source, page, boxes,
           CASE WHEN :resolved THEN entity_id END
    FROM entity_mentions WHERE job_id = :earlier
    RETURNING start_char
    """,
    "earlier",
)
# In full, if a name is written so anywhere: `app.entities.resolution.is_short`.
_NAMES_OF = """
    SELECT type, normal_form, coalesce(
               mode() WITHIN GROUP (ORDER BY text COLLATE "C") FILTER (
                   WHERE CASE WHEN type = 'citation' THEN text !~ '^[0-9]| at ' ELSE source <> 'echo' END),
               mode() WITHIN GROUP (ORDER BY text COLLATE "C")), count(*) FROM entity_mentions
    WHERE job_id = :job {condition} GROUP BY type, normal_form ORDER BY type COLLATE "C", normal_form COLLATE "C"
"""
_NAMES = _of_job(_NAMES_OF.format(condition=""))
_UNLINKED_NAMES = _of_job(_NAMES_OF.format(condition="AND entity_id IS NULL"))
LINK = f"""
    UPDATE entity_mentions SET entity_id = meant.entity_id
    FROM json_to_recordset(:rows) AS meant (type text, normal_form text, entity_id uuid), {UNHURRIED}
    WHERE job_id = :job AND entity_mentions.type = meant.type AND entity_mentions.normal_form = meant.normal_form
      AND entity_mentions.entity_id IS DISTINCT FROM meant.entity_id
"""  # noqa: S608 (a setting of ours)
"""Says of the names of a run (`job`) what they mean (`rows`)."""
_LINK = _of_job(f"{LINK} RETURNING start_char").bindparams(bindparam("rows", type_=JSON))
_ON_PAGES = _of_job(
    "SELECT * FROM entity_mentions WHERE job_id = :job AND page BETWEEN :first AND :last ORDER BY start_char"
)
_COUNTS = _of_job("SELECT type, count(*) FROM entity_mentions WHERE job_id = :job GROUP BY type ORDER BY type")
