"""The tables of batches and of what was submitted with them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of
from app.jobs.states import Priority


class BatchState(StrEnum):
    """Where a batch is in its life."""

    QUEUED = "queued"
    """Accepted; none of its items has been taken yet."""
    WORKING = "working"
    """Items are being taken, or jobs of it run."""
    DONE = "done"
    """Every item has ended, well or badly."""
    CANCELLED = "cancelled"


ENDED_STATES = frozenset({BatchState.DONE, BatchState.CANCELLED})


class ItemStatus(StrEnum):
    """What became of an item."""

    WAITING = "waiting"
    TAKEN = "taken"
    """It has a document and a job."""
    REFUSED = "refused"
    """It could not be taken; its error says why."""
    CANCELLED = "cancelled"
    """The batch was cancelled before it was taken."""


class Batch(Base):
    """Many documents submitted as one."""

    __tablename__ = "batches"
    __table_args__ = (
        one_of("priority", Priority),
        one_of("state", BatchState),
        CheckConstraint("item_count > 0", name="has_items"),
        CheckConstraint("(state IN ('done', 'cancelled')) = (finished_at IS NOT NULL)", name="ended_is_finished"),
        Index("ix_batches_project_id_id", "project_id", "id"),
        Index("ix_batches_open", "priority", "created_at", postgresql_where=sql("state IN ('queued', 'working')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    external_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=sql("'{}'"))
    priority: Mapped[Priority] = mapped_column(EnumText(Priority), server_default=Priority.NORMAL)
    options: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'"))
    callback_url: Mapped[str | None]
    request_id: Mapped[str | None]
    state: Mapped[BatchState] = mapped_column(EnumText(BatchState), server_default=BatchState.QUEUED)
    item_count: Mapped[int]
    warnings: Mapped[list[Any]] = mapped_column(server_default=sql("'[]'"))
    """What the pre-flight had to say when the batch was accepted all the same."""
    percent: Mapped[float] = mapped_column(server_default=sql("0"))
    """How much of it is done, as last told: it only grows."""
    documents_refused: Mapped[int] = mapped_column(server_default=sql("0"))
    """Items that could not be taken, as last told; exact once it has ended."""
    documents_failed: Mapped[int] = mapped_column(server_default=sql("0"))
    """Jobs that were given up, likewise."""
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class BatchItem(Base):
    """One thing that was submitted with a batch; numbers start at 1, in the order of the request."""

    __tablename__ = "batch_items"
    __table_args__ = (
        one_of("status", ItemStatus),
        CheckConstraint("number > 0", name="number_is_positive"),
        CheckConstraint("(status = 'refused') = (error_code IS NOT NULL)", name="refused_has_a_reason"),
        Index("ix_batch_items_waiting", "batch_id", "number", postgresql_where=sql("status = 'waiting'")),
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    asked: Mapped[dict[str, Any]]
    """What the request said of it: `document_id`, `source` or `upload_id`."""
    external_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=sql("'{}'"))
    status: Mapped[ItemStatus] = mapped_column(EnumText(ItemStatus), server_default=ItemStatus.WAITING)
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("documents.id", ondelete="SET NULL"), index=True)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
