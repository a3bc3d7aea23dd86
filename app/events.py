"""Events: an append-only row for every change, and the bell that tells listeners to look.

The row is written in the transaction that makes the change (by `jobs.repository`); after the commit its number is
published on Redis. Whoever hears the bell, or doesn't, reads Postgres: a lost message delays, and loses nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint, func, insert, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of, table_of

log = structlog.get_logger(__name__)


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


class Event(Base):
    """One change, for good. Its number counts the events of its job, from 1, without gaps."""

    __tablename__ = "events"
    __table_args__ = (
        one_of("type", EventType),
        one_of("severity", Severity),
        UniqueConstraint("job_id", "number"),
        Index("ix_events_project_id_id", "project_id", "id"),
        Index("ix_events_document_id_id", "document_id", "id"),
        Index("ix_events_batch_id_id", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_events_api_key_id_id", "api_key_id", "id", postgresql_where=text("api_key_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
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


def channel(redis: Redis) -> str:
    """The bell's channel: publish and subscribe know nothing of database numbers, so the name carries it."""
    database = redis.connection_pool.connection_kwargs.get("db") or 0
    return f"quire:{database}:events"


async def ring(redis: Redis, job_id: UUID, number: int) -> None:
    """Tell whoever listens that a job has events up to this number. Never fails: the streams also look by themselves."""
    try:
        await redis.publish(channel(redis), f"{job_id}:{number}")
    except (RedisError, OSError) as error:
        log.warning("event_bell_unheard", job_id=str(job_id), error=str(error))


async def ring_all(redis: Redis, news: Iterable[tuple[UUID, int]]) -> None:
    """The same for many jobs, in one trip."""
    try:
        async with redis.pipeline(transaction=False) as pipe:
            for job_id, number in news:
                pipe.publish(channel(redis), f"{job_id}:{number}")
            await pipe.execute()
    except (RedisError, OSError) as error:
        log.warning("event_bell_unheard", error=str(error))
