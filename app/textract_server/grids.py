"""Ruled tables: rulings that cross make a grid, and where a ruling is missing between two cells they are one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from statistics import fmean

from app.textract_server.rulings import Ruling, Rulings

TOUCHING = 0.6
"""Text heights that a ruling may end before the one it meets."""
SAME_EDGE = 0.5
"""Text heights between rulings that are one edge of a table."""
COVERED = 0.6
"""How much of a cell's side has to be ruled."""
OPEN_SIDE = 1.5
"""Text heights from which rulings that stick out beyond the last crossing one are a column, or a row, that is open."""
FEWEST_CROSSINGS = 4
MAX_CELLS = 10_000
"""A grid with more cells than this is squared paper."""


@dataclass(frozen=True, slots=True)
class Span:
    """A cell of a grid: its first row and column, from 0, and how many it spans."""

    row: int
    column: int
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled grid: its edges in text heights, from the top and from the left, and its cells."""

    row_edges: tuple[float, ...]
    column_edges: tuple[float, ...]
    spans: tuple[Span, ...]


def grids(rulings: Rulings) -> list[Grid]:
    """Find the grids among a page's rulings."""
    found = (_grid(across, down) for across, down in _crossing(rulings))
    return [grid for grid in found if grid is not None]


def _crossing(rulings: Rulings) -> list[tuple[list[Ruling], list[Ruling]]]:
    """Group the rulings that cross or meet, directly or by others."""
    groups: list[tuple[list[Ruling], list[Ruling]]] = []
    left = list(rulings.vertical)
    for ruling in rulings.horizontal:
        met = [each for each in left if _meet(ruling, each)]
        left = [each for each in left if each not in met]
        merged: tuple[list[Ruling], list[Ruling]] = ([ruling], met)
        apart = []
        for group in groups:
            if any(_meet(ruling, each) for each in group[1]):
                merged[0].extend(group[0])
                merged[1].extend(group[1])
            else:
                apart.append(group)
        groups = [*apart, merged]
    return groups


def _meet(across: Ruling, down: Ruling) -> bool:
    return (
        across.begin - TOUCHING < down.at < across.end + TOUCHING
        and down.begin - TOUCHING < across.at < down.end + TOUCHING
    )


def _grid(across: list[Ruling], down: list[Ruling]) -> Grid | None:
    """Make a grid of rulings that meet; None where they are too few, or too many, to be a table's."""
    rows, columns = _edges(across), _edges(down)
    if len(rows) < 2 or not columns:  # noqa: PLR2004 - a row lies between two
        return None
    crossings = sum(any(_meet(one, other) for one in row for other in column) for row, column in product(rows, columns))
    row_edges = _with_open_sides([_at(edge) for edge in rows], down)
    column_edges = _with_open_sides([_at(edge) for edge in columns], across)
    cells = (len(row_edges) - 1) * (len(column_edges) - 1)
    if crossings < FEWEST_CROSSINGS or not 1 < cells <= MAX_CELLS:
        return None
    spans = _spans(row_edges, column_edges, across, down)
    return Grid(tuple(row_edges), tuple(column_edges), tuple(spans))


def _edges(rulings: Sequence[Ruling]) -> list[list[Ruling]]:
    """Group parallel rulings by where they lie."""
    edges: list[list[Ruling]] = []
    for ruling in sorted(rulings, key=lambda ruling: ruling.at):
        if edges and ruling.at - edges[-1][-1].at < SAME_EDGE:
            edges[-1].append(ruling)
        else:
            edges.append([ruling])
    return edges


def _at(edge: Sequence[Ruling]) -> float:
    return fmean([ruling.at for ruling in edge], [ruling.length for ruling in edge])


def _with_open_sides(edges: list[float], crossing: Sequence[Ruling]) -> list[float]:
    """Add the edges that nobody ruled: where most of the crossing rulings end beyond the last one that was."""
    length = sum(ruling.length for ruling in crossing)
    first, last = min(ruling.begin for ruling in crossing), max(ruling.end for ruling in crossing)
    open_first = sum(ruling.length for ruling in crossing if ruling.begin < edges[0] - OPEN_SIDE)
    open_last = sum(ruling.length for ruling in crossing if ruling.end > edges[-1] + OPEN_SIDE)
    return [*([first] if open_first * 2 > length else []), *edges, *([last] if open_last * 2 > length else [])]


def _spans(
    row_edges: Sequence[float], column_edges: Sequence[float], across: Sequence[Ruling], down: Sequence[Ruling]
) -> list[Span]:
    """Join the cells that no ruling parts; what doesn't join to a rectangle is joined along its rows alone."""
    rows, columns = list(pairwise(row_edges)), list(pairwise(column_edges))
    below = [_near(across, edge) for _, edge in rows]
    beside = [_near(down, edge) for _, edge in columns]
    part_below = [[_is_ruled(rulings, column) for column in columns] for rulings in below]
    part_beside = [[_is_ruled(rulings, row) for rulings in beside] for row in rows]
    taken: set[tuple[int, int]] = set()
    spans = []
    for row, column in product(range(len(rows)), range(len(columns))):
        if (row, column) in taken:
            continue
        wide = 1
        while column + wide < len(columns) and not part_beside[row][column + wide - 1]:
            if (row, column + wide) in taken:
                break
            wide += 1
        high = 1
        while row + high < len(rows) and _continues(row + high, column, wide, part_below, part_beside):
            high += 1
        spans.append(Span(row, column, high, wide))
        taken |= set(product(range(row, row + high), range(column, column + wide)))
    return spans


def _continues(row: int, column: int, wide: int, part_below: list[list[bool]], part_beside: list[list[bool]]) -> bool:
    """Tell whether a cell goes on into a row: nothing parts it from the row above, and it is as wide there."""
    if any(part_below[row - 1][column : column + wide]) or any(part_beside[row][column : column + wide - 1]):
        return False
    closed_left = column == 0 or part_beside[row][column - 1]
    return closed_left and (column + wide == len(part_beside[row]) or part_beside[row][column + wide - 1])


def _near(rulings: Sequence[Ruling], at: float) -> list[Ruling]:
    return [ruling for ruling in rulings if abs(ruling.at - at) < SAME_EDGE]


def _is_ruled(rulings: Sequence[Ruling], reach: tuple[float, float]) -> bool:
    """Tell whether there is a ruling along most of a side."""
    begin, end = reach
    covered = sum(max(0.0, min(ruling.end, end) - max(ruling.begin, begin)) for ruling in rulings)
    return covered >= COVERED * (end - begin)
