"""What there is to know of a run before it ends: what it is of, what it has made, and what it stands in for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Uuid, bindparam, column, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.documents.models import Document, PageStatus
from app.documents.repository import as_document, documents
from app.errors import DocumentNotFound
from app.jobs.models import Job
from app.jobs.steps import Step
from app.knowledge import soundness
from app.knowledge.runs import EARLIER
from app.knowledge.soundness import Figures


@dataclass(frozen=True, slots=True)
class Closing:
    """A run that has come to its end."""

    document: Document
    pages: Mapping[PageStatus, int]
    """How many came out how."""
    figures: Figures
    faults: Sequence[str]
    """What doesn't add up in what it has made."""
    earlier_runs: Sequence[UUID]
    """Those of the document that ended before this one began."""


async def look(session: AsyncSession, job: Job, steps: Collection[Step]) -> Closing:
    """Look at all of it at once. Raises `DocumentNotFound`."""
    owners = {"job": job.id, "document": job.document_id, "project": job.project_id}
    row = (await session.execute(_LOOK, {"pages": job.pages_done, "created": job.created_at, **owners})).one_or_none()
    if row is None:
        raise DocumentNotFound
    document = as_document(dict(zip(documents.c.keys(), row, strict=False)))
    pages = {status: row._mapping[_counted(status)] for status in PageStatus}
    return Closing(document, pages, soundness.figures(row), list(soundness.faults(row, steps)), row.earlier_runs)


def _counted(status: PageStatus) -> str:
    return f"pages_{status}"


_PAGES = ", ".join(f"count(*) FILTER (WHERE status = '{status}') AS {_counted(status)}" for status in PageStatus)


_LOOK = (
    text(
        f"""
        SELECT {", ".join(f"documents.{name}" for name in documents.c.keys())}, read.*, looked.*,
               ARRAY({EARLIER}) AS earlier_runs
        FROM documents, (SELECT {_PAGES} FROM pages WHERE job_id = :job) AS read, ({soundness.LOOK}) AS looked
        WHERE documents.id = :document
        """  # noqa: S608, SIM118 (statements of ours; a table's columns are no dictionary)
    )
    .bindparams(
        *(bindparam(name, type_=Uuid()) for name in ("job", "document", "project")),
        bindparam("created", type_=DateTime(timezone=True)),
    )
    .columns(
        *documents.columns,
        *(column(name, BigInteger) for name in (*map(_counted, PageStatus), *soundness.LOOKED_AT)),
        column("earlier_runs", ARRAY(Uuid())),
    )
)
