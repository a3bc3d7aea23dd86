"""What a caller submits as one: items that are sound, and items that aren't, each with its number."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.errors import ItemRepeated, QuireError
from app.jobs.states import Priority


class Strictness(StrEnum):
    """What becomes of a batch that would meet with trouble."""

    REQUIRE = "require"
    """It is refused where nobody could work on it."""
    WARN = "warn"
    """It is taken, and told what it will meet with."""


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """One item as it was asked for; with an error, it is kept for the report and taken no further."""

    number: int
    asked: dict[str, Any]
    document_id: UUID | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    error: QuireError | None = None


@dataclass(frozen=True, slots=True)
class BatchDraft:
    """A batch as it was asked for."""

    items: list[ItemDraft]
    priority: Priority = Priority.NORMAL
    options: dict[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    callback_url: str | None = None
    preflight: Strictness = Strictness.REQUIRE


def each_once(items: Iterable[ItemDraft]) -> list[ItemDraft]:
    """The same items, with those refused that ask for what an earlier one asks for."""
    seen: dict[tuple[str, ...], int] = {}
    return [_first(item, seen) for item in items]


def _first(item: ItemDraft, seen: dict[tuple[str, ...], int]) -> ItemDraft:
    if item.error is not None:
        return item
    asked = tuple(f"{name}={value}" for name, value in item.asked.items())
    first = seen.setdefault(asked, item.number)
    if first == item.number:
        return item
    error = ItemRepeated(f"Item {first} asks for the same already; it is taken once.")
    return ItemDraft(item.number, item.asked, None, item.external_id, item.metadata, error)
