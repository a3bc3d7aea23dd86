"""What the API answers about a project's entities: what they are called, what was taken for them, and their documents."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.knowledge_schemas import ENTITY_ID, counted
from app.api.schemas import DOCUMENT_ID, NOW, example
from app.entities.mentions import EntityType
from app.knowledge.service import EntityFound, EntityInFull

MERGE_ID = "019aa6c1-9b31-7c12-9d45-6e7f8a9b0c1d"

ENTITY_EXAMPLE: dict[str, Any] = {
    "id": ENTITY_ID,
    "type": "person",
    "name": "Charles R. Goodwin",
    "normal_form": "charles r goodwin",
    "mention_count": 7,
    "document_count": 2,
    "created_at": NOW,
    "updated_at": NOW,
}
NAME_EXAMPLE: dict[str, Any] = {
    "normal_form": "goodwin",
    "name": "Goodwin",
    "mention_count": 4,
    "document_count": 1,
}
MERGE_EXAMPLE: dict[str, Any] = {
    "id": MERGE_ID,
    "normal_form": "goodwin",
    "name": "Goodwin",
    "document_id": DOCUMENT_ID,
    "merged_id": None,
    "score": 0.9,
    "reason": "surname_alone",
    "created_at": NOW,
}
MENTIONING_EXAMPLE: dict[str, Any] = {
    "document_id": DOCUMENT_ID,
    "filename": "filing.pdf",
    "external_id": "case-1234/17",
    "mention_count": 3,
    "confidence": 0.92,
    "page_count": 2,
    "pages": [1, 4],
}


class EntityRead(BaseModel):
    """One person, organisation, place or other thing that a project's documents speak of."""

    model_config = example(ENTITY_EXAMPLE)

    id: UUID
    type: EntityType
    name: str
    normal_form: str
    mention_count: int
    document_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, found: EntityFound) -> Self:
        """From an entity and its counts."""
        return cls(
            id=found.entity.id,
            type=found.entity.type,
            name=found.entity.name,
            normal_form=found.entity.normal_form,
            mention_count=found.mention_count,
            document_count=found.document_count,
            created_at=found.entity.created_at,
            updated_at=found.entity.updated_at,
        )


class EntityList(BaseModel):
    """Entities of a project, the newest first."""

    model_config = example({"items": [ENTITY_EXAMPLE], "next": None})

    items: list[EntityRead]
    next: str | None


class NameRead(BaseModel):
    """What an entity is called in documents."""

    model_config = example(NAME_EXAMPLE)

    normal_form: str
    name: str
    mention_count: int
    document_count: int


class MergeRead(BaseModel):
    """Something that was taken for the same as an entity, and why."""

    model_config = example(MERGE_EXAMPLE)

    id: UUID
    normal_form: str
    name: str
    document_id: UUID | None = Field(description="The document whose name it was; null for a merged entity.")
    merged_id: UUID | None = Field(description="The entity that was merged; null for a document's name.")
    score: float = Field(ge=0, le=1, description="How sure it is.")
    reason: str = Field(description="`surname_alone`, `initials`, `similar_spelling`, `acronym`, `by_hand` and so on.")
    created_at: datetime


class MentioningRead(BaseModel):
    """A document that mentions an entity."""

    model_config = example(MENTIONING_EXAMPLE)

    document_id: UUID
    filename: str | None
    external_id: str | None
    mention_count: int
    confidence: float = Field(ge=0, le=1, description="Of its surest mention.")
    page_count: int
    pages: list[int] = Field(description="On which pages it is mentioned; at most 50 are named.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row of a document that mentions an entity."""
        return cls(**counted(row, cls))


class MentioningList(BaseModel):
    """Documents that mention an entity, the newest first."""

    model_config = example({"items": [MENTIONING_EXAMPLE], "next": None})

    items: list[MentioningRead]
    next: str | None


class EntityDetail(EntityRead):
    """An entity, what it is called, what was taken for it, and its newest documents."""

    model_config = example(
        {**ENTITY_EXAMPLE, "names": [NAME_EXAMPLE], "merges": [MERGE_EXAMPLE], "documents": [MENTIONING_EXAMPLE]}
    )

    names: list[NameRead] = Field(description="The commonest first.")
    merges: list[MergeRead] = Field(description="Those in force, the newest first; each can be undone.")
    documents: list[MentioningRead] = Field(description="The newest 50; `…/documents` has all.")

    @classmethod
    def in_full(cls, entity: EntityInFull) -> Self:
        """From all that is known of an entity."""
        return cls(
            **EntityRead.of(entity.found).model_dump(),
            names=[NameRead(**counted(row, NameRead)) for row in entity.names],
            merges=[MergeRead.model_validate(row, from_attributes=True) for row in entity.merges],
            documents=[MentioningRead.of(row) for row in entity.documents],
        )
