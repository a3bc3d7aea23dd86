"""How a document's entities are related: typed edges with evidence and weight.

Plain functions over sentences and the mentions in them, which are already resolved to entities.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.entities.mentions import Mention, Passage


class RelationType(StrEnum):
    """How one entity stands to another, in the direction from source to target."""

    PARTY_TO = "party_to"
    """A person or organisation to a case number; the role says on which side."""
    REPRESENTS = "represents"
    """Counsel, or a law firm, to its client."""
    EMPLOYED_BY = "employed_by"
    LOCATED_IN = "located_in"
    DATED = "dated"
    """A case, or what happened to a person or an organisation, to a date."""
    AMOUNT_OF = "amount_of"
    """Money to whom or what it is owed, paid or insured for."""
    CITES = "cites"
    """A case number (the document's own) to a citation."""
    CO_OCCURS = "co_occurs"
    """Both are named in one sentence: the weakest."""


@dataclass(frozen=True, slots=True)
class LinkedMention:
    """A mention and the entity that it was resolved to."""

    entity: Hashable
    mention: Mention


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentence that an edge is read from: its character range in the document's text, and its page."""

    start: int
    end: int
    page: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation between two entities."""

    type: RelationType
    source: Hashable
    target: Hashable
    weight: float
    """0 to 1: how likely it is that the relation holds, by all of its evidence."""
    role: str | None
    """For `party_to`: `plaintiff`, `defendant`, `appellant`, …"""
    evidence: tuple[Evidence, ...]
    """The strongest first, at most `MOST_EVIDENCE`."""


MOST_EVIDENCE = 20


class RelationReader:
    """Reads a document's passages in order, a batch at a time; what it remembers is bounded.

    It remembers the document's own case number, which stands in the caption and is what later parties and citations
    belong to.
    """

    def read(self, passages: Sequence[Passage], mentions: Iterable[LinkedMention]) -> Iterator[Edge]:
        """The edges of these passages, one for each pair of entities and type. `mentions` are those of the passages."""
        raise NotImplementedError


def joined(edges: Iterable[Edge]) -> list[Edge]:
    """Edges of the same type, source, target and role made one: evidence together, weights as of independent witnesses."""
    raise NotImplementedError
