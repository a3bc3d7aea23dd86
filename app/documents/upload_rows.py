"""The table of uploads that go straight to S3, and what changes in it. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Interval,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of, table_of
from app.errors import (
    QuireError,
    Refused,
    UploadCompleted,
    UploadEnded,
    UploadInProgress,
    UploadNotFound,
    all_errors,
)
from app.jobs.states import Priority


class UploadState(StrEnum):
    """Where an upload is in its life."""

    OPEN = "open"
    """Parts may be sent."""
    COMPLETING = "completing"
    """Somebody said that all parts are there; it is being looked at."""
    COMPLETED = "completed"
    """It became a document."""
    REFUSED = "refused"
    """Its bytes could not be taken."""
    ABORTED = "aborted"
    EXPIRED = "expired"


UNFINISHED = frozenset({UploadState.OPEN, UploadState.COMPLETING})


class DirectUpload(Base):
    """An upload straight to S3: what was said of the document, and how far it is."""

    __tablename__ = "uploads"
    __table_args__ = (
        one_of("priority", Priority),
        one_of("state", UploadState),
        CheckConstraint("size_bytes > 0 AND part_size_bytes > 0", name="sizes_are_positive"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
        CheckConstraint("(state = 'completing') = (locked_until IS NOT NULL)", name="completing_is_locked"),
        CheckConstraint("(state = 'refused') = (error_code IS NOT NULL)", name="refused_has_a_reason"),
        CheckConstraint("(state = 'completed') = (document_id IS NOT NULL)", name="completed_has_a_document"),
        Index("ix_uploads_due_at", "due_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str | None]
    external_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=sql("'{}'"))
    priority: Mapped[Priority] = mapped_column(EnumText(Priority), server_default=Priority.NORMAL)
    options: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'"))
    callback_url: Mapped[str | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    """What the client says that the bytes have."""
    part_size_bytes: Mapped[int] = mapped_column(BigInteger)
    s3_key: Mapped[str]
    s3_upload_id: Mapped[str]
    staged: Mapped[bool] = mapped_column(server_default=sql("true"))
    """Whether there may be something of it at its S3 key, parts or the whole."""
    state: Mapped[UploadState] = mapped_column(EnumText(UploadState), server_default=UploadState.OPEN)
    fence: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    """Counts the attempts to complete it: what an earlier one comes to no longer counts."""
    locked_until: Mapped[datetime | None]
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    due_at: Mapped[datetime]
    """When the sweep looks at it: to expire it, to take away what is left in S3, and to forget it."""


uploads = table_of(DirectUpload)

ERRORS = {error.code: error for error in all_errors(Refused)}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long things are kept."""

    lock: timedelta = timedelta(minutes=15)
    """How long completing may take before another attempt counts it as dead."""
    ended: timedelta = timedelta(days=7)
    """How long an upload is known after its end."""
    clean_again: timedelta = timedelta(minutes=2)


async def find(session: AsyncSession, project_id: UUID, upload_id: UUID) -> DirectUpload:
    """One upload of a project. Raises `UploadNotFound`, also for one of another project."""
    query = select(DirectUpload).where(DirectUpload.id == upload_id, DirectUpload.project_id == project_id)
    found = await session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise UploadNotFound
    return found


async def count_open(session: AsyncSession, project_id: UUID, *, most: int) -> int:
    """How many uploads of a project have not ended, counted up to a number."""
    unfinished = select(uploads.c.id).where(uploads.c.project_id == project_id, uploads.c.state.in_(UNFINISHED))
    counted = unfinished.where(uploads.c.expires_at > func.now()).limit(most).subquery()
    return await session.scalar(select(func.count()).select_from(counted)) or 0


async def take(session: AsyncSession, project_id: UUID, upload_id: UUID, keeping: Keeping) -> DirectUpload:
    """Take an upload to complete it, under a new fence.

    Raises `UploadNotFound`, `UploadCompleted`, `UploadInProgress` while somebody else has it, `UploadEnded`, and for
    bytes that were refused before the same `Refused` again.
    """
    free = (uploads.c.state == UploadState.OPEN) & (uploads.c.expires_at > func.now())
    left = (uploads.c.state == UploadState.COMPLETING) & (uploads.c.locked_until < func.now())
    until = func.now() + bindparam("lock", type_=Interval)
    changes = {
        "state": UploadState.COMPLETING,
        "fence": uploads.c.fence + 1,
        "locked_until": until,
        "due_at": func.greatest(uploads.c.due_at, until),
        "updated_at": func.now(),
    }
    mine = (uploads.c.id == upload_id) & (uploads.c.project_id == project_id)
    taken = await session.scalar(
        update(uploads).where(mine, free | left).values(changes).returning(uploads.c.id), {"lock": keeping.lock}
    )
    found = await find(session, project_id, upload_id)
    if taken is None:
        raise why_not(found)
    return found


def why_not(upload: DirectUpload) -> QuireError:
    """Why an upload can't be completed, or its parts sent."""
    if upload.state is UploadState.COMPLETED and upload.document_id is not None:
        return UploadCompleted(document_id=upload.document_id, job_id=upload.job_id)
    if upload.state is UploadState.COMPLETING:
        return UploadInProgress()
    if upload.state is UploadState.REFUSED:
        return ERRORS.get(upload.error_code or "", Refused)(upload.error_message)
    state = UploadState.EXPIRED if upload.state is UploadState.OPEN else upload.state
    return UploadEnded(f"The upload is {state}; begin a new one.")


async def complete(session: AsyncSession, upload: DirectUpload, document_id: UUID, job_id: UUID) -> None:
    """Write down what an upload became. Raises `UploadInProgress` where another attempt has taken over."""
    await _move(session, upload, UploadState.COMPLETED, document_id=document_id, job_id=job_id, due_at=func.now())


async def refuse(session: AsyncSession, upload: DirectUpload, error: Refused) -> None:
    """Write down why an upload's bytes can't be taken. Raises `UploadInProgress`."""
    told = {"error_code": error.code, "error_message": error.detail}
    await _move(session, upload, UploadState.REFUSED, due_at=func.now(), **told)


async def give_back(session: AsyncSession, upload: DirectUpload) -> None:
    """Let an upload go that could not be completed this time. Raises `UploadInProgress`."""
    await _move(session, upload, UploadState.OPEN, due_at=uploads.c.expires_at)


async def _move(session: AsyncSession, upload: DirectUpload, state: UploadState, **changes: Any) -> None:
    """Move an upload that is held under its fence."""
    held = (uploads.c.id == upload.id) & (uploads.c.fence == upload.fence)
    held &= uploads.c.state == UploadState.COMPLETING
    moved = update(uploads).where(held).values(state=state, locked_until=None, updated_at=func.now(), **changes)
    if await session.scalar(moved.returning(uploads.c.id)) is None:
        raise UploadInProgress


async def abort(session: AsyncSession, project_id: UUID, upload_id: UUID) -> DirectUpload | None:
    """End an open upload; None where it had come to nothing already.

    Raises `UploadNotFound`, `UploadCompleted`, `UploadInProgress`.
    """
    mine = (uploads.c.id == upload_id) & (uploads.c.project_id == project_id) & (uploads.c.state == UploadState.OPEN)
    change = update(uploads).where(mine)
    ended = change.values(state=UploadState.ABORTED, due_at=func.now(), updated_at=func.now())
    done = await session.scalar(ended.returning(uploads.c.id))
    found = await find(session, project_id, upload_id)
    if done is None and found.state in {UploadState.COMPLETED, UploadState.COMPLETING}:
        raise why_not(found)
    return found if done is not None else None


async def cleaned(session: AsyncSession, upload: DirectUpload, keeping: Keeping) -> None:
    """Write down that nothing of an ended upload is left in S3."""
    change = update(uploads).where(uploads.c.id == upload.id, uploads.c.state.not_in(UNFINISHED))
    kept = func.now() + bindparam("kept", type_=Interval)
    await session.execute(change.values(staged=False, due_at=kept), {"kept": keeping.ended})


async def take_due(session: AsyncSession, keeping: Keeping, *, limit: int) -> Sequence[DirectUpload]:
    """Expire what is past its time, forget what ended long ago, and take what is to be cleaned away in S3."""
    now = func.now()
    await session.execute(delete(uploads).where(uploads.c.due_at < now, ~uploads.c.staged))
    due = select(uploads.c.id).where(uploads.c.due_at < now).order_by(uploads.c.due_at).limit(limit)
    again = now + bindparam("again", type_=Interval)
    ended = case((uploads.c.state.in_(UNFINISHED), UploadState.EXPIRED), else_=uploads.c.state)
    # By itself: within the UPDATE it might be run again, and take more than its limit.
    chosen = due.with_for_update(skip_locked=True).cte("chosen")
    change = update(uploads).where(uploads.c.id.in_(select(chosen.c.id)))
    taken = change.values(state=ended, locked_until=None, due_at=again, updated_at=now).returning(uploads.c.id)
    ids = (await session.scalars(taken, {"again": keeping.clean_again})).all()
    return (await session.scalars(select(DirectUpload).where(DirectUpload.id.in_(ids)))).all()
