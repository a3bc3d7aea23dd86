"""OCR jobs have a table of their own; jobs have an engine, a cost, and a content to be known by.

Revision ID: 2026_11_22_textract_jobs
Revises: 2026_11_21_first_tables
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_22_textract_jobs"
down_revision = "2026_11_21_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "textract_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("content_key", sa.Text(), nullable=True),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("first_page", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("synchronous", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("textract_job_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="STARTING", nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("page_count", sa.Integer(), nullable=True),
        sa.Column("gets", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("price_microdollars", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_microdollars", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("engine IN ('textract', 'local')", name=op.f("ck_textract_jobs_engine_known")),
        sa.CheckConstraint("operation IN ('detection', 'analysis')", name=op.f("ck_textract_jobs_operation_known")),
        sa.CheckConstraint(
            "status IN ('STARTING', 'REFUSED', 'IN_PROGRESS', 'SUCCEEDED', 'PARTIAL_SUCCESS', 'FAILED', 'LOST')",
            name=op.f("ck_textract_jobs_status_known"),
        ),
        sa.CheckConstraint("cost_microdollars >= 0", name=op.f("ck_textract_jobs_cost_is_not_negative")),
        sa.CheckConstraint("part > 0 AND first_page > 0 AND gets >= 0", name=op.f("ck_textract_jobs_counts_up")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_textract_jobs_document_id_documents"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_textract_jobs_job_id_jobs"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_textract_jobs_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_textract_jobs")),
        sa.UniqueConstraint("engine", "operation", "token", name=op.f("uq_textract_jobs_engine_operation_token")),
    )
    op.create_index("ix_textract_jobs_content", "textract_jobs", ["project_id", "content_key"], unique=False)
    op.create_index("ix_textract_jobs_document_id", "textract_jobs", ["document_id"], unique=False)
    op.create_index("ix_textract_jobs_ended", "textract_jobs", ["engine", "operation", "ended_at"], unique=False)
    op.create_index("ix_textract_jobs_job_id", "textract_jobs", ["job_id"], unique=False)
    op.create_index(
        "ix_textract_jobs_open",
        "textract_jobs",
        ["engine", "operation"],
        unique=False,
        postgresql_where=sa.text("status IN ('STARTING', 'IN_PROGRESS')"),
    )
    op.create_index("ix_textract_jobs_spent", "textract_jobs", ["project_id", "created_at"], unique=False)
    op.create_index("ix_textract_jobs_textract_job_id", "textract_jobs", ["textract_job_id"], unique=False)
    op.alter_column("events", "project_id", existing_type=sa.UUID(), nullable=True)
    op.add_column("jobs", sa.Column("operation", sa.Text(), server_default="detection", nullable=False))
    op.add_column("jobs", sa.Column("content_key", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("reads", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("jobs", sa.Column("reused_job_id", sa.Uuid(), nullable=True))
    op.add_column(
        "jobs",
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    )
    op.add_column("jobs", sa.Column("engine", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("fallback_reason", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("cost_microdollars", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("jobs", sa.Column("textract_deadline", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_jobs_content",
        "jobs",
        ["project_id", "content_key"],
        unique=False,
        postgresql_where=sa.text("content_key IS NOT NULL"),
    )
    op.create_index(
        "uq_jobs_reading",
        "jobs",
        ["project_id", "content_key"],
        unique=True,
        postgresql_where=sa.text("reads AND state IN ('queued', 'working', 'retryable')"),
    )
    op.create_check_constraint("operation_known", "jobs", "operation IN ('detection', 'analysis')")
    op.create_check_constraint("engine_known", "jobs", "engine IN ('textract', 'local')")
    op.create_check_constraint("cost_is_not_negative", "jobs", "cost_microdollars >= 0")
    # What is being read goes on being read.
    op.execute("""
        INSERT INTO textract_jobs (
            id, project_id, document_id, job_id, part, first_page, generation, engine, operation, token,
            textract_job_id, status, page_count, created_at, started_at)
        SELECT gen_random_uuid(), project_id, document_id, id, 1, 1, textract_generation, 'textract', 'detection',
               coalesce(textract_token, id::text), textract_job_id, textract_job_status, pages_total,
               coalesce(textract_start_time, created_at), textract_start_time
        FROM jobs
        WHERE stage = 'parsing' AND state IN ('queued', 'working', 'retryable')
          AND textract_job_status IN ('IN_PROGRESS', 'SUCCEEDED', 'PARTIAL_SUCCESS')
    """)
    op.execute("UPDATE jobs SET engine = 'textract' WHERE textract_job_id IS NOT NULL")
    op.drop_column("jobs", "textract_token")
    op.add_column(
        "pages",
        sa.Column("analysis", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("pages", "analysis")
    op.add_column("jobs", sa.Column("textract_token", sa.TEXT(), autoincrement=False, nullable=True))
    op.drop_index(
        "uq_jobs_reading",
        table_name="jobs",
        postgresql_where=sa.text("reads AND state IN ('queued', 'working', 'retryable')"),
    )
    op.drop_index("ix_jobs_content", table_name="jobs", postgresql_where=sa.text("content_key IS NOT NULL"))
    op.drop_column("jobs", "textract_deadline")
    op.drop_column("jobs", "cost_microdollars")
    op.drop_column("jobs", "fallback_reason")
    op.drop_column("jobs", "engine")
    op.drop_column("jobs", "parts")
    op.drop_column("jobs", "reused_job_id")
    op.drop_column("jobs", "reads")
    op.drop_column("jobs", "content_key")
    op.drop_column("jobs", "operation")
    op.execute("DELETE FROM events WHERE project_id IS NULL")
    op.alter_column("events", "project_id", existing_type=sa.UUID(), nullable=False)
    op.drop_index("ix_textract_jobs_textract_job_id", table_name="textract_jobs")
    op.drop_index("ix_textract_jobs_spent", table_name="textract_jobs")
    op.drop_index(
        "ix_textract_jobs_open",
        table_name="textract_jobs",
        postgresql_where=sa.text("status IN ('STARTING', 'IN_PROGRESS')"),
    )
    op.drop_index("ix_textract_jobs_job_id", table_name="textract_jobs")
    op.drop_index("ix_textract_jobs_ended", table_name="textract_jobs")
    op.drop_index("ix_textract_jobs_document_id", table_name="textract_jobs")
    op.drop_index("ix_textract_jobs_content", table_name="textract_jobs")
    op.drop_table("textract_jobs")
