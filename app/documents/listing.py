"""Lists of documents, newest first, each with its newest job. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, bindparam, exists, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.documents.intake import MediaType
from app.documents.repository import as_document, documents
from app.documents.submission import Submission
from app.jobs.listing import JobFilter, Place, keys_of
from app.jobs.models import Job
from app.jobs.repository import jobs
from app.jobs.states import JobState


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which documents are wanted; what is None or empty keeps none out. Moments are from, and before."""

    external_id: str | None = None
    sha256: str | None = None
    filename_prefix: str | None = None
    """How the file's name begins, in whatever case."""
    media_type: MediaType | None = None
    states: Sequence[JobState] = ()
    """Of the newest job."""
    created_from: datetime | None = None
    created_to: datetime | None = None

    @property
    def names_few(self) -> bool:
        """Whether it is of few documents, each of which can be looked at."""
        return self.external_id is not None or self.sha256 is not None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a document's row has to fulfil."""
        columns = documents.c
        found: list[ColumnElement[bool]] = [columns.erased_at.is_(None)]
        for column, value in (
            (columns.external_id, self.external_id),
            (columns.sha256, self.sha256),
            (columns.media_type, self.media_type),
        ):
            if value is not None:
                found.append(column == value)
        if self.filename_prefix is not None:
            found.append(func.lower(columns.filename).startswith(self.filename_prefix.lower(), autoescape=True))
        if self.created_from is not None:
            found.append(columns.created_at >= self.created_from)
        if self.created_to is not None:
            found.append(columns.created_at < self.created_to)
        return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A document of a list, and the place that the list goes on after."""

    submission: Submission
    place: Place


async def list_documents(
    session: AsyncSession, project_id: UUID, wanted: DocumentFilter, *, before: Place | None, limit: int
) -> list[Listed]:
    """Documents of a project with their newest jobs, the newest first; by state, the newest job decides which is newer."""
    keys = (await session.execute(listed(project_id, wanted, before, limit))).all()
    ids = [row.document_id for row in keys]
    told = {"documents": ids}
    rows = await session.execute(select(documents).where(documents.c.id.in_(ids)))
    found = {row.id: as_document(row._mapping) for row in rows}
    newest = {row.document_id: Job.of(row) for row in await session.execute(_NEWEST, told)}
    costs = {row.document_id: int(row.cost) for row in await session.execute(_COSTS, told)}
    return [
        Listed(
            Submission(found[row.document_id], newest[row.document_id], costs[row.document_id]),
            Place(row.created_at, row.id),
        )
        for row in keys
        if row.document_id in found and row.document_id in newest
    ]


def listed(project_id: UUID, wanted: DocumentFilter, before: Place | None, limit: int) -> Select[Any]:
    """The statement that finds the documents of a list: `document_id`, and the place in the list."""
    if wanted.states and not wanted.names_few:
        return _by_state(project_id, wanted, before, limit)
    own = [documents.c.project_id == project_id, *wanted.conditions()]
    if wanted.states:
        newest = select(jobs.c.state).where(jobs.c.document_id == documents.c.id).order_by(jobs.c.created_at.desc())
        own.append(newest.limit(1).scalar_subquery().in_(wanted.states))
    if before is not None:
        own.append(tuple_(documents.c.created_at, documents.c.id) < tuple_(before.created_at, before.id))
    query = select(documents.c.id, documents.c.created_at, documents.c.id.label("document_id")).where(*own)
    return query.order_by(documents.c.created_at.desc(), documents.c.id.desc()).limit(limit)


def _by_state(project_id: UUID, wanted: DocumentFilter, before: Place | None, limit: int) -> Select[Any]:
    """By way of the jobs that are in the states, and are the newest of their documents."""
    newer = jobs.alias("newer")
    superseded = exists().where(newer.c.document_id == jobs.c.document_id, newer.c.created_at > jobs.c.created_at)
    of_document = exists().where(documents.c.id == jobs.c.document_id, *wanted.conditions())
    found = keys_of(project_id, JobFilter(states=wanted.states), before, limit, ~superseded, of_document).subquery(
        "found"
    )
    query = select(found.c.id, found.c.created_at, jobs.c.document_id).join(jobs, jobs.c.id == found.c.id)
    return query.order_by(found.c.created_at.desc(), found.c.id.desc())


_DOCUMENTS = bindparam("documents", type_=ARRAY(Uuid()))
_NEWEST = (
    text(f"""
        SELECT {", ".join(f"newest.{each.name}" for each in jobs.columns)} FROM unnest(:documents) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT * FROM jobs WHERE document_id = wanted.id ORDER BY created_at DESC LIMIT 1) AS newest
    """)  # noqa: S608 (columns of ours)
    .bindparams(_DOCUMENTS)
    .columns(*jobs.columns)
)
_COSTS = text("""
    SELECT document_id, sum(cost_microdollars) AS cost FROM jobs WHERE document_id = ANY(:documents) GROUP BY document_id
""").bindparams(_DOCUMENTS)
