"""The tables of jobs, of the OCR jobs that they had started, and of the workers that run them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of
from app.jobs.states import JobState, Priority, Stage
from app.ocr.engine import EngineName, Operation

WAITING = text("state IN ('queued', 'retryable')")


class Job(Base):
    """One run of the pipeline over one document."""

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("stage", Stage),
        one_of("state", JobState),
        one_of("priority", Priority),
        one_of("operation", Operation),
        one_of("engine", EngineName),
        CheckConstraint("cost_microdollars >= 0", name="cost_is_not_negative"),
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
        # A batch is a group that takes turns with others of its project; what came by itself is one group together.
        Index(
            "ix_jobs_backlog",
            "project_id",
            "stage",
            "priority",
            text("coalesce(batch_id, project_id)"),
            "created_at",
            postgresql_where=WAITING,
        ),
        Index("ix_jobs_due", "stage", "next_attempt_at", postgresql_where=WAITING),
        Index("ix_jobs_leased", "claimed_by", "lease_until", postgresql_where=text("state = 'working'")),
        Index("ix_jobs_project_id_created_at", "project_id", text("created_at DESC"), text("id DESC")),
        Index("ix_jobs_content", "project_id", "content_key", postgresql_where=text("content_key IS NOT NULL")),
        # Of the jobs of a project that want the same to be read from the same bytes, one reads, and the others wait.
        Index(
            "uq_jobs_reading",
            "project_id",
            "content_key",
            unique=True,
            postgresql_where=text("reads AND state IN ('queued', 'working', 'retryable')"),
        ),
        Index("ix_jobs_document_id_created_at", "document_id", text("created_at DESC")),
        # Of lists: each is read from as many places of one index as what is asked for has states, stages and priorities.
        Index(
            "ix_jobs_listed",
            "project_id",
            "state",
            "stage",
            "priority",
            text("created_at DESC"),
            text("id DESC"),
        ),
        Index(
            "ix_jobs_failed",
            "project_id",
            "error_code",
            "state",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=text("error_code IS NOT NULL"),
        ),
        Index(
            "ix_jobs_finished", "project_id", text("finished_at DESC"), postgresql_where=text("finished_at IS NOT NULL")
        ),
        Index("ix_jobs_batch_id_id", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        # Whether a batch has jobs that haven't ended is asked every second.
        Index(
            "ix_jobs_batch_id_open",
            "batch_id",
            "id",
            postgresql_where=text("batch_id IS NOT NULL AND state IN ('queued', 'working', 'retryable')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="SET NULL"))
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

    operation: Mapped[Operation] = mapped_column(EnumText(Operation), server_default=Operation.DETECTION)
    content_key: Mapped[str | None]
    """A hash of the bytes and of what is to be read from them: where it is the same, so is the result."""
    reads: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether this is the one job of its project and content key that has the engine read."""
    reused_job_id: Mapped[UUID | None]
    """The job whose result this one has taken over, or takes over what came before `from_stage`."""
    from_stage: Mapped[Stage | None] = mapped_column(EnumText(Stage))
    """Where the job begins, once it has taken over what another one has made of the document."""
    stage_cursor: Mapped[int | None]
    """How far the work of the present stage has come, in pages or chunks: where a second try goes on."""
    published: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether what this run has made is what the project sees of the document: set once it is whole, when what earlier
    runs had made is taken away."""
    parts: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    """The files that a document too large for Textract was split into; none for all others."""
    engine: Mapped[EngineName | None] = mapped_column(EnumText(EngineName))
    fallback_reason: Mapped[str | None]
    cost_microdollars: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))

    textract_generation: Mapped[int] = mapped_column(server_default=text("0"))
    textract_job_id: Mapped[str | None]
    textract_job_status: Mapped[str | None]
    textract_start_time: Mapped[datetime | None]
    textract_end_time: Mapped[datetime | None]
    textract_deadline: Mapped[datetime | None]
    textract_page_count: Mapped[int | None]
    textract_error_message: Mapped[str | None]
    textract_polls: Mapped[int] = mapped_column(server_default=text("0"))

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class TextractJobStatus(StrEnum):
    """How an OCR job is doing, in Textract's words and some of ours."""

    STARTING = "STARTING"
    """Its token is written down; whether the engine has heard of it is not known yet."""
    REFUSED = "REFUSED"
    """The engine would not start it; it costs nothing."""
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    FAILED = "FAILED"
    LOST = "LOST"
    """The engine no longer knows it."""


OPEN_STATUSES = frozenset({TextractJobStatus.STARTING, TextractJobStatus.IN_PROGRESS})
"""An OCR job in one of these may hold a slot."""


class TextractJob(Base):
    """One OCR job of an engine: a document, or one part of it, under one token. Rows outlive what they were made for."""

    __tablename__ = "textract_jobs"
    __table_args__ = (
        one_of("engine", EngineName),
        one_of("operation", Operation),
        one_of("status", TextractJobStatus),
        CheckConstraint("part > 0 AND first_page > 0 AND gets >= 0", name="counts_up"),
        CheckConstraint("cost_microdollars >= 0", name="cost_is_not_negative"),
        UniqueConstraint("engine", "operation", "token"),
        Index("ix_textract_jobs_job_id", "job_id"),
        Index("ix_textract_jobs_document_id", "document_id"),
        Index("ix_textract_jobs_textract_job_id", "textract_job_id"),
        Index("ix_textract_jobs_content", "project_id", "content_key"),
        Index("ix_textract_jobs_spent", "project_id", "created_at"),
        Index("ix_textract_jobs_ended", "engine", "operation", "ended_at"),
        Index(
            "ix_textract_jobs_open",
            "engine",
            "operation",
            postgresql_where=text("status IN ('STARTING', 'IN_PROGRESS')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("documents.id", ondelete="SET NULL"))
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    content_key: Mapped[str | None]
    part: Mapped[int]
    first_page: Mapped[int]
    generation: Mapped[int]
    engine: Mapped[EngineName] = mapped_column(EnumText(EngineName))
    operation: Mapped[Operation] = mapped_column(EnumText(Operation))
    synchronous: Mapped[bool] = mapped_column(server_default=text("false"))
    token: Mapped[str]
    textract_job_id: Mapped[str | None]
    status: Mapped[TextractJobStatus] = mapped_column(
        EnumText(TextractJobStatus), server_default=TextractJobStatus.STARTING
    )
    message: Mapped[str | None]
    page_count: Mapped[int | None]
    """The pages it was counted to have and, once it has ended, those that the engine says it has read."""
    gets: Mapped[int] = mapped_column(server_default=text("0"))
    price_microdollars: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Of a page."""
    cost_microdollars: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    let_go_at: Mapped[datetime | None]
    """When its job was cancelled: from then on it holds no slot, though the engine may go on with it."""


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
