"""The rows of the tables that an engine's analysis found, put together from the page's own lines."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from app.text.elements import Element, Kind, Piece
from app.text.joining import Composition, Vocabulary
from app.text.lines import Part, Rect

CELLS = " | "
"""What parts the cells of a row in its text; empty ones are left out of it."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table: for each column, the parts of lines that stand in its cell."""

    cells: tuple[tuple[Part, ...], ...]
    is_header: bool


@dataclass(frozen=True, slots=True)
class _Cell:
    row: int
    column: int
    rect: Rect
    is_header: bool


def rows_of(table: dict[str, Any], parts: Sequence[Part], rotation_degrees: int) -> tuple[list[TableRow], set[int]]:
    """A table's rows out of the lines that stand in it, and where those lines begin; both empty where none do."""
    cells = [
        _Cell(cell["row"], cell["column"], Rect.upright(cell["box"], rotation_degrees), bool(cell.get("is_header")))
        for cell in table.get("cells") or ()
        if cell.get("box")
    ]
    if not cells or not table.get("box"):
        return [], set()
    place = Rect.upright(table["box"], rotation_degrees)
    inside = [part for part in parts if place.holds(part.rect)]
    found: dict[tuple[int, int], list[Part]] = defaultdict(list)
    for part in inside:
        for where, piece in _parted(part, cells):
            found[where].append(piece)
    columns = max(cell.column for cell in cells)
    headers = {cell.row for cell in cells if cell.is_header}
    rows = [
        TableRow(tuple(tuple(found.get((row, column), ())) for column in range(1, columns + 1)), row in headers)
        for row in sorted({row for row, _ in found})
    ]
    return rows, {part.start for part in inside}


def row_element(row: TableRow, table: int, vocabulary: Vocabulary) -> Element:
    """A row as an element: its cells' texts, parted by bars."""
    text, pieces, cells = "", list[Piece](), list[str]()
    for parts in row.cells:
        cell = Composition(vocabulary)
        for part in parts:
            cell.add(part)
        cells.append(cell.text)
        text += CELLS if text and cell.text else ""
        pieces += [Piece(len(text) + piece.at, piece.start, piece.end, piece.box) for piece in cell.pieces]
        text += cell.text
    return Element(Kind.TABLE_ROW, text, tuple(pieces), table=table, cells=tuple(cells), is_header_row=row.is_header)


def _parted(part: Part, cells: Sequence[_Cell]) -> list[tuple[tuple[int, int], Part]]:
    """A line, parted by the cells that its words stand in."""
    if not part.words:
        cell = _nearest(part.rect, cells)
        return [((cell.row, cell.column), part)]
    placed = [(index, _nearest(part.word_rect(index), cells)) for index in range(len(part.words))]
    parted = []
    for (row, column), group in groupby(placed, key=lambda each: (each[1].row, each[1].column)):
        indexes = [index for index, _ in group]
        piece = part.some(indexes[0], indexes[-1] + 1)
        if piece is None:
            return [((placed[0][1].row, placed[0][1].column), part)]
        parted.append(((row, column), piece))
    return parted


def _nearest(rect: Rect, cells: Sequence[_Cell]) -> _Cell:
    return min(cells, key=lambda cell: _distance(rect, cell.rect))


def _distance(rect: Rect, place: Rect) -> float:
    beside = max(place.left - rect.centre, rect.centre - place.right, 0.0)
    return beside + max(place.top - rect.middle, rect.middle - place.bottom, 0.0)
