"""Webhooks and their deliveries, and events in the order of their commits.

Revision ID: 2026_11_24_webhooks
Revises: 2026_11_24_uploads
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_webhooks"
down_revision = "2026_11_24_uploads"
branch_labels = None
depends_on = None

WRITER = sa.text("(pg_current_xact_id()::text)::bigint")
OF_NOTE = sa.text("type IN ('done', 'error', 'action', 'alert')")


def upgrade() -> None:
    _order_events()
    _create_webhooks()
    _create_deliveries()


def downgrade() -> None:
    op.drop_table("webhook_cursor")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
    _forget_order_of_events()


def _order_events() -> None:
    # Those that are there come first, by id: nobody writes among them any more.
    op.add_column("events", sa.Column("transaction_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.alter_column("events", "transaction_id", server_default=WRITER)
    for old in ("ix_events_project_id_id", "ix_events_batch_id_id", "ix_events_api_key_id_id"):
        op.drop_index(old, table_name="events")
    _index("ix_events_of_project", ["project_id", "transaction_id", "id"], sa.text("type <> 'page'"))
    _index("ix_events_of_batch", ["batch_id", "transaction_id", "id"], sa.text("batch_id IS NOT NULL"))
    _index("ix_events_of_api_key", ["api_key_id", "transaction_id", "id"], sa.text("api_key_id IS NOT NULL"))
    _index("ix_events_of_note", ["transaction_id", "id"], OF_NOTE)


def _forget_order_of_events() -> None:
    for name in ("ix_events_of_note", "ix_events_of_api_key", "ix_events_of_batch", "ix_events_of_project"):
        op.drop_index(name, table_name="events")
    _index("ix_events_project_id_id", ["project_id", "id"])
    _index("ix_events_batch_id_id", ["batch_id", "id"], sa.text("batch_id IS NOT NULL"))
    _index("ix_events_api_key_id_id", ["api_key_id", "id"], sa.text("api_key_id IS NOT NULL"))
    op.drop_column("events", "transaction_id")


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "event_types", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("previous_secret", sa.Text(), nullable=True),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_reason IS NULL)", name=op.f("ck_webhooks_disabled_has_a_reason")
        ),
        sa.CheckConstraint(
            "(previous_secret IS NULL) = (previous_secret_until IS NULL)",
            name=op.f("ck_webhooks_previous_secret_has_an_end"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_webhooks_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_project_id_id", "webhooks", ["project_id", "id"], unique=False)
    op.create_index(
        "ix_webhooks_of_callbacks",
        "webhooks",
        ["project_id"],
        unique=True,
        postgresql_where=sa.text("url IS NULL"),
    )
    op.create_table(
        "webhook_cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_webhook_cursor_is_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_cursor")),
    )


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", "event_id", name=op.f("uq_webhook_deliveries_webhook_id_event_id")),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["webhook_id", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_webhook_deliveries_webhook_id_id", "webhook_deliveries", ["webhook_id", "id"], unique=False)
    op.create_index(
        "ix_webhook_deliveries_ended",
        "webhook_deliveries",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("state <> 'pending'"),
    )


def _index(name: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(name, "events", columns, unique=False, postgresql_where=where)
