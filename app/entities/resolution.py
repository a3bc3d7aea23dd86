"""Which names mean the same thing: within a document, and against what a project knows already.

Plain functions, without a database. Names are compared only where they share a blocking key, so that the cost grows
with the names that could be the same, not with the square of all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.entities.mentions import EntityType, Mention


@dataclass(frozen=True, slots=True)
class Named:
    """A name as a document has it: all mentions of one type and normal form."""

    type: EntityType
    normal: str
    text: str
    """The name as it is most often written."""
    count: int = 1


@dataclass(frozen=True, slots=True)
class KnownEntity:
    """An entity that the project has already, found by a blocking key."""

    entity_id: UUID
    type: EntityType
    normal: str
    """Its `normal_form`."""
    name: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A name that was taken for an entity's, with how sure that is and why."""

    named: Named
    score: float
    """0 to 1; 1 where the normal forms are the same."""
    reason: str
    """A stable word: `same_form`, `initials`, `surname_alone`, `similar_spelling`, `acronym`, …"""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One entity of a document: what it is called, and all the names that mean it."""

    type: EntityType
    normal: str
    """The `normal_form` to keep it under: that of the known entity, or of the fullest name."""
    name: str
    entity_id: UUID | None
    """The known entity that it is; None for a new one."""
    joined: tuple[Joined, ...]
    """Every name of it, its own first."""


def named(mentions: Iterable[Mention]) -> list[Named]:
    """The names of mentions, each with the way it is most often written."""
    raise NotImplementedError


def blocking_keys(named: Named | KnownEntity) -> frozenset[str]:
    """The keys under which whatever may mean the same is found: `person:smith`; at least one, at most eight.

    Kept beside each entity (an indexed array); `resolve` wants all known entities that share a key with a name.
    """
    raise NotImplementedError


def resolve(names: Sequence[Named], known: Sequence[KnownEntity] = ()) -> list[Resolved]:
    """The entities that a document's names mean; each name belongs to exactly one. The order of names is no matter."""
    raise NotImplementedError
