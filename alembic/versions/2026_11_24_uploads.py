"""Uploads straight to S3, and idempotency keys of every creation.

Revision ID: 2026_11_24_uploads
Revises: 2026_11_24_batches
"""

revision = "2026_11_24_uploads"
down_revision = "2026_11_24_batches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
