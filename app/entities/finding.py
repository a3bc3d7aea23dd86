"""What finds mentions within a readable text, and how what several found is made one list."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.entities.mentions import EntityType, Mention, Passage
from app.entities.normal_forms import normal_form
from app.entities.readable import Readable


@dataclass(frozen=True, slots=True)
class Found:
    """A mention within a readable text."""

    type: EntityType
    start: int
    end: int
    confidence: float
    source: str
    normal: str | None = None
    """Its normal form, where the finder knows it better than the text alone tells."""


class Finder(Protocol):
    """Finds mentions of some types; plain computation, in whatever process it is called."""

    def find(self, texts: Sequence[Readable]) -> list[list[Found]]:
        """What each text mentions, in the order of the texts; ranges may overlap."""
        ...


RANKS = {
    EntityType.EMAIL: 0,
    EntityType.CITATION: 1,
    EntityType.CASE_NUMBER: 2,
    EntityType.ADDRESS: 3,
    EntityType.PHONE: 4,
    EntityType.MONEY: 5,
    EntityType.DATE: 6,
}
"""Which type wins where ranges overlap: those with a grammar before names, which are guessed."""

_NAMES = 7
_ARTICLE = re.compile(r"(?:the|an|a)\s+(?=\S)", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['’]s?$")
_SPACES = re.compile(r"\s+")


def settled(found: Iterable[Found]) -> list[Found]:
    """Ranges that don't overlap, in order: of two that do, the better type, the surer, then the longer one stays."""
    kept: list[Found] = []
    for each in sorted(found, key=_precedence):
        # What is kept is in order and apart: whatever overlaps stands just before or behind.
        place = bisect_left(kept, each.start, key=_start)
        if (place == 0 or kept[place - 1].end <= each.start) and (place == len(kept) or each.end <= kept[place].start):
            kept.insert(place, each)
    return kept


def _start(found: Found) -> int:
    return found.start


def _precedence(found: Found) -> tuple[int, float, int, int, str, str, str]:
    """Total, so that the order in which finders were asked never shows."""
    kind = RANKS.get(found.type, _NAMES)
    return kind, -found.confidence, found.start - found.end, found.start, found.source, found.type, found.normal or ""


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A name's range without articles, quotes, stray punctuation and the possessive 's around it."""
    while True:
        piece = text[start:end]
        possessive = _POSSESSIVE.search(piece)
        if possessive is not None:
            end -= len(possessive[0])
            continue
        stripped = piece.strip(" \t\n,;:'\"“”‘’*—–-/\\|[]{}")
        lead = piece.find(stripped) if stripped else len(piece)
        article = _ARTICLE.match(stripped)
        first = start + lead + (article.end() if article else 0)
        last = start + lead + len(stripped)
        if (first, last) == (start, end) or first >= last:
            return first, max(first, last)
        start, end = first, last


def as_mention(found: Found, text: Readable, passage: Passage) -> Mention | None:
    """A mention in the document's own range; None for what has no normal form, and so is nothing of its type."""
    reads = _SPACES.sub(" ", text.cased[found.start : found.end]).strip()
    normal = found.normal if found.normal is not None else normal_form(found.type, reads)
    if not normal:
        return None
    start, end = text.original(found.start, found.end)
    written = _SPACES.sub(" ", text.text[found.start : found.end]).strip()
    return Mention(
        type=found.type,
        text=written,
        normal=normal,
        confidence=round(found.confidence, 3),
        source=found.source,
        start=passage.start + start,
        end=passage.start + end,
    )
