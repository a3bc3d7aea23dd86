"""How many documents of a batch were refused, and how many failed, beside its percentage.

Revision ID: 2026_11_25_batch_counts
Revises: 2026_11_24_jobs
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_25_batch_counts"
down_revision = "2026_11_24_page_edges"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("documents_refused", "documents_failed"):
        op.add_column("batches", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute("""
        UPDATE batches SET
            documents_refused = (
                SELECT count(*) FROM batch_items WHERE batch_id = batches.id AND status = 'refused'),
            documents_failed = (
                SELECT count(*) FROM jobs WHERE batch_id = batches.id AND state = 'deadletter')
    """)


def downgrade() -> None:
    for name in ("documents_failed", "documents_refused"):
        op.drop_column("batches", name)
