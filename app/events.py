"""Events: an append-only row for every change, and the bell that tells listeners to look.

The row is written in the transaction that makes the change (by `jobs.repository`); after the commit its number is
published on Redis (`ringing`). Whoever hears the bell, or doesn't, reads Postgres: a lost message delays, and loses nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint, func, insert, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of, table_of
from app.ringing import About, ringer_of


class EventType(StrEnum):
    """What an event tells; also its `event:` name in a stream."""

    STAGE = "stage"
    PAGE = "page"
    PROGRESS = "progress"
    RETRY = "retry"
    WARNING = "warning"
    ERROR = "error"
    DONE = "done"
    ACTION = "action"
    """Somebody did something: cancelled, retried, deleted, changed a setting."""
    ALERT = "alert"
    """Something an operator should look at began, or is over."""


class Severity(StrEnum):
    """How much an event should worry an operator."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


NO_PAGE = text("type <> 'page'")
"""What is told of a project: pages, of which a long document has thousands, are told of their job alone."""
OF_THE_SERVICE = text("project_id IS NULL AND type = 'alert'")
"""What is told to every project: alerts that are of none."""
OF_NOTE = text("type IN ('done', 'error', 'action', 'alert')")
"""What others than those who follow a job want to be told of: about one event of each job."""


class Event(Base):
    """One change, for good. Its number counts the events of its job, from 1, without gaps."""

    __tablename__ = "events"
    __table_args__ = (
        one_of("type", EventType),
        one_of("severity", Severity),
        UniqueConstraint("job_id", "number"),
        Index("ix_events_of_project", "project_id", "transaction_id", "id", postgresql_where=NO_PAGE),
        Index("ix_events_document_id_id", "document_id", "id"),
        Index("ix_events_of_batch", "batch_id", "transaction_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index(
            "ix_events_of_api_key",
            "api_key_id",
            "transaction_id",
            "id",
            postgresql_where=text("api_key_id IS NOT NULL"),
        ),
        Index("ix_events_of_note", "transaction_id", "id", postgresql_where=OF_NOTE),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    transaction_id: Mapped[int] = mapped_column(BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint"))
    """Of the transaction that wrote it; with the id, the order in which the log is read: see `app.event_log`."""
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"))
    """None where it is about the whole service, such as an engine that is away."""
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("documents.id", ondelete="SET NULL"))
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="SET NULL"))
    """Of the batch itself, and of the moves of its jobs."""
    number: Mapped[int | None] = mapped_column(BigInteger)
    type: Mapped[EventType] = mapped_column(EnumText(EventType))
    severity: Mapped[Severity] = mapped_column(EnumText(Severity), server_default=Severity.INFO)
    code: Mapped[str | None]
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    request_id: Mapped[str | None]
    api_key_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    """Whose key it was done with; None for what the service did by itself."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event that is still to be written; its number is given by the row it is written with."""

    type: EventType
    payload: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.INFO
    code: str | None = None


async def note(session: AsyncSession, draft: EventDraft, **about: UUID | None) -> None:
    """Write an event that is about no one job. Doesn't commit.

    `about` are ids of what it is about (`project_id`, `batch_id`, `document_id`); none for the whole service.
    """
    said = {"type": draft.type, "severity": draft.severity, "code": draft.code, "payload": dict(draft.payload)}
    values = {**said, **about, "request_id": request_id(), "api_key_id": api_key_id()}
    # Not through the ORM, which would want to know all tables that this one points to: a worker knows none of projects.
    await session.execute(insert(table_of(Event)).values(values))


def request_id() -> str | None:
    """The id of the request, or of the task's origin, that what happens now is done for."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


def api_key_id() -> UUID | None:
    """The key that what happens now is done with; None for what the service does by itself."""
    value = structlog.contextvars.get_contextvars().get("api_key_id")
    return UUID(value) if isinstance(value, str) else None


async def ring(
    redis: Redis, job_id: UUID, number: int, *, project_id: UUID | None = None, batch_id: UUID | None = None
) -> None:
    """Tell whoever listens that a job has events up to this number. Never fails, and waits for nothing.

    The project and the batch are named where the events are ones that their streams tell, which those of pages aren't.
    """
    ringer_of(redis).tell(redis, job_id, number, About(project_id, batch_id))


async def ring_log(redis: Redis, *, project_id: UUID | None, batch_id: UUID | None = None) -> None:
    """Tell whoever listens that there are events of a project, or of a batch, that are of no one job. Never fails."""
    ringer_of(redis).tell(redis, None, 0, About(project_id, batch_id))


async def ring_all(
    redis: Redis,
    news: Iterable[tuple[UUID, int]],
    *,
    project_id: UUID | None = None,
    batch_id: UUID | None = None,
) -> None:
    """The same for many jobs, of one project and perhaps of one batch."""
    ringer = ringer_of(redis)
    for job_id, number in news:
        ringer.tell(redis, job_id, number, About())
    ringer.tell(redis, None, 0, About(project_id, batch_id))
