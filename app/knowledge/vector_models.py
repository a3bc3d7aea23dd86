"""The tables of vectors: one of each chunk for each model in use, and which of the models is searched."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from app.db import Base
from app.knowledge.models import DocumentChunk


class Vector(UserDefinedType[str]):
    """pgvector's type, of any number of dimensions; it is written and read as text: `[0.1,0.2]`."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Its name in SQL."""
        return "vector"


# What Alembic reads of the database is compared with what the models say: both have to know the type.
ischema_names["vector"] = Vector


class ChunkVector(Base):
    """What a model makes of a chunk. Its owners are those of the chunk, kept here too for searches to filter by."""

    __tablename__ = "chunk_vectors"
    __table_args__ = (
        CheckConstraint("vector_dims(embedding) = vector_dim", name="dimensions_match"),
        Index("ix_chunk_vectors_project_id_document_id", "project_id", "document_id"),
    )

    chunk_id: Mapped[UUID] = mapped_column(ForeignKey("document_chunks.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(ForeignKey("embedding_models.name"), primary_key=True, index=True)
    project_id: Mapped[UUID]
    document_id: Mapped[UUID]
    job_id: Mapped[UUID]
    vector_dim: Mapped[int]
    embedding: Mapped[str] = mapped_column(Vector())


class EmbeddingModel(Base):
    """A model that there are vectors of, by the name that they are kept under."""

    __tablename__ = "embedding_models"
    __table_args__ = (
        CheckConstraint("vector_dim BETWEEN 2 AND 4000", name="dimensions_can_be_indexed"),
        Index("uq_embedding_models_searched", "searched", unique=True, postgresql_where=text("searched")),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    vector_dim: Mapped[int]
    searched: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether searches are made by this one: it is true of one model at most."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    searched_since: Mapped[datetime | None]


# How many chunks filters leave over is counted in this index alone.
Index("ix_document_chunks_project_id_document_id", DocumentChunk.project_id, DocumentChunk.document_id)

# From a mention to the chunks that it stands in.
Index("ix_document_chunks_job_id_start_char", DocumentChunk.job_id, DocumentChunk.start_char)
