"""Whether an entity is named in a chunk is answered by an index alone.

Revision ID: 2026_11_24_search
Revises: 2026_11_23_vectors
"""

from alembic import op

revision = "2026_11_24_search"
down_revision = "2026_11_23_vectors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_entity_mentions_places", "entity_mentions", ["entity_id", "document_id", "job_id", "start_char"]
    )
    op.drop_index("ix_entity_mentions_entity_id_document_id", table_name="entity_mentions")


def downgrade() -> None:
    op.create_index("ix_entity_mentions_entity_id_document_id", "entity_mentions", ["entity_id", "document_id"])
    op.drop_index("ix_entity_mentions_places", table_name="entity_mentions")
