"""The order in which a person reads lines: by columns where there are columns, else from row to row."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from app.textract_server.geometry import Box, union
from app.textract_server.readings import Line

COLUMN_LINES = 3
"""A column has at least so many lines."""
COLUMN_WORDS = 3
"""The lines of a column of prose have at least so many words, most of them; the cells of a table have fewer."""
COLUMN_SHARE = 0.18
"""The lines of a column are at least so wide, as a share of the region; the cells of a table are narrower."""
CROSSING_SHARE = 0.2
"""More lines than this share across a gutter, and there's no gutter: the rest are headings."""
GUTTER_STEPS = 80
MARGIN_SHARE = 0.2
"""The numbers of pleading paper stand in this share of the page's width."""
MARGIN_LINES = 10
"""So many numbers in a column are those of pleading paper; it has 25, 28 or 32."""
MARGIN_MOST = 40
ALIGNED = 0.02
TALL = 2.5
TELLING_LETTERS = 4
"""A line of so many letters that is so many times higher than wide runs up or down the page."""


def in_reading_order(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Order lines by where they stand: columns from left to right, and rows from top to bottom."""
    placed = [(union([word.box for word in line]), line) for line in lines]
    return tuple(line for _, line in _ordered(placed))


def with_order_mended(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Keep the order that a text layer has, but for what is often drawn out of turn.

    Margin numbers go before the lines that they count, headers first and footers last, and stamps that run up the margin
    after all else; a layer that goes up and down its page is ordered by place.
    """
    placed = [(union([word.box for word in line]), line) for line in lines]
    numbers = _margin_numbers(placed)
    sideways = [each for each in placed if _is_sideways(each)]
    text = [each for each in placed if each not in numbers and each not in sideways]
    text = _with_edges_in_place(text)
    if any(_goes_back(first[0], second[0]) for first, second in pairwise(text)) or _alternates(text):
        text = _ordered(text)
    return tuple(line for _, line in [*_counted(text, numbers), *sideways])


_Placed = tuple[Box, Line]


def _ordered(lines: list[_Placed]) -> list[_Placed]:
    gutter = _gutter(lines)
    if gutter is None:
        return _rows(lines)
    crossing = sorted((each for each in lines if _crosses(each[0], gutter)), key=lambda each: each[0].top)
    ordered: list[_Placed] = []
    rest = [each for each in lines if not _crosses(each[0], gutter)]
    for heading in [*crossing, None]:
        zone = [each for each in rest if heading is None or _middle(each[0]) < heading[0].top]
        rest = [each for each in rest if each not in zone]
        ordered += _ordered([each for each in zone if each[0].left < gutter])
        ordered += _ordered([each for each in zone if each[0].left >= gutter])
        ordered += [] if heading is None else [heading]
    return ordered


def _gutter(lines: list[_Placed]) -> float | None:
    """Where a region falls into two columns, across; None where it doesn't."""
    if len(lines) < 2 * COLUMN_LINES:
        return None
    region = union([box for box, _ in lines])
    width = region.right - region.left
    lefts, rights = sorted(box.left for box, _ in lines), sorted(box.right for box, _ in lines)
    best: tuple[int, float] | None = None
    for step in range(1, GUTTER_STEPS):
        across = region.left + width * step / GUTTER_STEPS
        crossing = bisect_left(lefts, across) - bisect_right(rights, across)
        if crossing > CROSSING_SHARE * len(lines) or (best is not None and crossing >= best[0]):
            continue
        left = [each for each in lines if each[0].right <= across]
        right = [each for each in lines if each[0].left >= across]
        if _is_column(left, width) and _is_column(right, width):
            best = crossing, across
    return None if best is None else best[1]


def _is_column(lines: list[_Placed], width: float) -> bool:
    if len(lines) < COLUMN_LINES or median(len(line) for _, line in lines) < COLUMN_WORDS:
        return False
    return median(box.right - box.left for box, _ in lines) >= COLUMN_SHARE * width


def _alternates(lines: list[_Placed]) -> bool:
    """Tell whether two columns of prose come row by row, as pdfium tells lines that stand at one height."""
    gutter = _gutter(lines)
    if gutter is None:
        return False
    sides = [box.left >= gutter for box, _ in lines if not _crosses(box, gutter)]
    return sum(first != second for first, second in pairwise(sides)) > COLUMN_LINES


def _crosses(box: Box, across: float) -> bool:
    return box.left < across < box.right


def _rows(lines: list[_Placed]) -> list[_Placed]:
    """From top to bottom; lines that stand beside each other are a row, from left to right."""
    rows: list[list[_Placed]] = []
    for each in sorted(lines, key=lambda each: _middle(each[0])):
        if rows and _beside(rows[-1][0][0], each[0]):
            rows[-1].append(each)
        else:
            rows.append([each])
    return [each for row in rows for each in sorted(row, key=lambda each: each[0].left)]


def _goes_back(first: Box, second: Box) -> bool:
    """Tell whether a line stands before the one before it: above it, and not in a next column, or to the left of it."""
    above = second.bottom <= first.top and second.left < first.right
    return above or (_beside(first, second) and second.right <= first.left)


def _with_edges_in_place(lines: list[_Placed]) -> list[_Placed]:
    """Put a header first and a footer last: they stand apart, and are often drawn out of turn."""
    first = _apart(lines, min(lines, key=lambda each: each[0].bottom), 1) if lines else []
    last = _apart(lines, max(lines, key=lambda each: each[0].top), -1) if lines else []
    last = [each for each in last if each not in first]
    between = [each for each in lines if each not in first and each not in last]
    return [*first, *between, *last]


def _apart(lines: list[_Placed], outermost: _Placed, direction: int) -> list[_Placed]:
    """Return the outermost line and those beside it, where a gap parts them from the next line up or down the page."""
    row = [each for each in lines if _beside(outermost[0], each[0])]
    rest = [box for box, _ in lines if not _beside(outermost[0], box)]
    edge = union([box for box, _ in row])
    gap = min(
        (box.top - edge.bottom if direction > 0 else edge.top - box.bottom for box in rest),
        default=edge.bottom - edge.top,
    )
    return row if gap >= edge.bottom - edge.top else []


def _margin_numbers(lines: list[_Placed]) -> list[_Placed]:
    """The numbers 1 to 28 beside the lines of pleading paper; empty where there are none."""
    found = [
        each
        for each in lines
        if len(each[1]) == 1
        and each[1][0].text.isdecimal()
        and int(each[1][0].text) <= MARGIN_MOST
        and each[0].right < MARGIN_SHARE
    ]
    if len(found) < MARGIN_LINES:
        return []
    edge = median(box.right for box, _ in found)
    column = [each for each in found if abs(each[0].right - edge) < ALIGNED]
    values = [int(line[0].text) for _, line in sorted(column, key=lambda each: each[0].top)]
    counts_up = values == sorted(set(values))
    return column if counts_up and len(column) >= MARGIN_LINES else []


def _counted(text: list[_Placed], numbers: list[_Placed]) -> list[_Placed]:
    """Put each number before the first line beside it, or before the first one below it."""
    ordered = list(text)
    for number in sorted(numbers, key=lambda each: each[0].top):
        place = next((i for i, each in enumerate(ordered) if _beside(number[0], each[0]) and each not in numbers), None)
        if place is None:
            place = next((i for i, each in enumerate(ordered) if each[0].top >= number[0].bottom), len(ordered))
        ordered.insert(place, number)
    return ordered


def _is_sideways(each: _Placed) -> bool:
    box, line = each
    tall = box.bottom - box.top > TALL * (box.right - box.left)
    return tall and sum(len(word.text) for word in line) >= TELLING_LETTERS


def _middle(box: Box) -> float:
    return (box.top + box.bottom) / 2


def _beside(first: Box, second: Box) -> bool:
    """Tell whether two lines stand at the same height."""
    overlap = min(first.bottom, second.bottom) - max(first.top, second.top)
    return overlap > 0.5 * min(first.bottom - first.top, second.bottom - second.top)
