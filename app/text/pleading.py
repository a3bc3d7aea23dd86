"""The numbers in the margin of pleading paper and of transcripts, told from the text that they count.

They stand in one column at the left, evenly spaced down most of the page, and count up; engines give each as a line of its
own, or as the first word of the line beside it.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from app.text.lines import Part, Rect

MARGIN_SHARE = 0.2
"""The column stands in this share of the page's width."""
MOST = 60
DIGITS = 4
"""A number with more, of which some may be noughts, is none of a line: Python refuses to make one of thousands."""
FEWEST, LEAST_LAST = 10, 20
"""So many numbers must be read, and counted so far: transcripts have 25 lines, pleading paper has 25, 28 or 32."""
LEAST_SPAN = 0.5
"""Numbers run down at least this share of the page."""
ALIGNED = 0.02
OFF_STEP = 0.6
"""How far a number may stand from its place, in steps from one number to the next."""
MISREAD_LETTERS = 3
"""What stands in the column and has so few letters is a number that was misread."""


def part_line_numbers(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """What is left of a page's lines without the numbers in its margin, and those numbers."""
    column = _column([found for part in parts if (found := _number(part))])
    if column is None:
        return list(parts), []
    body: list[Part] = []
    numbers: list[Part] = []
    for part in parts:
        number = part.some(0, 1) if part.words and _is_in(column, part) else None
        if number is None:
            body.append(part)
            continue
        numbers.append(number)
        if (rest := part.some(1, len(part.words))) is not None:
            body.append(rest)
    return body, numbers


def _number(part: Part) -> tuple[int, Rect] | None:
    """The number that a line begins with, where that stands in the margin."""
    text = part.words[0]["text"] if part.words else ""
    if not (len(text) <= DIGITS and text.isascii() and text.isdecimal() and 0 < int(text) <= MOST):
        return None
    rect = part.word_rect(0)
    return (int(text), rect) if rect.right < MARGIN_SHARE else None


def _column(found: list[tuple[int, Rect]]) -> Rect | None:
    """Where the column of numbers is; None where what was found is no such column."""
    if len(found) < FEWEST:
        return None
    edge = median(rect.right for _, rect in found)
    aligned = sorted(
        ((rect.middle, value, rect) for value, rect in found if abs(rect.right - edge) < ALIGNED),
        key=lambda each: each[:2],
    )
    steps = [
        (below - above) / (second - first)
        for (above, first, _), (below, second, _) in pairwise(aligned)
        if second > first
    ]
    if not steps:
        return None
    step = median(steps)
    zero = median(middle - step * value for middle, value, _ in aligned)
    fitting = [each for each in aligned if abs(each[0] - zero - step * each[1]) < OFF_STEP * step]
    rects = [rect for _, _, rect in fitting]
    if len(rects) < FEWEST or max(value for _, value, _ in fitting) < LEAST_LAST:
        return None
    column = Rect(
        min(rect.left for rect in rects),
        min(rect.top for rect in rects),
        max(rect.right for rect in rects),
        max(rect.bottom for rect in rects),
    )
    return column if column.height >= LEAST_SPAN else None


def _is_in(column: Rect, part: Part) -> bool:
    """Whether a line begins with what stands in the column of numbers, a number or a misread one."""
    text, rect = part.words[0]["text"], part.word_rect(0)
    if rect.right > column.right + ALIGNED / 2 or rect.left < column.left - ALIGNED:
        return False
    return len(text) <= MISREAD_LETTERS and column.top - column.height / MOST < rect.middle < 1
