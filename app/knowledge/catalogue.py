"""Looking entities up: those of a document, those of a project, and what is known of each. Nothing here commits."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, TextClause, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.entities.mentions import EntityType
from app.errors import RequestInvalid
from app.knowledge.models import NAME_SEARCH

PAGES_TOLD = 50
"""Of the pages that something is mentioned on, so many are named."""

NAMES_TOLD = 100

_WORD = re.compile(r"\w+")


async def of_run(
    session: AsyncSession,
    job_id: UUID,
    *,
    after: int,
    limit: int,
    kind: EntityType | None = None,
    page: int | None = None,
) -> Sequence[Any]:
    """What a run's document names, by where each is first named; `entity_id` is None for names that weren't resolved."""
    told = {"job": job_id, "after": after, "most": limit, "type": kind, "page": page}
    return (await session.execute(_OF_RUN, told)).all()


async def of_project(
    session: AsyncSession,
    project_id: UUID,
    *,
    before: UUID | None,
    limit: int,
    kind: EntityType | None = None,
    name: str | None = None,
    document_id: UUID | None = None,
) -> Sequence[Any]:
    """The entities of a project, the newest first; by `name`, those that have it among their names.

    Raises `RequestInvalid` for a name without a letter or a figure.
    """
    told = {"project": project_id, "before": before, "most": limit, "type": kind, "document": document_id}
    if name is None:
        return (await session.execute(_OF_PROJECT, told)).all()
    return (await session.execute(_NAMED, {**told, "name": prefix_query(name), "typed": name})).all()


async def by_ids(session: AsyncSession, entity_ids: Sequence[UUID]) -> Sequence[Any]:
    """Some entities."""
    return (await session.execute(_BY_IDS, {"entities": list(entity_ids)})).all()


async def counts(session: AsyncSession, entity_ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """How often each of some entities is mentioned, and in how many documents."""
    rows = await session.execute(_COUNTS, {"entities": list(entity_ids)})
    return {row.root_id: (row.mentions, row.documents) for row in rows}


async def documents_of(
    session: AsyncSession, family: Sequence[UUID], *, before: UUID | None, limit: int
) -> Sequence[Any]:
    """The documents that mention an entity, the newest first."""
    return (await session.execute(_DOCUMENTS, {"family": list(family), "before": before, "most": limit})).all()


async def names_of(session: AsyncSession, family: Sequence[UUID]) -> Sequence[Any]:
    """What an entity is called in documents, the commonest first."""
    return (await session.execute(_NAMES, {"family": list(family), "most": NAMES_TOLD})).all()


def prefix_query(name: str) -> str:
    """A query for names that have words which begin with all of these, wherever signs part them."""
    words = _WORD.findall(name.casefold())
    if not words:
        raise RequestInvalid("'name' needs a letter or a figure.")
    # Postgres takes a hyphen before a number for its sign.
    return " & ".join(f"('{word}':* | '-{word}':*)" if word[0].isdigit() else f"'{word}':*" for word in words)


_MEMBER = "coalesce(entities.merged_into, entities.id)"
_UUID = Uuid()

_OF_RUN = text(
    f"""
    SELECT root.id AS entity_id, m.type, coalesce(root.name, mode() WITHIN GROUP (ORDER BY m.text)) AS name,
           coalesce(root.normal_form, m.form) AS normal_form, count(*) AS mentions, max(m.confidence) AS confidence,
           min(m.start_char) AS first_char, count(DISTINCT m.page) AS page_count,
           (array_agg(DISTINCT m.page))[1:{PAGES_TOLD}] AS pages
    FROM (
        SELECT *, CASE WHEN entity_id IS NULL THEN normal_form END AS form FROM entity_mentions WHERE job_id = :job
    ) AS m
    LEFT JOIN entities ON entities.id = m.entity_id
    LEFT JOIN entities AS root ON root.id = {_MEMBER}
    WHERE :type IS NULL OR m.type = :type
    GROUP BY root.id, m.type, m.form
    HAVING min(m.start_char) > :after AND (:page IS NULL OR bool_or(m.page = :page))
    ORDER BY first_char LIMIT :most
    """  # noqa: S608 (constants of ours)
).bindparams(bindparam("job", type_=_UUID), bindparam("type", type_=Text()), bindparam("page", type_=Integer()))

_MENTIONED = """
    SELECT FROM entities AS member
    JOIN entity_mentions AS m ON m.entity_id = member.id JOIN jobs ON jobs.id = m.job_id AND jobs.published
    WHERE (member.id = entities.id OR member.merged_into = entities.id)
"""
# Entities by their own names, by those of what was merged into them, and by those that documents were found to have for them. What
# matches is found first, by the indexes of names, and the rest is asked of that: Postgres would otherwise go through the project.
# What Postgres takes for one word, as `24.035` or an address, has to be asked for as one; whoever types a part of it means its words.
_ASKED = r"""
    (CAST(:name AS tsquery)
     || CAST(regexp_replace(CAST(plainto_tsquery('simple', :typed) AS text), '''(?= & |$)', ''':*', 'g') AS tsquery))
"""
_CALLED = f"""
    SELECT {_MEMBER} FROM entities WHERE project_id = :project AND name_search @@ {_ASKED}
    UNION
    SELECT (SELECT {_MEMBER} FROM entities WHERE entities.id = entity_merges.entity_id) FROM entity_merges
    WHERE project_id = :project AND job_id IS NOT NULL AND undone_at IS NULL
      AND {NAME_SEARCH} @@ {_ASKED}
      AND (SELECT jobs.published FROM jobs WHERE jobs.id = entity_merges.job_id)
"""  # noqa: S608 (constants of ours)


def _of_project(condition: str, *names: str) -> TextClause:
    return text(
        f"""
        SELECT id, type, name, normal_form, created_at, updated_at FROM entities
        WHERE project_id = :project AND merged_into IS NULL
          AND (:type IS NULL OR type = :type)
          AND (:before IS NULL OR id < :before)
          AND {condition}
          AND EXISTS ({_MENTIONED} AND (:document IS NULL OR m.document_id = :document))
        ORDER BY id DESC LIMIT :most
        """  # noqa: S608 (constants of ours)
    ).bindparams(
        *(bindparam(name, type_=_UUID) for name in ("project", "before", "document")),
        *(bindparam(name, type_=Text()) for name in ("type", *names)),
    )


_OF_PROJECT = _of_project("true")
_NAMED = _of_project(f"id = ANY(ARRAY({_CALLED}))", "name", "typed")
_BY_IDS = text(
    "SELECT id, type, name, normal_form, created_at, updated_at FROM entities WHERE id = ANY(:entities) ORDER BY id"
).bindparams(bindparam("entities", type_=ARRAY(_UUID)))
_COUNTS = text(
    f"""
    SELECT {_MEMBER} AS root_id, count(*) AS mentions, count(DISTINCT entity_mentions.document_id) AS documents
    FROM entities
    JOIN entity_mentions ON entity_mentions.entity_id = entities.id
    JOIN jobs ON jobs.id = entity_mentions.job_id AND jobs.published
    WHERE entities.id = ANY(:entities) OR entities.merged_into = ANY(:entities)
    GROUP BY 1
    """  # noqa: S608 (constants of ours)
).bindparams(bindparam("entities", type_=ARRAY(_UUID)))
_DOCUMENTS = text(
    f"""
    SELECT m.document_id, documents.filename, documents.external_id, count(*) AS mentions,
           max(m.confidence) AS confidence, count(DISTINCT m.page) AS page_count,
           (array_agg(DISTINCT m.page))[1:{PAGES_TOLD}] AS pages
    FROM entity_mentions AS m
    JOIN jobs ON jobs.id = m.job_id AND jobs.published JOIN documents ON documents.id = m.document_id
    WHERE m.entity_id = ANY(:family) AND (:before IS NULL OR m.document_id < :before)
    GROUP BY m.document_id, documents.filename, documents.external_id
    ORDER BY m.document_id DESC LIMIT :most
    """  # noqa: S608 (constants of ours)
).bindparams(bindparam("family", type_=ARRAY(_UUID)), bindparam("before", type_=_UUID))
_NAMES = text(
    """
    SELECT m.normal_form, mode() WITHIN GROUP (ORDER BY m.text) AS name, count(*) AS mentions,
           count(DISTINCT m.document_id) AS documents
    FROM entity_mentions AS m JOIN jobs ON jobs.id = m.job_id AND jobs.published
    WHERE m.entity_id = ANY(:family) GROUP BY m.normal_form ORDER BY mentions DESC, m.normal_form LIMIT :most
    """
).bindparams(bindparam("family", type_=ARRAY(_UUID)))
