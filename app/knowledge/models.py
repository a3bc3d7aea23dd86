"""The tables of what documents say: chunks, mentions, entities, what was taken for the same, and relationships.

What one run of the pipeline makes of a document is kept under its job, as pages are. Entities belong to the project: one
for each type and normal form, which is what keeps documents that are worked on at once from making two of one.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Computed, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, EnumText, one_of
from app.entities.mentions import EntityType
from app.graph.relations import RelationType

SEARCH = (
    "setweight(to_tsvector('english'::regconfig, COALESCE(heading, ''::text)), 'A'::\"char\")"
    " || setweight(to_tsvector('english'::regconfig, text), 'B'::\"char\")"
    " || setweight(to_tsvector('english'::regconfig, COALESCE(edges, ''::text)), 'D'::\"char\")"
)
NAME_SEARCH = "to_tsvector('simple'::regconfig, name)"


class DocumentChunk(Base):
    """A stretch of a document's text that is searched for and found as one; numbers start at 1."""

    __tablename__ = "document_chunks"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        CheckConstraint("number > 0 AND token_count >= 0", name="counts_up"),
        CheckConstraint("first_page > 0 AND first_page <= last_page", name="pages_in_order"),
        CheckConstraint("start_char >= 0 AND start_char < end_char", name="range_in_order"),
        Index("ix_document_chunks_search", "search", postgresql_using="gin"),
        Index("ix_document_chunks_project_id", "project_id"),
        Index("ix_document_chunks_document_id", "document_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    number: Mapped[int]
    text: Mapped[str]
    token_count: Mapped[int]
    first_page: Mapped[int]
    last_page: Mapped[int]
    start_char: Mapped[int]
    """Where it begins in the document's text, counted in characters from 0; it ends before `end_char`."""
    end_char: Mapped[int]
    boxes: Mapped[list[Any]] = mapped_column(server_default=sql("'[]'"))
    """One for each line touched: `page`, and `left`, `top`, `width`, `height` in shares (0 to 1) of the page."""
    heading: Mapped[str | None]
    edges: Mapped[str | None]
    """Headers and footers of its pages that no chunk before it has, a line each: to be found by, for `text` is without."""
    search: Mapped[str] = mapped_column(TSVECTOR, Computed(SEARCH, persisted=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Entity(Base):
    """One person, organisation, place or other thing that a project's documents speak of."""

    __tablename__ = "entities"
    __table_args__ = (
        one_of("type", EntityType),
        UniqueConstraint("project_id", "type", "normal_form"),
        CheckConstraint("normal_form <> ''", name="normal_form_is_something"),
        CheckConstraint("merged_into <> id", name="not_merged_into_itself"),
        Index("ix_entities_project_id_id", "project_id", sql("id DESC"), postgresql_where=sql("merged_into IS NULL")),
        Index("ix_entities_blocking_keys", "blocking_keys", postgresql_using="gin"),
        Index("ix_entities_name_search", "name_search", postgresql_using="gin"),
        Index("ix_entities_merged_into", "merged_into", postgresql_where=sql("merged_into IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    type: Mapped[EntityType] = mapped_column(EnumText(EntityType))
    normal_form: Mapped[str]
    name: Mapped[str]
    blocking_keys: Mapped[list[str]] = mapped_column(ARRAY(Text()), server_default=sql("'{}'"))
    """What entities that may be the same have in common; each begins with the type."""
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("entities.id"))
    """The entity that stands for it, which itself is merged into none. What points to this one goes on doing so, so
    that undoing the merge is a matter of this column."""
    name_search: Mapped[str] = mapped_column(TSVECTOR, Computed(NAME_SEARCH, persisted=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EntityMention(Base):
    """One place in a document where something is named. Mentions of a run don't overlap."""

    __tablename__ = "entity_mentions"
    __table_args__ = (
        one_of("type", EntityType),
        CheckConstraint("page > 0", name="page_is_positive"),
        CheckConstraint("start_char >= 0 AND start_char < end_char", name="range_in_order"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence_is_a_share"),
        CheckConstraint("normal_form <> ''", name="normal_form_is_something"),
        Index("ix_entity_mentions_job_id_page", "job_id", "page"),
        # Where an entity is named, to the place: a search asks it of chunks, and reads no row.
        Index("ix_entity_mentions_places", "entity_id", "document_id", "job_id", "start_char"),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    start_char: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    end_char: Mapped[int]
    document_id: Mapped[UUID]
    """The job's, kept here too for searches; it goes where the job goes."""
    type: Mapped[EntityType] = mapped_column(EnumText(EntityType))
    text: Mapped[str]
    normal_form: Mapped[str]
    confidence: Mapped[float]
    source: Mapped[str]
    page: Mapped[int]
    boxes: Mapped[list[Any]] = mapped_column(server_default=sql("'[]'"))
    entity_id: Mapped[UUID | None] = mapped_column(ForeignKey("entities.id"))
    """What it was resolved to, whatever that was merged into since."""


class EntityMerge(Base):
    """Something that was taken for the same as something else, with how sure that is and why; it can be undone.

    Either a name as one document has it, which was taken for an entity's, or an entity, which was merged into another.
    """

    __tablename__ = "entity_merges"
    __table_args__ = (
        one_of("type", EntityType),
        CheckConstraint("(merged_id IS NULL) = (document_id IS NOT NULL)", name="of_a_name_or_an_entity"),
        CheckConstraint("(document_id IS NULL) = (job_id IS NULL)", name="a_name_is_of_a_run"),
        CheckConstraint("score BETWEEN 0 AND 1", name="score_is_a_share"),
        CheckConstraint("merged_id <> entity_id", name="not_with_itself"),
        # An entity is merged into one other at a time, and a name of a document means one entity.
        Index(
            "uq_entity_merges_merged_id",
            "merged_id",
            unique=True,
            postgresql_where=sql("merged_id IS NOT NULL AND undone_at IS NULL"),
        ),
        Index(
            "uq_entity_merges_name",
            "job_id",
            "type",
            "normal_form",
            unique=True,
            postgresql_where=sql("job_id IS NOT NULL AND undone_at IS NULL"),
        ),
        Index(
            "ix_entity_merges_name_search",
            sql(NAME_SEARCH),
            postgresql_using="gin",
            postgresql_where=sql("job_id IS NOT NULL AND undone_at IS NULL"),
        ),
        Index("ix_entity_merges_entity_id", "entity_id"),
        Index("ix_entity_merges_document_id", "document_id"),
        Index("ix_entity_merges_project_id_id", "project_id", sql("id DESC")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    entity_id: Mapped[UUID] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"))
    merged_id: Mapped[UUID | None] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"))
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    type: Mapped[EntityType] = mapped_column(EnumText(EntityType))
    normal_form: Mapped[str]
    """Of what was taken for the same as the entity."""
    name: Mapped[str]
    score: Mapped[float]
    reason: Mapped[str]
    """A stable word: `surname_alone`, `initials`, `similar_spelling`, …, and `by_hand`."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    undone_at: Mapped[datetime | None]


class Relationship(Base):
    """How one entity stands to another by what one document says."""

    __tablename__ = "relationships"
    __table_args__ = (
        one_of("type", RelationType),
        UniqueConstraint("job_id", "type", "source_id", "target_id", "role", postgresql_nulls_not_distinct=True),
        CheckConstraint("weight BETWEEN 0 AND 1", name="weight_is_a_share"),
        CheckConstraint("source_id <> target_id", name="between_two"),
        Index("ix_relationships_source_id", "source_id"),
        Index("ix_relationships_target_id", "target_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    document_id: Mapped[UUID]
    """The job's, and the project's too; they go where the job goes."""
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    type: Mapped[RelationType] = mapped_column(EnumText(RelationType))
    source_id: Mapped[UUID] = mapped_column(ForeignKey("entities.id"))
    target_id: Mapped[UUID] = mapped_column(ForeignKey("entities.id"))
    role: Mapped[str | None]
    weight: Mapped[float]
    evidence: Mapped[list[Any]]
    """The strongest first, each with `sentence`, `page`, `start`, `end`, `weight` and `boxes`."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
