"""Reading and writing documents and pages. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, func, insert, literal, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import table_of
from app.documents.models import Document, Page, PageStatus
from app.documents.page_writing import ByStatus
from app.errors import DocumentNotFound, OcrFailed, OcrResultInvalid, PageFailed, PageNotFound
from app.events import EventDraft, EventType, Severity
from app.jobs import repository as jobs_repository
from app.jobs.models import Job, TextractJob
from app.jobs.states import JobState, Stage

documents = table_of(Document)
pages = table_of(Page)

READABLE_STAGES = tuple(stage for stage in Stage if stage not in {Stage.QUEUED, Stage.JOB_VALIDATED, Stage.PARSING})
"""From `parsed` on, a job's text is there, whatever becomes of the later stages."""

NOT_GIVEN = {"page_count", "created_at", "updated_at", "erased_at"}
GIVEN_COLUMNS = tuple(name for name in documents.c.keys() if name not in NOT_GIVEN)  # noqa: SIM118
_INSERT = (
    insert(documents)
    .values({name: bindparam(f"document_{name}", type_=documents.c[name].type) for name in GIVEN_COLUMNS})
    .returning(documents.c.id)
    .cte("stored")
)
_FIND = select(documents).where(
    documents.c.id == bindparam("document_id"),
    documents.c.project_id == bindparam("project_id"),
    documents.c.erased_at.is_(None),
)
_FIND_AND_LOCK = _FIND.with_for_update()
_GET = select(documents).where(documents.c.id == bindparam("document_id"))
_SET_PAGE_COUNT = (
    update(documents)
    .where(documents.c.id == bindparam("document_id"))
    .values(page_count=bindparam("count"), updated_at=func.now())
)


async def find(session: AsyncSession, project_id: UUID, document_id: UUID, *, lock: bool = False) -> Document:
    """One document of a project, kept from others who lock it too. Raises `DocumentNotFound`, also for one of another project."""
    query = _FIND_AND_LOCK if lock else _FIND
    row = (await session.execute(query, {"document_id": document_id, "project_id": project_id})).one_or_none()
    if row is None:
        raise DocumentNotFound
    return as_document(row._mapping)


async def get(session: AsyncSession, document_id: UUID) -> Document:
    """One document, whatever its project: for workers."""
    row = (await session.execute(_GET, {"document_id": document_id})).one_or_none()
    if row is None:
        raise DocumentNotFound
    return as_document(row._mapping)


async def add(session: AsyncSession, document: Document) -> None:
    """Store a new document."""
    await session.execute(select(_INSERT), _document_parameters(document))


async def add_with_job(session: AsyncSession, document: Document, **job_values: Any) -> Job:
    """Store a new document and the job that reads it, in one statement; both are of the same moment."""
    values = _document_parameters(document)
    owners = {"project_id": document.project_id, "document_id": document.id}
    job = await jobs_repository.create(session, _INSERT, values, **owners, **job_values)
    document.created_at = document.updated_at = job.created_at
    return job


async def set_page_count(session: AsyncSession, document_id: UUID, page_count: int) -> None:
    """Write down how many pages a document has."""
    await session.execute(_SET_PAGE_COUNT, {"document_id": document_id, "count": page_count})


async def readable_job(session: AsyncSession, document_id: UUID) -> Job | None:
    """The newest job of a document whose text is there."""
    query = (
        select(jobs_repository.jobs)
        .where(jobs_repository.jobs.c.document_id == document_id, jobs_repository.jobs.c.stage.in_(READABLE_STAGES))
        .order_by(jobs_repository.jobs.c.created_at.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Job.of(row)


async def find_result(session: AsyncSession, job: Job, content_key: str) -> Job | None:
    """The newest job of the project that has read the same from the same bytes, all of it, and still has its result."""
    jobs = jobs_repository.jobs
    query = (
        select(jobs)
        .where(jobs.c.project_id == job.project_id, jobs.c.content_key == content_key, jobs.c.id != job.id)
        .where(jobs.c.stage.in_(READABLE_STAGES), jobs.c.result_key.is_not(None))
        .where(jobs.c.textract_job_status == "SUCCEEDED", jobs.c.error_code.is_distinct_from(OcrResultInvalid.code))
        .where(jobs.c.error_code.is_distinct_from(OcrFailed.code))
        .order_by(jobs.c.created_at.desc())
        .limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Job.of(row)


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to look for before a document is read."""

    begun: bool
    """Whether the job has had OCR jobs."""
    elsewhere: bool
    """Whether other jobs of the project are about the same content."""
    paid_elsewhere: bool
    """Whether there are OCR jobs of the same content that are not this job's."""


async def look_before_reading(session: AsyncSession, job: Job) -> tuple[Document, Known]:
    """A job's document, and what else is known of its content, in one look. Raises `DocumentNotFound`."""
    told = {"document": job.document_id, "job": job.id, "project": job.project_id, "content": job.content_key}
    row = (await session.execute(_LOOK, told)).one_or_none()
    if row is None:
        raise DocumentNotFound
    *columns, begun, elsewhere, paid_elsewhere = row
    document = as_document(dict(zip(documents.c.keys(), columns, strict=True)))
    return document, Known(begun, elsewhere, paid_elsewhere)


async def copy_pages(session: AsyncSession, earlier: Job, job: Job) -> int:
    """Give a job the pages of another, in place of those that it may have; returns how many there are."""
    await session.execute(delete(pages).where(pages.c.job_id == job.id))
    names = [column.name for column in pages.c if column.name not in {"job_id", "document_id", "created_at"}]
    taken = select(literal(job.id), literal(job.document_id), *(pages.c[name] for name in names))
    copied = insert(pages).from_select(["job_id", "document_id", *names], taken.where(pages.c.job_id == earlier.id))
    return len((await session.execute(copied.returning(pages.c.number))).all())


async def wake_waiting(session: AsyncSession, job: Job) -> None:
    """Make the jobs due that wait for a job's result."""
    told = {"project": job.project_id, "content": job.content_key}
    await session.execute(_WAKE_WAITING, told)


async def fail_pages(session: AsyncSession, job: Job, numbers: Sequence[int], code: str) -> int:
    """Mark pages that the engine could not read; each is a warning event. Returns the job's last event number."""
    change = update(pages).where(
        pages.c.job_id == job.id, pages.c.number.in_(numbers), pages.c.status != PageStatus.FAILED
    )
    message = f"{PageFailed.message} The engine's own code for it is {code}."
    failed = await session.scalars(
        change.values(status=PageStatus.FAILED, error_code=PageFailed.code, error_message=message).returning(
            pages.c.number
        )
    )
    drafts = [
        EventDraft(EventType.WARNING, {"page": number, "message": message}, Severity.WARNING, PageFailed.code)
        for number in sorted(failed)
    ]
    return await jobs_repository.append_events(session, job, drafts)


async def forget_failed_pages(session: AsyncSession, job_id: UUID) -> None:
    """Forget the pages of a run that could not be read, for they are read anew."""
    await session.execute(delete(pages).where(pages.c.job_id == job_id, pages.c.status == PageStatus.FAILED))


async def pages_by_status(session: AsyncSession, job_id: UUID) -> ByStatus:
    """What became of the pages of a run."""
    rows = await session.execute(_BY_STATUS, {"job": job_id})
    return ByStatus({status: (count, numbers) for status, count, numbers in rows})


async def list_pages(session: AsyncSession, job_id: UUID, *, after: int, limit: int) -> Sequence[Page]:
    """Pages of a run after a number, in order."""
    query = select(Page).where(Page.job_id == job_id, Page.number > after).order_by(Page.number).limit(limit)
    return (await session.scalars(query)).all()


async def get_page(session: AsyncSession, job_id: UUID, number: int) -> Page:
    """One page of a run. Raises `PageNotFound`."""
    page = await session.get(Page, (job_id, number))
    if page is None:
        raise PageNotFound
    return page


def _attribute(column: str) -> str:
    return "details" if column == "metadata" else column


def _document_parameters(document: Document) -> dict[str, Any]:
    return {f"document_{name}": getattr(document, _attribute(name)) for name in GIVEN_COLUMNS}


def as_document(mapping: Any) -> Document:
    """A document of a row's columns."""
    return Document(**{_attribute(name): value for name, value in mapping.items()})


_JOBS, _OCR_JOBS = jobs_repository.jobs, table_of(TextractJob)
_WAKE_WAITING = (
    update(_JOBS)
    .where(_JOBS.c.project_id == bindparam("project"), _JOBS.c.content_key == bindparam("content"))
    .where(_JOBS.c.stage == Stage.JOB_VALIDATED, _JOBS.c.state == JobState.QUEUED, ~_JOBS.c.reads)
    .values(next_attempt_at=func.now())
)
_BY_STATUS = (
    select(
        pages.c.status,
        func.count().label("count"),
        literal_column("(array_agg(pages.number ORDER BY pages.number))[1:100]").label("numbers"),
    )
    .where(pages.c.job_id == bindparam("job"))
    .group_by(pages.c.status)
)
_LOOK = select(
    documents,
    exists().where(_OCR_JOBS.c.job_id == bindparam("job")).label("begun"),
    exists()
    .where(_JOBS.c.project_id == bindparam("project"), _JOBS.c.content_key == bindparam("content"))
    .where(_JOBS.c.id != bindparam("job"))
    .label("elsewhere"),
    exists()
    .where(_OCR_JOBS.c.project_id == bindparam("project"), _OCR_JOBS.c.content_key == bindparam("content"))
    .where(_OCR_JOBS.c.job_id.is_distinct_from(bindparam("job")))
    .label("paid_elsewhere"),
).where(documents.c.id == bindparam("document"))
