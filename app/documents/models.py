"""The tables of documents and their pages."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, func, literal_column
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of
from app.documents.intake import MediaType


class PageStatus(StrEnum):
    """What became of a page."""

    READ = "read"
    EMPTY = "empty"
    """Read, and nothing on it."""
    FAILED = "failed"


class Document(Base):
    """Stored bytes: what they are, and where."""

    __tablename__ = "documents"
    __table_args__ = (
        one_of("media_type", MediaType),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
        CheckConstraint("size_bytes > 0", name="size_is_positive"),
        CheckConstraint("page_count > 0", name="page_count_is_positive"),
        Index("ix_documents_project_id_created_at", "project_id", sql("created_at DESC"), sql("id DESC")),
        Index("ix_documents_project_id_sha256", "project_id", "sha256"),
        Index("ix_documents_project_id_external_id", "project_id", "external_id"),
        Index("ix_documents_project_id_media_type", "project_id", "media_type", sql("created_at DESC"), sql("id DESC")),
        Index(
            "ix_documents_project_id_filename",
            "project_id",
            literal_column("lower(filename)").label("lower_filename"),
            postgresql_ops={"lower_filename": "text_pattern_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    filename: Mapped[str | None]
    external_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=sql("'{}'"))
    media_type: Mapped[MediaType] = mapped_column(EnumText(MediaType))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    s3_bucket: Mapped[str]
    s3_key: Mapped[str] = mapped_column(unique=True)
    page_count: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    erased_at: Mapped[datetime | None]
    """When somebody deleted it: from then on it is there for nobody, and what is left of it is being taken away."""


class Erasure(Base):
    """A document that somebody deleted, until nothing of it is left: whoever dies while erasing it, another one goes on."""

    __tablename__ = "erasures"
    __table_args__ = (Index("ix_erasures_due_at", "due_at"),)

    document_id: Mapped[UUID] = mapped_column(primary_key=True, autoincrement=False)
    """No foreign key: it outlives its document's row."""
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    s3_key: Mapped[str]
    textract_job_ids: Mapped[list[Any]] = mapped_column(server_default=sql("'[]'"))
    """The engines' ids of its OCR jobs, under which results are kept elsewhere."""
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it is to be looked at next."""
    rows_gone_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Page(Base):
    """What one run read on one page; numbers start at 1."""

    __tablename__ = "pages"
    __table_args__ = (
        one_of("status", PageStatus),
        CheckConstraint("number > 0", name="number_is_positive"),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="confidence_in_percent"),
        CheckConstraint("rotation_degrees IN (0, 90, 180, 270)", name="rotation_is_a_quarter_turn"),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    status: Mapped[PageStatus] = mapped_column(EnumText(PageStatus))
    text: Mapped[str]
    confidence: Mapped[float | None]
    rotation_degrees: Mapped[int] = mapped_column(server_default=sql("0"))
    word_count: Mapped[int]
    lines: Mapped[list[Any]] = mapped_column(JSON)
    """Not as jsonb, which takes Postgres twice as long to write and five times as long to read: nothing asks for a part of it."""
    analysis: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'"))
    """What analysis found beside the text, by kind: tables, key-values, answers, signatures, layout."""
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
