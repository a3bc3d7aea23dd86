"""What the API answers about the graph of a project's entities, and what it is asked to change in it."""

from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.api.entity_schemas import MERGE_ID
from app.api.knowledge_schemas import ENTITY_ID, OTHER_ENTITY_ID
from app.api.schemas import DOCUMENT_ID, example
from app.knowledge.service import GraphFound

NODE_EXAMPLE: dict[str, Any] = {
    "id": ENTITY_ID,
    "kind": "entity",
    "type": "person",
    "name": "Charles R. Goodwin",
    "depth": 0,
    "mention_count": 7,
    "document_count": 2,
}
EDGE_EXAMPLE: dict[str, Any] = {
    "source_id": ENTITY_ID,
    "target_id": OTHER_ENTITY_ID,
    "type": "party_to",
    "role": "plaintiff",
    "weight": 0.93,
    "document_count": 2,
}


class NodeKind(StrEnum):
    """What a node of the graph is."""

    ENTITY = "entity"
    DOCUMENT = "document"
    BATCH = "batch"
    PROJECT = "project"


class NodeRead(BaseModel):
    """A node of the graph."""

    model_config = example(NODE_EXAMPLE)

    id: UUID
    kind: NodeKind
    type: str | None = Field(description="An entity's type.")
    name: str | None = Field(
        description="An entity's or a project's name, a document's file name, a batch's `external_id` or when it came in; null for a "
        "document that was sent in without any name."
    )
    depth: int | None = Field(description="How many relationships an entity is away from the one that was asked about.")
    mention_count: int | None
    document_count: int | None


class EdgeRead(BaseModel):
    """An edge of the graph: of a relationship's type, by all documents; or `mentioned_in`, or `belongs_to`."""

    model_config = example(EDGE_EXAMPLE)

    source_id: UUID
    target_id: UUID
    type: str
    role: str | None
    weight: float = Field(ge=0, le=1)
    document_count: int


class GraphRead(BaseModel):
    """What is around an entity."""

    model_config = example({"nodes": [NODE_EXAMPLE], "edges": [EDGE_EXAMPLE], "truncated": False})

    nodes: list[NodeRead]
    edges: list[EdgeRead] = Field(description="The surest first, nearer ones before those further off.")
    truncated: bool = Field(description="Whether there are more edges than were asked for.")

    @classmethod
    def of(cls, found: GraphFound) -> Self:
        """From what was found."""
        edges = [EdgeRead.model_validate(edge, from_attributes=True) for edge in found.around.edges]
        return cls(
            nodes=[*_entity_nodes(found), *_document_nodes(found)],
            edges=[*edges, *_document_edges(found)],
            truncated=found.around.truncated,
        )


def _entity_nodes(found: GraphFound) -> list[NodeRead]:
    nodes = [
        NodeRead(
            id=each.entity.id,
            kind=NodeKind.ENTITY,
            type=each.entity.type,
            name=each.entity.name,
            depth=found.around.depths[each.entity.id],
            mention_count=each.mention_count,
            document_count=each.document_count,
        )
        for each in found.entities
    ]
    return sorted(nodes, key=lambda node: (node.depth, node.id))


def _document_nodes(found: GraphFound) -> list[NodeRead]:
    documents = {row.document_id: (NodeKind.DOCUMENT, row.name) for row in found.documents}
    batches = {row.batch_id: (NodeKind.BATCH, row.name) for row in found.batches}
    projects = {row.project_id: (NodeKind.PROJECT, row.project_name) for row in found.documents}
    return [
        NodeRead(id=each, kind=kind, type=None, name=name, depth=None, mention_count=None, document_count=None)
        for each, (kind, name) in (documents | batches | projects).items()
    ]


def _document_edges(found: GraphFound) -> list[EdgeRead]:
    mentioned = [(row.root_id, row.document_id, "mentioned_in") for row in found.documents]
    belongs = {(row.document_id, row.project_id, "belongs_to"): None for row in found.documents}
    batched = [(row.document_id, row.batch_id, "belongs_to") for row in found.batches]
    return [
        EdgeRead(source_id=source, target_id=target, type=kind, role=None, weight=1.0, document_count=1)
        for source, target, kind in [*mentioned, *batched, *belongs]
    ]


class MergeRequest(BaseModel):
    """Entities that another one is to stand for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"entity_ids": [OTHER_ENTITY_ID]}]})

    entity_ids: list[UUID] = Field(min_length=1, max_length=100, description="Of the same type.")


class SplitRequest(BaseModel):
    """What is to be parted from an entity: what one merge has joined to it, or a name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"merge_id": MERGE_ID}, {"normal_form": "goodwin", "document_id": DOCUMENT_ID}]
        },
    )

    merge_id: UUID | None = Field(None, description="One of its `merges`.")
    normal_form: str | None = Field(None, min_length=1, max_length=1000, description="A name, as its `merges` have it.")
    document_id: UUID | None = Field(None, description="With `normal_form`: in this document alone.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.merge_id is None) == (self.normal_form is None):
            raise ValueError("give either 'merge_id' or 'normal_form'")
        if self.document_id is not None and self.normal_form is None:
            raise ValueError("'document_id' goes with 'normal_form'")
        return self
