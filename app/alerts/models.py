"""The table of alerts."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of
from app.events import Severity


class AlertCode(StrEnum):
    """What an operator is told of."""

    QUEUE_UNSERVED = "queue_unserved"
    """A queue has work, and no live worker serves it; the subject is the queue."""
    ENGINE_AWAY = "engine_away"
    """An engine is left alone, because it doesn't answer; the subject is the engine."""
    BUDGET_SPENT = "budget_spent"
    """Documents of a project wait for the next day, since this day's money is spent; the subject is the project's id."""


class Alert(Base):
    """Something an operator should look at, from when it began until it is over: one open one of a code and subject."""

    __tablename__ = "alerts"
    __table_args__ = (
        one_of("code", AlertCode),
        one_of("severity", Severity),
        CheckConstraint("cleared_at >= raised_at", name="cleared_after_raised"),
        Index("uq_alerts_open", "code", "subject", unique=True, postgresql_where=text("cleared_at IS NULL")),
        Index("ix_alerts_project_id", "project_id", postgresql_where=text("project_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    code: Mapped[AlertCode] = mapped_column(EnumText(AlertCode))
    subject: Mapped[str]
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    """None where it is about the whole service: then every project may see it, so it says nothing of documents."""
    severity: Mapped[Severity] = mapped_column(EnumText(Severity))
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    raised_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it was last found to be so."""
    cleared_at: Mapped[datetime | None]
