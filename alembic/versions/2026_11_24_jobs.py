"""What serves the lists of jobs.

Revision ID: 2026_11_24_jobs
Revises: 2026_11_24_limits
"""

revision = "2026_11_24_jobs"
down_revision = "2026_11_24_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
