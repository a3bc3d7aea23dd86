"""Webhooks and their deliveries, and events in the order of their commits.

Revision ID: 2026_11_24_webhooks
Revises: 2026_11_24_uploads
"""

revision = "2026_11_24_webhooks"
down_revision = "2026_11_24_uploads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
