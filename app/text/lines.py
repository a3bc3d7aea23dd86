"""A page's lines with their places, as a reader sees them: upright, and with their ranges in the document's text."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from app.text.elements import Box

PLACES = 5
"""Digits after the point of a box's shares: a hundredth of a millimetre."""


@dataclass(frozen=True, slots=True)
class PageContent:
    """One page as it is stored: text, lines, and what analysis found. Boxes are shares of the page as it was sent in."""

    number: int
    text: str
    lines: Sequence[dict[str, Any]]
    """In reading order, each with `text`, `box` and `words`, which have `text` and `box` too."""
    analysis: dict[str, Any] = field(default_factory=dict)
    """`tables` and `layout` count, where there are any."""
    rotation_degrees: int = 0


@dataclass(frozen=True, slots=True)
class Rect:
    """A place on a page that stands upright; shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def upright(cls, box: dict[str, Any] | Box, rotation_degrees: int) -> Self:
        """A box of a page whose text is turned clockwise, as it stands when the page is turned back."""
        left, top = box["left"], box["top"]
        right, bottom = left + box["width"], top + box["height"]
        match rotation_degrees:
            case 90:
                return cls(top, 1 - right, bottom, 1 - left)
            case 180:
                return cls(1 - right, 1 - bottom, 1 - left, 1 - top)
            case 270:
                return cls(1 - bottom, left, 1 - top, right)
            case _:
                return cls(left, top, right, bottom)

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Half way down."""
        return (self.top + self.bottom) / 2

    @property
    def centre(self) -> float:
        """Half way across."""
        return (self.left + self.right) / 2

    def holds(self, other: "Rect") -> bool:
        """Whether the middle of another place is within this one."""
        return self.left <= other.centre <= self.right and self.top <= other.middle <= self.bottom

    def beside(self, other: "Rect") -> bool:
        """Whether another place is at the same height."""
        overlap = min(self.bottom, other.bottom) - max(self.top, other.top)
        return overlap > 0.5 * min(self.height, other.height)

    def above_or_below(self, other: "Rect") -> bool:
        """Whether another place is, at least in part, above or below this one."""
        return min(self.right, other.right) > max(self.left, other.left)


@dataclass(frozen=True, slots=True)
class Part:
    """A line, or what is left of one when others of its words are something else."""

    text: str
    start: int
    """Where it begins in the document's text."""
    rect: Rect
    box: Box
    words: Sequence[dict[str, Any]] = field(repr=False)
    """As they are stored, in the order of the text."""
    rotation_degrees: int = field(repr=False)

    @property
    def end(self) -> int:
        """Where it ends in the document's text."""
        return self.start + len(self.text)

    def word_rect(self, index: int) -> Rect:
        """Where one of its words stands."""
        return Rect.upright(self.words[index]["box"], self.rotation_degrees)

    def some(self, first: int, last: int) -> "Part | None":
        """The part that has its words from the one index to before the other; None where its text hasn't got them."""
        words = self.words[first:last]
        before, at = 0, 0
        for word in self.words[:first]:
            before = self.text.find(word["text"], before) + len(word["text"])
        start = self.text.find(words[0]["text"], before) if words else -1
        end = start
        for word in words:
            at = self.text.find(word["text"], end)
            if at < 0:
                return None
            end = at + len(word["text"])
        if start < 0:
            return None
        box = box_around([word["box"] for word in words], self.box["page"])
        rect = Rect.upright(box, self.rotation_degrees)
        return replace(self, text=self.text[start:end], start=self.start + start, rect=rect, box=box, words=words)


def located(page: PageContent, offset: int) -> list[Part]:
    """The lines of a page whose text begins at `offset` of the document's; a line that its text hasn't got is left out."""
    parts: list[Part] = []
    at = 0
    for line in page.lines:
        text = line["text"].strip().replace("\x00", "")
        found = page.text.find(text, at)
        if not text or found < 0:
            continue
        at = found + len(text)
        rect = Rect.upright(line["box"], page.rotation_degrees)
        box = _rounded(line["box"], page.number)
        parts.append(Part(text, offset + found, rect, box, line.get("words") or (), page.rotation_degrees))
    return parts


def box_around(boxes: Sequence[dict[str, Any]], page: int) -> Box:
    """The place on a page that holds some others."""
    left, top = min(box["left"] for box in boxes), min(box["top"] for box in boxes)
    right = max(box["left"] + box["width"] for box in boxes)
    bottom = max(box["top"] + box["height"] for box in boxes)
    return _rounded({"left": left, "top": top, "width": right - left, "height": bottom - top}, page)


def _rounded(box: dict[str, Any], page: int) -> Box:
    return {
        "page": page,
        "left": round(box["left"], PLACES),
        "top": round(box["top"], PLACES),
        "width": round(box["width"], PLACES),
        "height": round(box["height"], PLACES),
    }
