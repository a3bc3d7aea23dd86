"""What the API answers about what a document says: chunks, what it names, mentions and relationships."""

from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.page_schemas import Box
from app.api.schemas import DOCUMENT_ID, example
from app.entities.mentions import EntityType
from app.graph.relations import RelationType

CHUNK_ID = "019aa6c1-9a10-7d21-8e11-3b5a7c9d1e2f"
ENTITY_ID = "019aa6c1-9b22-7f10-9c33-4d5e6f7a8b9c"
OTHER_ENTITY_ID = "019aa6c1-9b23-7a45-8b67-1c2d3e4f5a6b"
RELATIONSHIP_ID = "019aa6c1-9b40-7e55-8f66-7a8b9c0d1e2f"
BOX: dict[str, Any] = {"page": 1, "left": 0.12, "top": 0.08, "width": 0.31, "height": 0.02}

CHUNK_EXAMPLE: dict[str, Any] = {
    "id": CHUNK_ID,
    "document_id": DOCUMENT_ID,
    "number": 1,
    "text": "The motion to dismiss is denied.",
    "token_count": 8,
    "first_page": 1,
    "last_page": 1,
    "start": 412,
    "end": 444,
    "boxes": [BOX],
    "heading": "ORDER > I. Background",
    "edges": "Case 8:16-cv-01261-DOC-KES Document 40 Filed 08/05/16 Page 1 of 4 Page ID #:365",
}
NAMED_EXAMPLE: dict[str, Any] = {
    "entity_id": ENTITY_ID,
    "type": "person",
    "name": "Charles R. Goodwin",
    "normal_form": "charles r goodwin",
    "mention_count": 3,
    "confidence": 0.92,
    "page_count": 2,
    "pages": [1, 4],
}
MENTION_EXAMPLE: dict[str, Any] = {
    "entity_id": ENTITY_ID,
    "document_id": DOCUMENT_ID,
    "type": "person",
    "text": "Charles R. Goodwin",
    "normal_form": "charles r goodwin",
    "confidence": 0.92,
    "source": "spacy",
    "page": 1,
    "start": 412,
    "end": 430,
    "boxes": [BOX],
}
EVIDENCE_EXAMPLE: dict[str, Any] = {
    "sentence": "Plaintiff Charles R. Goodwin brings this action against Acme Corp.",
    "page": 1,
    "start": 402,
    "end": 468,
    "weight": 0.9,
    "boxes": [BOX],
}
RELATIONSHIP_EXAMPLE: dict[str, Any] = {
    "id": RELATIONSHIP_ID,
    "document_id": DOCUMENT_ID,
    "type": "party_to",
    "source_id": ENTITY_ID,
    "source_name": "Charles R. Goodwin",
    "source_type": "person",
    "target_id": OTHER_ENTITY_ID,
    "target_name": "8:16-cv-01261",
    "target_type": "case_number",
    "role": "plaintiff",
    "weight": 0.93,
    "evidence": [EVIDENCE_EXAMPLE],
}


class PlacedBox(Box):
    """Where something stands: on which page, and in shares (0 to 1) of its width and height."""

    model_config = example(BOX)

    page: int = Field(ge=1)


class Placed(BaseModel):
    """Something that stands in a document's text."""

    start: int = Field(description="Where it begins in the document's text (`…/text`), in characters from 0.")
    end: int = Field(description="Where it ends: before this character.")
    boxes: list[PlacedBox] = Field(description="One for each line that it touches.")


class ChunkRead(Placed):
    """A stretch of a document's text that is searched for and found as one."""

    model_config = example(CHUNK_EXAMPLE)

    id: UUID
    document_id: UUID
    number: int = Field(ge=1, description="In the document's order.")
    text: str = Field(description="Without headers, footers and line numbers; broken words are joined.")
    token_count: int = Field(description="As estimated.")
    first_page: int
    last_page: int
    heading: str | None = Field(description="The headings that most of it stands under, the outermost first.")
    edges: str | None = Field(
        description="Headers and footers of its pages that no chunk before it has, such as a court's stamp, a line each; the words find "
        "them, though `text` and its vector are without."
    )

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a chunk's row."""
        return cls(**_placed(row, cls))


class ChunkList(BaseModel):
    """Chunks of a document, in its order."""

    model_config = example({"items": [CHUNK_EXAMPLE], "next": None})

    items: list[ChunkRead]
    next: str | None


class NamedRead(BaseModel):
    """What a document names."""

    model_config = example(NAMED_EXAMPLE)

    entity_id: UUID | None = Field(description="Null where names were not resolved.")
    type: EntityType
    name: str
    normal_form: str
    mention_count: int
    confidence: float = Field(ge=0, le=1, description="Of its surest mention.")
    page_count: int
    pages: list[int] = Field(description="On which pages it is mentioned; at most 50 are named.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row of what a run names."""
        return cls(**counted(row, cls))


class NamedList(BaseModel):
    """What a document names, by where it first does."""

    model_config = example({"items": [NAMED_EXAMPLE], "next": None})

    items: list[NamedRead]
    next: str | None


class MentionRead(Placed):
    """One place in a document where something is named."""

    model_config = example(MENTION_EXAMPLE)

    entity_id: UUID | None = Field(description="What is named; null where names were not resolved.")
    document_id: UUID
    type: EntityType
    text: str = Field(description="As it reads.")
    normal_form: str = Field(description="The form by which names are compared.")
    confidence: float = Field(ge=0, le=1)
    source: str = Field(description="What found it: `spacy`, `eyecite`, `patterns`, `filings`, or a model's name.")
    page: int

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a mention's row."""
        return cls(**_placed(row, cls, entity_id=row.root_id))


class MentionList(BaseModel):
    """Mentions of a document, in its order."""

    model_config = example({"items": [MENTION_EXAMPLE], "next": None})

    items: list[MentionRead]
    next: str | None


class EvidenceRead(Placed):
    """A sentence that a relationship is read from."""

    model_config = example(EVIDENCE_EXAMPLE)

    sentence: str
    page: int
    weight: float = Field(ge=0, le=1)


class RelationshipRead(BaseModel):
    """How one entity stands to another, by what a document says."""

    model_config = example(RELATIONSHIP_EXAMPLE)

    id: UUID
    document_id: UUID
    type: RelationType = Field(description="From the source to the target; `co_occurs` is the weakest.")
    source_id: UUID
    source_name: str
    source_type: EntityType
    target_id: UUID
    target_name: str
    target_type: EntityType
    role: str | None = Field(description="For `party_to`: `plaintiff`, `defendant`, `appellant` and so on.")
    weight: float = Field(ge=0, le=1, description="How likely it is that it holds, by all of its evidence.")
    evidence: list[EvidenceRead] = Field(description="The strongest first, at most 20 sentences.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a relationship's row."""
        return cls.model_validate(row, from_attributes=True)


class RelationshipList(BaseModel):
    """Relationships of a document."""

    model_config = example({"items": [RELATIONSHIP_EXAMPLE], "next": None})

    items: list[RelationshipRead]
    next: str | None


def _placed(row: Any, model: type[BaseModel], **others: Any) -> dict[str, Any]:
    """A row's values by the names that the API has for them."""
    given = {"start": row.start_char, "end": row.end_char, **others}
    return given | {name: getattr(row, name) for name in model.model_fields if name not in given}


def counted(row: Any, model: type[BaseModel]) -> dict[str, Any]:
    """A row's values, its counts by the names that the API has for them."""
    given = {"mention_count": row.mentions}
    if "document_count" in model.model_fields:
        given["document_count"] = row.documents
    return given | {name: getattr(row, name) for name in model.model_fields if name not in given}
