"""What documents say: chunks, mentions, entities, merges, relationships; jobs that begin in the middle.

Revision ID: 2026_11_23_knowledge
Revises: 2026_11_22_textract_jobs
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_23_knowledge"
down_revision = "2026_11_22_textract_jobs"
branch_labels = None
depends_on = None

ENTITY_TYPES = (
    "('person', 'organization', 'place', 'date', 'money', 'citation', 'case_number', 'email', 'phone', 'address')"
)
RELATION_TYPES = "('party_to', 'represents', 'employed_by', 'located_in', 'dated', 'amount_of', 'cites', 'co_occurs')"
SEARCH = (
    "setweight(to_tsvector('english'::regconfig, COALESCE(heading, ''::text)), 'A'::\"char\")"
    " || setweight(to_tsvector('english'::regconfig, text), 'B'::\"char\")"
)
TABLES = ("relationships", "entity_merges", "entity_mentions", "entities", "document_chunks")


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.add_column("jobs", sa.Column("from_stage", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("stage_cursor", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("published", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    # What was read before there was anything else to make of it is whole, and was asked for nothing else.
    op.execute("""
        UPDATE jobs SET published = true, options = options || '{"stages": ["ocr"]}' WHERE state = 'done'
    """)
    create_chunks()
    create_entities()
    create_mentions()
    create_merges()
    create_relationships()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("jobs", "published")
    op.drop_column("jobs", "stage_cursor")
    op.drop_column("jobs", "from_stage")
    op.execute("DROP EXTENSION vector")


def create_chunks() -> None:
    op.create_table(
        "document_chunks",
        sa.Column("id", sa.Uuid(), nullable=False),
        *owners("document_chunks"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=False),
        sa.Column("first_page", sa.Integer(), nullable=False),
        sa.Column("last_page", sa.Integer(), nullable=False),
        sa.Column("start_char", sa.Integer(), nullable=False),
        sa.Column("end_char", sa.Integer(), nullable=False),
        boxes(),
        sa.Column("heading", sa.Text(), nullable=True),
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(SEARCH, persisted=True), nullable=False),
        created_at(),
        sa.CheckConstraint("number > 0 AND token_count >= 0", name=op.f("ck_document_chunks_counts_up")),
        sa.CheckConstraint(
            "first_page > 0 AND first_page <= last_page", name=op.f("ck_document_chunks_pages_in_order")
        ),
        sa.CheckConstraint("start_char >= 0 AND start_char < end_char", name=op.f("ck_document_chunks_range_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_chunks")),
        sa.UniqueConstraint("job_id", "number", name=op.f("uq_document_chunks_job_id_number")),
    )
    op.create_index("ix_document_chunks_search", "document_chunks", ["search"], postgresql_using="gin")
    op.create_index("ix_document_chunks_project_id", "document_chunks", ["project_id"])
    op.create_index("ix_document_chunks_document_id", "document_chunks", ["document_id"])


def create_entities() -> None:
    op.create_table(
        "entities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("normal_form", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("blocking_keys", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column(
            "name_search",
            postgresql.TSVECTOR(),
            sa.Computed("to_tsvector('simple'::regconfig, name)", persisted=True),
            nullable=False,
        ),
        created_at(),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(f"type IN {ENTITY_TYPES}", name=op.f("ck_entities_type_known")),
        sa.CheckConstraint("normal_form <> ''", name=op.f("ck_entities_normal_form_is_something")),
        sa.CheckConstraint("merged_into <> id", name=op.f("ck_entities_not_merged_into_itself")),
        sa.ForeignKeyConstraint(["merged_into"], ["entities.id"], name=op.f("fk_entities_merged_into_entities")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_entities_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entities")),
        sa.UniqueConstraint("project_id", "type", "normal_form", name=op.f("uq_entities_project_id_type_normal_form")),
    )
    op.create_index(
        "ix_entities_project_id_id",
        "entities",
        ["project_id", sa.literal_column("id DESC")],
        postgresql_where=sa.text("merged_into IS NULL"),
    )
    op.create_index("ix_entities_blocking_keys", "entities", ["blocking_keys"], postgresql_using="gin")
    op.create_index("ix_entities_name_search", "entities", ["name_search"], postgresql_using="gin")
    op.create_index(
        "ix_entities_merged_into", "entities", ["merged_into"], postgresql_where=sa.text("merged_into IS NOT NULL")
    )


def create_mentions() -> None:
    op.create_table(
        "entity_mentions",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("start_char", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("end_char", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("normal_form", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        boxes(),
        sa.Column("entity_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"type IN {ENTITY_TYPES}", name=op.f("ck_entity_mentions_type_known")),
        sa.CheckConstraint("page > 0", name=op.f("ck_entity_mentions_page_is_positive")),
        sa.CheckConstraint("start_char >= 0 AND start_char < end_char", name=op.f("ck_entity_mentions_range_in_order")),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_entity_mentions_confidence_is_a_share")),
        sa.CheckConstraint("normal_form <> ''", name=op.f("ck_entity_mentions_normal_form_is_something")),
        reference("entity_mentions", "document_id", "documents", ondelete="CASCADE"),
        reference("entity_mentions", "entity_id", "entities"),
        reference("entity_mentions", "job_id", "jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "start_char", name=op.f("pk_entity_mentions")),
    )
    op.create_index("ix_entity_mentions_job_id_page", "entity_mentions", ["job_id", "page"])
    op.create_index("ix_entity_mentions_job_id_type_normal_form", "entity_mentions", ["job_id", "type", "normal_form"])
    op.create_index("ix_entity_mentions_document_id", "entity_mentions", ["document_id"])
    op.create_index("ix_entity_mentions_entity_id_document_id", "entity_mentions", ["entity_id", "document_id"])


def create_merges() -> None:
    op.create_table(
        "entity_merges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("merged_id", sa.Uuid(), nullable=True),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("normal_form", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        created_at(),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"type IN {ENTITY_TYPES}", name=op.f("ck_entity_merges_type_known")),
        sa.CheckConstraint(
            "(merged_id IS NULL) = (document_id IS NOT NULL)", name=op.f("ck_entity_merges_of_a_name_or_an_entity")
        ),
        sa.CheckConstraint(
            "(document_id IS NULL) = (job_id IS NULL)", name=op.f("ck_entity_merges_a_name_is_of_a_run")
        ),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name=op.f("ck_entity_merges_score_is_a_share")),
        sa.CheckConstraint("merged_id <> entity_id", name=op.f("ck_entity_merges_not_with_itself")),
        reference("entity_merges", "document_id", "documents", ondelete="CASCADE"),
        reference("entity_merges", "entity_id", "entities", ondelete="CASCADE"),
        reference("entity_merges", "job_id", "jobs", ondelete="CASCADE"),
        reference("entity_merges", "merged_id", "entities", ondelete="CASCADE"),
        reference("entity_merges", "project_id", "projects"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entity_merges")),
    )
    op.create_index(
        "uq_entity_merges_merged_id",
        "entity_merges",
        ["merged_id"],
        unique=True,
        postgresql_where=sa.text("merged_id IS NOT NULL AND undone_at IS NULL"),
    )
    op.create_index(
        "uq_entity_merges_name",
        "entity_merges",
        ["job_id", "type", "normal_form"],
        unique=True,
        postgresql_where=sa.text("job_id IS NOT NULL AND undone_at IS NULL"),
    )
    op.create_index("ix_entity_merges_entity_id", "entity_merges", ["entity_id"])
    op.create_index("ix_entity_merges_document_id", "entity_merges", ["document_id"])
    op.create_index("ix_entity_merges_project_id_id", "entity_merges", ["project_id", sa.literal_column("id DESC")])


def create_relationships() -> None:
    op.create_table(
        "relationships",
        sa.Column("id", sa.Uuid(), nullable=False),
        *owners("relationships"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        created_at(),
        sa.CheckConstraint(f"type IN {RELATION_TYPES}", name=op.f("ck_relationships_type_known")),
        sa.CheckConstraint("weight BETWEEN 0 AND 1", name=op.f("ck_relationships_weight_is_a_share")),
        sa.CheckConstraint("source_id <> target_id", name=op.f("ck_relationships_between_two")),
        reference("relationships", "source_id", "entities"),
        reference("relationships", "target_id", "entities"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relationships")),
        sa.UniqueConstraint(
            "job_id",
            "type",
            "source_id",
            "target_id",
            "role",
            name=op.f("uq_relationships_job_id_type_source_id_target_id_role"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_relationships_document_id", "relationships", ["document_id"])
    op.create_index("ix_relationships_source_id", "relationships", ["source_id"])
    op.create_index("ix_relationships_target_id", "relationships", ["target_id"])


def owners(table: str) -> list[sa.schema.SchemaItem]:
    """The project, the document and the job that a row belongs to."""
    return [
        *(sa.Column(f"{owner}_id", sa.Uuid(), nullable=False) for owner in ("project", "document", "job")),
        reference(table, "project_id", "projects"),
        reference(table, "document_id", "documents", ondelete="CASCADE"),
        reference(table, "job_id", "jobs", ondelete="CASCADE"),
    ]


def reference(table: str, column: str, to: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete)


def boxes() -> sa.Column[object]:
    return sa.Column("boxes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False)


def created_at() -> sa.Column[object]:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
