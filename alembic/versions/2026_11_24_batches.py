"""Batches of documents; events know their batch and whose key did it.

Revision ID: 2026_11_24_batches
Revises: 2026_11_24_search
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_batches"
down_revision = "2026_11_24_search"
branch_labels = None
depends_on = None

EARLIER_EVENT_TYPES = "('stage', 'page', 'progress', 'retry', 'warning', 'error', 'done')"
EVENT_TYPES = "('stage', 'page', 'progress', 'retry', 'warning', 'error', 'done', 'action', 'alert')"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("priority", sa.Text(), server_default="normal", nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("warnings", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("percent", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state IN ('done', 'cancelled')) = (finished_at IS NOT NULL)", name=op.f("ck_batches_ended_is_finished")
        ),
        sa.CheckConstraint("priority IN ('high', 'normal', 'low')", name=op.f("ck_batches_priority_known")),
        sa.CheckConstraint("state IN ('queued', 'working', 'done', 'cancelled')", name=op.f("ck_batches_state_known")),
        sa.CheckConstraint("item_count > 0", name=op.f("ck_batches_has_items")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_batches_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(
        "ix_batches_open",
        "batches",
        ["priority", "created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'working')"),
    )
    op.create_index("ix_batches_project_id_id", "batches", ["project_id", "id"], unique=False)
    op.create_table(
        "batch_items",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("asked", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("status", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status = 'refused') = (error_code IS NOT NULL)", name=op.f("ck_batch_items_refused_has_a_reason")
        ),
        sa.CheckConstraint(
            "status IN ('waiting', 'taken', 'refused', 'cancelled')", name=op.f("ck_batch_items_status_known")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_batch_items_number_is_positive")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_items_batch_id_batches"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_batch_items_document_id_documents"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_batch_items_job_id_jobs"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f("pk_batch_items")),
    )
    op.create_index(op.f("ix_batch_items_document_id"), "batch_items", ["document_id"], unique=False)
    op.create_index(op.f("ix_batch_items_job_id"), "batch_items", ["job_id"], unique=False)
    op.create_index(
        "ix_batch_items_waiting",
        "batch_items",
        ["batch_id", "number"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.add_column("events", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.add_column("events", sa.Column("api_key_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_events_api_key_id_id",
        "events",
        ["api_key_id", "id"],
        unique=False,
        postgresql_where=sa.text("api_key_id IS NOT NULL"),
    )
    op.create_index(
        "ix_events_batch_id_id",
        "events",
        ["batch_id", "id"],
        unique=False,
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_events_batch_id_batches"), "events", "batches", ["batch_id"], ["id"], ondelete="SET NULL"
    )
    op.create_foreign_key(
        op.f("fk_events_api_key_id_api_keys"), "events", "api_keys", ["api_key_id"], ["id"], ondelete="SET NULL"
    )
    op.add_column("jobs", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_jobs_batch_id_id",
        "jobs",
        ["batch_id", "id"],
        unique=False,
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_batch_id_open",
        "jobs",
        ["batch_id", "id"],
        unique=False,
        postgresql_where=sa.text("batch_id IS NOT NULL AND state IN ('queued', 'working', 'retryable')"),
    )
    op.create_foreign_key(
        op.f("fk_jobs_batch_id_batches"), "jobs", "batches", ["batch_id"], ["id"], ondelete="SET NULL"
    )
    op.drop_constraint(op.f("ck_events_type_known"), "events", type_="check")
    op.create_check_constraint(op.f("ck_events_type_known"), "events", f"type IN {EVENT_TYPES}")


def downgrade() -> None:
    op.execute("DELETE FROM events WHERE type IN ('action', 'alert')")
    op.drop_constraint(op.f("ck_events_type_known"), "events", type_="check")
    op.create_check_constraint(op.f("ck_events_type_known"), "events", f"type IN {EARLIER_EVENT_TYPES}")
    op.drop_constraint(op.f("fk_jobs_batch_id_batches"), "jobs", type_="foreignkey")
    op.drop_index(
        "ix_jobs_batch_id_open",
        table_name="jobs",
        postgresql_where=sa.text("batch_id IS NOT NULL AND state IN ('queued', 'working', 'retryable')"),
    )
    op.drop_index("ix_jobs_batch_id_id", table_name="jobs", postgresql_where=sa.text("batch_id IS NOT NULL"))
    op.drop_column("jobs", "batch_id")
    op.drop_constraint(op.f("fk_events_api_key_id_api_keys"), "events", type_="foreignkey")
    op.drop_constraint(op.f("fk_events_batch_id_batches"), "events", type_="foreignkey")
    op.drop_index("ix_events_batch_id_id", table_name="events", postgresql_where=sa.text("batch_id IS NOT NULL"))
    op.drop_index("ix_events_api_key_id_id", table_name="events", postgresql_where=sa.text("api_key_id IS NOT NULL"))
    op.drop_column("events", "api_key_id")
    op.drop_column("events", "batch_id")
    op.drop_index("ix_batch_items_waiting", table_name="batch_items", postgresql_where=sa.text("status = 'waiting'"))
    op.drop_index(op.f("ix_batch_items_job_id"), table_name="batch_items")
    op.drop_index(op.f("ix_batch_items_document_id"), table_name="batch_items")
    op.drop_table("batch_items")
    op.drop_index("ix_batches_project_id_id", table_name="batches")
    op.drop_index("ix_batches_open", table_name="batches", postgresql_where=sa.text("state IN ('queued', 'working')"))
    op.drop_table("batches")
