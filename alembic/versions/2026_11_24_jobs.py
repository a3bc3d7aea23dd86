"""What serves the lists of jobs and documents, slots that cancelled jobs let go, and documents that are being erased.

Revision ID: 2026_11_24_jobs
Revises: 2026_11_24_limits
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_jobs"
down_revision = "2026_11_24_limits"
branch_labels = None
depends_on = None

NEWEST_FIRST = (sa.text("created_at DESC"), sa.text("id DESC"))


def upgrade() -> None:
    op.create_index("ix_jobs_listed", "jobs", ["project_id", "state", "stage", "priority", *NEWEST_FIRST])
    op.create_index(
        "ix_jobs_failed",
        "jobs",
        ["project_id", "error_code", "state", *NEWEST_FIRST],
        postgresql_where=sa.text("error_code IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_finished",
        "jobs",
        ["project_id", sa.text("finished_at DESC")],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.add_column("textract_jobs", sa.Column("let_go_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("documents", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_documents_project_id_media_type", "documents", ["project_id", "media_type", *NEWEST_FIRST])
    op.create_index(
        "ix_documents_project_id_filename",
        "documents",
        ["project_id", sa.literal_column("lower(filename)").label("lower_filename")],
        postgresql_ops={"lower_filename": "text_pattern_ops"},
    )
    op.create_table(
        "erasures",
        sa.Column("document_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("s3_key", sa.Text(), nullable=False),
        sa.Column(
            "textract_job_ids", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("rows_gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_erasures_project_id_projects")),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_due_at", "erasures", ["due_at"])


def downgrade() -> None:
    op.drop_table("erasures")
    op.drop_index("ix_documents_project_id_filename", table_name="documents")
    op.drop_index("ix_documents_project_id_media_type", table_name="documents")
    op.drop_column("documents", "erased_at")
    op.drop_column("textract_jobs", "let_go_at")
    op.drop_index("ix_jobs_finished", table_name="jobs")
    op.drop_index("ix_jobs_failed", table_name="jobs")
    op.drop_index("ix_jobs_listed", table_name="jobs")
