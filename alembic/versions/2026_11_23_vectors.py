"""Vectors of chunks: one for each model in use, and which model is searched.

Revision ID: 2026_11_23_vectors
Revises: 2026_11_23_knowledge
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import UserDefinedType

revision = "2026_11_23_vectors"
down_revision = "2026_11_23_knowledge"
branch_labels = None
depends_on = None


class Vector(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "vector"


def upgrade() -> None:
    op.create_table(
        "embedding_models",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vector_dim", sa.Integer(), nullable=False),
        sa.Column("searched", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("searched_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("vector_dim BETWEEN 2 AND 4000", name=op.f("ck_embedding_models_dimensions_can_be_indexed")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_embedding_models")),
    )
    op.create_index(
        "uq_embedding_models_searched",
        "embedding_models",
        ["searched"],
        unique=True,
        postgresql_where=sa.text("searched"),
    )
    op.create_table(
        "chunk_vectors",
        sa.Column("chunk_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("vector_dim", sa.Integer(), nullable=False),
        sa.Column("embedding", Vector(), nullable=False),
        sa.CheckConstraint("vector_dims(embedding) = vector_dim", name=op.f("ck_chunk_vectors_dimensions_match")),
        sa.ForeignKeyConstraint(
            ["chunk_id"],
            ["document_chunks.id"],
            name=op.f("fk_chunk_vectors_chunk_id_document_chunks"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model"], ["embedding_models.name"], name=op.f("fk_chunk_vectors_model_embedding_models")
        ),
        sa.PrimaryKeyConstraint("chunk_id", "model", name=op.f("pk_chunk_vectors")),
    )
    op.create_index("ix_chunk_vectors_project_id_document_id", "chunk_vectors", ["project_id", "document_id"])
    op.create_index("ix_chunk_vectors_model", "chunk_vectors", ["model"])
    op.create_index("ix_document_chunks_project_id_document_id", "document_chunks", ["project_id", "document_id"])
    op.create_index("ix_document_chunks_job_id_start_char", "document_chunks", ["job_id", "start_char"])


def downgrade() -> None:
    op.drop_index("ix_document_chunks_project_id_document_id", table_name="document_chunks")
    op.drop_index("ix_document_chunks_job_id_start_char", table_name="document_chunks")
    op.drop_table("chunk_vectors")
    op.drop_table("embedding_models")
