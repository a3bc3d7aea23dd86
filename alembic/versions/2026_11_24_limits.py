"""Limits of keys and projects, alerts, and turns between batches.

Revision ID: 2026_11_24_limits
Revises: 2026_11_24_webhooks
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_limits"
down_revision = "2026_11_24_webhooks"
branch_labels = None
depends_on = None

WAITING = sa.text("state IN ('queued', 'retryable')")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "code IN ('queue_unserved', 'engine_away', 'budget_spent')", name=op.f("ck_alerts_code_known")
        ),
        sa.CheckConstraint("severity IN ('info', 'warning', 'error')", name=op.f("ck_alerts_severity_known")),
        sa.CheckConstraint("cleared_at >= raised_at", name=op.f("ck_alerts_cleared_after_raised")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_alerts_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "uq_alerts_open", "alerts", ["code", "subject"], unique=True, postgresql_where=sa.text("cleared_at IS NULL")
    )
    op.create_index(
        "ix_alerts_project_id", "alerts", ["project_id"], postgresql_where=sa.text("project_id IS NOT NULL")
    )

    op.add_column("projects", sa.Column("weight", sa.Double(), server_default=sa.text("1"), nullable=False))
    op.add_column("projects", sa.Column("max_open_documents", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_projects_weight_is_positive"), "projects", "weight > 0")
    op.create_check_constraint(op.f("ck_projects_limit_is_not_negative"), "projects", "max_open_documents >= 0")
    op.add_column("api_keys", sa.Column("requests_per_second", sa.Double(), nullable=True))
    op.add_column("api_keys", sa.Column("request_burst", sa.Integer(), nullable=True))
    op.create_check_constraint(
        op.f("ck_api_keys_limits_are_positive"), "api_keys", "requests_per_second > 0 AND request_burst > 0"
    )

    op.drop_index("ix_jobs_backlog", table_name="jobs")
    op.create_index(
        "ix_jobs_backlog",
        "jobs",
        ["project_id", "stage", "priority", sa.text("coalesce(batch_id, project_id)"), "created_at"],
        postgresql_where=WAITING,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_backlog", table_name="jobs")
    op.create_index(
        "ix_jobs_backlog", "jobs", ["project_id", "stage", "priority", "created_at"], postgresql_where=WAITING
    )
    op.drop_constraint(op.f("ck_api_keys_limits_are_positive"), "api_keys")
    op.drop_column("api_keys", "request_burst")
    op.drop_column("api_keys", "requests_per_second")
    op.drop_constraint(op.f("ck_projects_limit_is_not_negative"), "projects")
    op.drop_constraint(op.f("ck_projects_weight_is_positive"), "projects")
    op.drop_column("projects", "max_open_documents")
    op.drop_column("projects", "weight")
    op.drop_table("alerts")
