"""The tables of webhooks: who is told of what, and every message to them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of


class WebhookType(StrEnum):
    """What a message tells; its `type`."""

    JOB_DONE = "job.done"
    JOB_DEADLETTER = "job.deadletter"
    JOB_CANCELLED = "job.cancelled"
    BATCH_DONE = "batch.done"
    BATCH_CANCELLED = "batch.cancelled"
    TEST = "webhook.test"
    """Nothing but that somebody asked for a test."""


class DeliveryState(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    """It is to be sent, for the first time or again."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was given up."""


class Webhook(Base):
    """An endpoint of a project; one more of each project, without a URL, stands for all `callback_url`s."""

    __tablename__ = "webhooks"
    __table_args__ = (
        CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled_has_a_reason"),
        CheckConstraint(
            "(previous_secret IS NULL) = (previous_secret_until IS NULL)", name="previous_secret_has_an_end"
        ),
        Index("ix_webhooks_project_id_id", "project_id", "id"),
        Index("ix_webhooks_of_callbacks", "project_id", unique=True, postgresql_where=sql("url IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    url: Mapped[str | None]
    description: Mapped[str] = mapped_column(server_default="")
    event_types: Mapped[list[str]] = mapped_column(server_default=sql("'[]'"))
    """What it is told of; all there is where none are named."""
    secret: Mapped[str]
    """What messages are signed with: it can't be kept as a hash."""
    previous_secret: Mapped[str | None]
    previous_secret_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    """When the first message failed since the last one that arrived."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookDelivery(Base):
    """One message to one endpoint. Its body is written once: every try sends the same bytes under the same id."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("state", DeliveryState),
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_deliveries_due", "webhook_id", "next_attempt_at", postgresql_where=sql("state = 'pending'")),
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_ended", "finished_at", postgresql_where=sql("state <> 'pending'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[int | None] = mapped_column(BigInteger)
    """The event that it tells of; None for a test."""
    type: Mapped[str]
    url: Mapped[str | None]
    """Where a request wanted to be called back; None for the endpoint's own."""
    host: Mapped[str]
    body: Mapped[str]
    state: Mapped[DeliveryState] = mapped_column(EnumText(DeliveryState), server_default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(server_default=sql("0"))
    tries: Mapped[list[Any]] = mapped_column(server_default=sql("'[]'"))
    """What came of each: `at`, `status`, `duration_seconds`, `error`, and the beginning of the `answer`."""
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it is due; while it is being sent, when somebody else may send it."""
    give_up_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class WebhookCursor(Base):
    """How far the log was read for messages; one row."""

    __tablename__ = "webhook_cursor"
    __table_args__ = (CheckConstraint("id = 1", name="is_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    transaction_id: Mapped[int] = mapped_column(BigInteger)
    event_id: Mapped[int] = mapped_column(BigInteger)
