"""The tables of projects and their API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class Project(Base):
    """A tenant: everything else belongs to one."""

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("weight > 0", name="weight_is_positive"),
        CheckConstraint("max_open_documents >= 0", name="limit_is_not_negative"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    weight: Mapped[float] = mapped_column(server_default=text("1"))
    """How many turns it has where one of weight 1 has one."""
    max_open_documents: Mapped[int | None]
    """How many of its documents may be under way at once, where it isn't what the setting says."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A key to one project. Only its hash is kept, and enough of its beginning to tell keys apart."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("key_sha256 ~ '^[0-9a-f]{64}$'", name="key_is_hashed"),
        CheckConstraint("requests_per_second > 0 AND request_burst > 0", name="limits_are_positive"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    key_sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    requests_per_second: Mapped[float | None]
    """How many requests it may make a second, where it isn't what the setting says."""
    request_burst: Mapped[int | None]
    """How many of them at once."""
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
