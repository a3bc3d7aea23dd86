"""The elements of a document: headings, paragraphs, list items, table rows, and what stands at its pages' edges.

Ranges are in the document's text, as `GET …/text` gives it: the pages' texts with a form feed between them, counted in
Unicode characters. An element's text is put together from pieces of that text: where it runs over a line, a column or a
page, what stands in between is not in it, and neither are the hyphens of words that were broken.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict


class Kind(StrEnum):
    """What an element is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"
    HEADER = "header"
    """What stands at the top of page after page, a court's stamp among it."""
    FOOTER = "footer"
    LINE_NUMBER = "line_number"
    """A number in the margin of pleading paper."""
    PAGE_MARK = "page_mark"
    """A page's printed number, where it stands by itself."""


BODY = frozenset({Kind.HEADING, Kind.PARAGRAPH, Kind.LIST_ITEM, Kind.TABLE_ROW})
"""What the document says; the rest is kept apart from it."""


class Box(TypedDict):
    """A place on a page: shares (0 to 1) of the page's width and height, as it was sent in."""

    page: int
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the document's text that stands in an element's text just as it is; within one line."""

    at: int
    """Where it begins in the element's text."""
    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Element:
    """One element; its pieces are in the order of its text."""

    kind: Kind
    text: str
    pieces: tuple[Piece, ...]
    level: int = 0
    """How deep a heading or a list item is, from 1; 0 for all else."""
    table: int = 0
    """Which of the document's tables a row is of, from 1; 0 for all else."""
    cells: tuple[str, ...] = ()
    """The texts of a table row's cells, one for each column of its table."""
    is_header_row: bool = False

    @property
    def page(self) -> int:
        """The page that it begins on."""
        return self.pieces[0].box["page"]

    @property
    def last_page(self) -> int:
        """The page that it ends on."""
        return max(piece.box["page"] for piece in self.pieces)

    @property
    def start(self) -> int:
        """Where its first character is in the document's text."""
        return min(piece.start for piece in self.pieces)

    @property
    def end(self) -> int:
        """Where its last character ends in the document's text."""
        return max(piece.end for piece in self.pieces)

    @property
    def boxes(self) -> list[Box]:
        """Where it stands, a box for each line."""
        return [piece.box for piece in self.pieces]

    def touched(self, start: int, end: int) -> list[Piece]:
        """The pieces that a range of the element's text touches, cut to that range; their boxes stay whole."""
        found = []
        for piece in self.pieces:
            if piece.at >= end:
                break
            length = piece.end - piece.start
            if piece.at + length <= start:
                continue
            first, last = max(start - piece.at, 0), min(end - piece.at, length)
            if first < last:
                found.append(Piece(piece.at + first, piece.start + first, piece.start + last, piece.box))
        return found

    def range_in_document(self, start: int, end: int) -> tuple[int, int]:
        """The range of the document's text that a range of the element's text stands for.

        Raises `ValueError` where the range touches nothing but what was put between pieces.
        """
        touched = self.touched(start, end)
        return min(piece.start for piece in touched), max(piece.end for piece in touched)
