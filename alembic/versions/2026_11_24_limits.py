"""Limits of keys and projects, alerts.

Revision ID: 2026_11_24_limits
Revises: 2026_11_24_webhooks
"""

revision = "2026_11_24_limits"
down_revision = "2026_11_24_webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
