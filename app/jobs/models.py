"""The tables of jobs and of the workers that run them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of
from app.jobs.states import JobState, Priority, Stage

WAITING = text("state IN ('queued', 'retryable')")


class Job(Base):
    """One run of the pipeline over one document."""

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("stage", Stage),
        one_of("state", JobState),
        one_of("priority", Priority),
        CheckConstraint("(state = 'working') = (claimed_by IS NOT NULL)", name="working_is_claimed"),
        CheckConstraint("(state = 'working') = (lease_until IS NOT NULL)", name="working_is_leased"),
        CheckConstraint(
            "(state IN ('done', 'deadletter', 'cancelled')) = (finished_at IS NOT NULL)", name="ended_is_finished"
        ),
        CheckConstraint("(state = 'done') <= (stage = 'finalized')", name="done_is_finalized"),
        CheckConstraint(
            "(state IN ('deadletter', 'retryable')) <= (error_code IS NOT NULL)", name="failed_has_a_reason"
        ),
        CheckConstraint("(stage = 'parsing') <= (textract_job_id IS NOT NULL)", name="parsing_has_a_textract_job"),
        CheckConstraint("attempts >= 0 AND fence >= 0 AND last_event_number >= 0", name="counts_up"),
        CheckConstraint("pages_done >= 0 AND (pages_total IS NULL OR pages_done <= pages_total)", name="pages_add_up"),
        Index("ix_jobs_backlog", "project_id", "stage", "priority", "created_at", postgresql_where=WAITING),
        Index("ix_jobs_due", "stage", "next_attempt_at", postgresql_where=WAITING),
        Index("ix_jobs_leased", "claimed_by", "lease_until", postgresql_where=text("state = 'working'")),
        Index("ix_jobs_project_id_created_at", "project_id", text("created_at DESC"), text("id DESC")),
        Index("ix_jobs_document_id_created_at", "document_id", text("created_at DESC")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    stage: Mapped[Stage] = mapped_column(EnumText(Stage), server_default=Stage.QUEUED)
    state: Mapped[JobState] = mapped_column(EnumText(JobState), server_default=JobState.QUEUED)
    priority: Mapped[Priority] = mapped_column(EnumText(Priority), server_default=Priority.NORMAL)
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    callback_url: Mapped[str | None]
    request_id: Mapped[str | None]

    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    rung_at: Mapped[datetime | None]
    rings: Mapped[int] = mapped_column(server_default=text("0"))
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    cancel_requested_at: Mapped[datetime | None]
    last_event_number: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))

    pages_done: Mapped[int] = mapped_column(server_default=text("0"))
    pages_total: Mapped[int | None]
    result_key: Mapped[str | None]
    stage_timings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))

    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_retryable: Mapped[bool | None]
    error_stage: Mapped[Stage | None] = mapped_column(EnumText(Stage))

    textract_token: Mapped[str | None]
    textract_generation: Mapped[int] = mapped_column(server_default=text("0"))
    textract_job_id: Mapped[str | None]
    textract_job_status: Mapped[str | None]
    textract_start_time: Mapped[datetime | None]
    textract_end_time: Mapped[datetime | None]
    textract_page_count: Mapped[int | None]
    textract_error_message: Mapped[str | None]
    textract_polls: Mapped[int] = mapped_column(server_default=text("0"))

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Worker(Base):
    """A worker process that has said that it is there."""

    __tablename__ = "workers"
    __table_args__ = (Index("ix_workers_heartbeat_at", "heartbeat_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    hostname: Mapped[str]
    process_id: Mapped[int]
    queues: Mapped[list[str]]
    doing: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    holds_lock: Mapped[bool]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
