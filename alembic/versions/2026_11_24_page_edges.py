"""Chunks are found by the headers and footers of their pages too, which are no part of their text.

Revision ID: 2026_11_24_page_edges
Revises: 2026_11_24_jobs
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_page_edges"
down_revision = "2026_11_24_jobs"
branch_labels = None
depends_on = None

WITHOUT = (
    "setweight(to_tsvector('english'::regconfig, COALESCE(heading, ''::text)), 'A'::\"char\")"
    " || setweight(to_tsvector('english'::regconfig, text), 'B'::\"char\")"
)
WITH = WITHOUT + " || setweight(to_tsvector('english'::regconfig, COALESCE(edges, ''::text)), 'D'::\"char\")"


def upgrade() -> None:
    op.add_column("document_chunks", sa.Column("edges", sa.Text(), nullable=True))
    search_by(WITH)


def downgrade() -> None:
    search_by(WITHOUT)
    op.drop_column("document_chunks", "edges")


def search_by(expression: str) -> None:
    """Make the column anew, and with it its index, which goes where the column goes."""
    op.drop_column("document_chunks", "search")
    op.add_column(
        "document_chunks",
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(expression, persisted=True), nullable=False),
    )
    op.create_index("ix_document_chunks_search", "document_chunks", ["search"], postgresql_using="gin")
