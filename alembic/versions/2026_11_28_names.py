"""Entities are found by the names that were taken for theirs.

Revision ID: 2026_11_28_names
Revises: 2026_11_27_lines
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_28_names"
down_revision = "2026_11_27_lines"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_entity_merges_name_search",
        "entity_merges",
        [sa.text("to_tsvector('simple'::regconfig, name)")],
        postgresql_using="gin",
        postgresql_where=sa.text("job_id IS NOT NULL AND undone_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_entity_merges_name_search", table_name="entity_merges")
