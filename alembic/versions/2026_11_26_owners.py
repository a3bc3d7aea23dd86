"""Mentions and relationships are their job's: what says the same of their document and project is checked and indexed no more.

Revision ID: 2026_11_26_owners
Revises: 2026_11_25_batch_counts
"""

from alembic import op

revision = "2026_11_26_owners"
down_revision = "2026_11_25_batch_counts"
branch_labels = None
depends_on = None

DROPPED = (
    ("entity_mentions", "document_id", "documents", "CASCADE"),
    ("relationships", "document_id", "documents", "CASCADE"),
    ("relationships", "project_id", "projects", None),
)


def upgrade() -> None:
    for table, column, to, _ in DROPPED:
        op.drop_constraint(f"fk_{table}_{column}_{to}", table, type_="foreignkey")
    op.drop_index("ix_entity_mentions_document_id", table_name="entity_mentions")
    op.drop_index("ix_relationships_document_id", table_name="relationships")
    # The names of a run are read with all of its mentions, which the primary key leads to.
    op.drop_index("ix_entity_mentions_job_id_type_normal_form", table_name="entity_mentions")


def downgrade() -> None:
    op.create_index("ix_entity_mentions_job_id_type_normal_form", "entity_mentions", ["job_id", "type", "normal_form"])
    op.create_index("ix_relationships_document_id", "relationships", ["document_id"])
    op.create_index("ix_entity_mentions_document_id", "entity_mentions", ["document_id"])
    for table, column, to, ondelete in DROPPED:
        op.create_foreign_key(f"fk_{table}_{column}_{to}", table, to, [column], ["id"], ondelete=ondelete)
