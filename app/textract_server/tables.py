"""Finding tables: those that are ruled by their rulings, those that aren't by their columns."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from app.textract_server.columns import borderless_tables
from app.textract_server.drafts import DraftCell, DraftTable, is_figure, mark_header
from app.textract_server.grids import Grid, grids
from app.textract_server.readings import Cell, Table
from app.textract_server.rulings import Rulings
from app.textract_server.sheet import Placed, Sheet, in_reading_order, rows_of

RULING_CHARACTERS = frozenset("|[]{}¦!")
"""What Tesseract takes rulings for."""
FEWEST_FILLED, LEAST_FILLED = 3, 0.25
"""Cells that a ruled table has words in, at least, and their share."""
MOST_WORDS = 40
"""Words to a cell from which ruled boxes hold paragraphs and are no table."""
STACKED_LINES = 2
STACKED_SHARE = 0.6
"""How many of a ruled row's cells must have the same lines for it to be several rows that nobody parted."""
RULED_CONFIDENCE = (80.0, 98.0)


def find_tables(words: Sequence[Placed], rulings: Rulings) -> list[DraftTable]:
    """Find a page's tables, from the top down."""
    words = [word for word in words if not RULING_CHARACTERS.issuperset(word.word.text)]
    ruled: list[DraftTable] = []
    for grid in sorted(grids(rulings), key=lambda grid: -len(grid.spans)):
        table = _ruled_table(grid, words)
        if table is not None and not any(_overlap(table, other) for other in ruled):
            ruled.append(table)
    rest = [word for word in words if not any(table.holds(word) for table in ruled)]
    tables = [*ruled, *borderless_tables(rest)]
    for table in tables:
        mark_header(table)
    return sorted(tables, key=lambda table: (table.row_edges[0], table.column_edges[0]))


def finished(draft: DraftTable, sheet: Sheet) -> Table:
    """Return a table as it stands on the page."""
    first, last = draft.column_edges[0], draft.column_edges[-1]
    top, bottom = draft.row_edges[0], draft.row_edges[-1]
    rows = tuple(sheet.box(first, edge, last, edge).top for edge in draft.row_edges)
    columns = tuple(sheet.box(edge, top, edge, bottom).left for edge in draft.column_edges)
    cells = tuple(
        Cell(cell.row + 1, cell.column + 1, cell.rows, cell.columns, in_reading_order(cell.words), cell.is_header)
        for cell in sorted(draft.cells, key=lambda cell: (cell.row, cell.column))
    )
    return Table(rows, columns, cells, draft.confidence)


def _overlap(table: DraftTable, other: DraftTable) -> bool:
    return (
        table.column_edges[0] < other.column_edges[-1]
        and other.column_edges[0] < table.column_edges[-1]
        and table.row_edges[0] < other.row_edges[-1]
        and other.row_edges[0] < table.row_edges[-1]
    )


def _ruled_table(grid: Grid, words: Sequence[Placed]) -> DraftTable | None:
    """Put words into a grid; None where that makes no table."""
    cells = [DraftCell(span.row, span.column, span.rows, span.columns, []) for span in grid.spans]
    table = DraftTable(list(grid.row_edges), list(grid.column_edges), cells, 0.0, is_ruled=True)
    inside = [word for word in words if table.holds(word)]
    places = {
        (row, column): cell
        for cell in cells
        for row in range(cell.row, cell.row + cell.rows)
        for column in range(cell.column, cell.column + cell.columns)
    }
    for word in inside:
        places[_index(table.row_edges, word.down), _index(table.column_edges, word.across)].words.append(word)
    filled = [cell for cell in cells if cell.words]
    divided = len({cell.row for cell in cells}) > 1 and len({cell.column for cell in cells}) > 1
    if not divided or len(filled) < FEWEST_FILLED or len(filled) < LEAST_FILLED * len(cells):
        return None
    if len(inside) > MOST_WORDS * len(filled):
        return None
    low, high = RULED_CONFIDENCE
    table.confidence = low + (high - low) * len(filled) / len(cells)
    return _parted(table)


def _index(edges: Sequence[float], at: float) -> int:
    return max(0, min(len(edges) - 2, sum(edge <= at for edge in edges) - 1))


def _parted(table: DraftTable) -> DraftTable:
    """Part the rows of figures that only stand under each other, without rulings between them."""
    for row in reversed(range(table.row_count)):
        cells = table.row(row)
        if any(cell.rows > 1 for cell in table.cells if cell.row <= row < cell.row + cell.rows):
            continue
        edges = _stacked(cells)
        if edges:
            _part(table, row, edges)
    return table


def _stacked(cells: Sequence[DraftCell]) -> list[float]:
    """Return the edges between the rows that stand in one ruled row; none where its cells are texts of several lines."""
    lines = [rows_of(cell.words) for cell in cells if cell.words]
    counts = [len(each) for each in lines]
    usual = max(set(counts), key=counts.count, default=0)
    alike = [each for each in lines if len(each) == usual]
    columns_of_figures = sum(all(is_figure(" ".join(w.word.text for w in row)) for row in each) for each in alike)
    if usual < STACKED_LINES or len(alike) < STACKED_SHARE * len(cells) or columns_of_figures < STACKED_LINES:
        return []
    downs = [fmean(each[line][0].down for each in alike) for line in range(usual)]
    return [(above + below) / 2 for above, below in pairwise(downs)]


def _part(table: DraftTable, row: int, edges: list[float]) -> None:
    more = len(edges)
    whole = table.row(row)
    for cell in table.cells:
        if cell.row > row:
            cell.row += more
    table.cells = [cell for cell in table.cells if cell.row != row]
    for cell in whole:
        parts = [DraftCell(row + part, cell.column, 1, cell.columns, []) for part in range(more + 1)]
        for word in cell.words:
            parts[sum(edge <= word.down for edge in edges)].words.append(word)
        table.cells.extend(parts)
    table.row_edges[row + 1 : row + 1] = edges
