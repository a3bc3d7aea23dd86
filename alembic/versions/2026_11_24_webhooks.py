"""Webhooks and their deliveries, and events in the order of their commits.

Revision ID: 2026_11_24_webhooks
Revises: 2026_11_24_uploads
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_webhooks"
down_revision = "2026_11_24_uploads"
branch_labels = None
depends_on = None

WRITER = sa.text("(pg_current_xact_id()::text)::bigint")
OF_NOTE = sa.text("type IN ('done', 'error', 'action', 'alert')")


def upgrade() -> None:
    _order_events()


def downgrade() -> None:
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


def _index(name: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(name, "events", columns, unique=False, postgresql_where=where)
