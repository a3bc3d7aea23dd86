"""Lines that stand side by side: what is one line that was taken apart, what are columns, and what is a table.

Engines give the lines of a page from top to bottom where they see no columns: those of a case's caption, of two addresses,
or of two columns of prose come by turns then. Where an empty strip runs down between them, each side is read by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.text.lines import Part, Rect
from app.text.markers import marker_of

WORD_GAP = 4.0
"""Widths of a letter: what stands closer is one line."""
LABEL_LETTERS = 30
STRIP = 1.5
"""Widths of a letter: of the narrowest strip between columns."""
FAR = 3.0
"""Lines that are so many times farther apart than usual are no longer side by side with what is above."""
NEAR = 1.6
FEWEST_BANDS, FEWEST_TABLE_BANDS, FEWEST_TABLE_LANES = 2, 3, 3
FIGURES_SHARE = 0.6
LEVEL_SHARE = 0.15
MOST_CELL_WORDS = 6.0
_RULE = re.compile(r"[)|§:]{1,2}")
_FIGURE = re.compile(r"[($€£+-]*\d[\d.,]*[)%]?|[-–—]|\*\*")
_SHORT_NUMBER = re.compile(r"\(?\d{1,2}(\.\d{1,2})*[.)]?")


@dataclass(frozen=True, slots=True)
class Row:
    """What is one line to a reader: parts at one height, each a blank from the next."""

    parts: tuple[Part, ...]
    rect: Rect
    """Without the signs that a caption's columns are ruled off with."""
    text: str

    @classmethod
    def of(cls, parts: Sequence[Part]) -> "Row":
        """A row of parts from left to right."""
        if len(parts) == 1:
            return cls(tuple(parts), parts[0].rect, parts[0].text)
        said = [part for part in parts if not _RULE.fullmatch(part.text)] or list(parts)
        return cls(tuple(parts), _around([part.rect for part in said]), " ".join(part.text for part in said))

    def with_rule(self, part: Part) -> "Row":
        """The row, with a sign that rules it off."""
        return replace(self, parts=(*self.parts, part))

    def first_word_width(self, letter: float) -> float:
        """How wide its first word is."""
        part = self.parts[0]
        return part.word_rect(0).width if part.words else letter * len(part.text.split(maxsplit=1)[0])


Band = list[Row]
"""The rows at one height, from left to right."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Rows one below the other: a column, or a whole page's."""

    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table without rulings: for each of its lines, the row in each column, if there is one."""

    lines: list[list[Row | None]]


def lanes_of(parts: Sequence[Part], letter: float, pitch: float) -> Iterator[Lane | Grid]:
    """The columns and tables of lines that are in the engine's order."""
    bands = list(_bands(parts, letter))
    plain: list[Row] = []
    at = 0
    while at < len(bands):
        end = _side_by_side(bands, at, letter, pitch)
        if sum(len(band) > 1 for band in bands[at:end]) >= FEWEST_BANDS:
            yield from _lanes(plain)
            plain = []
            yield from _parted(bands[at:end], letter)
            at = end
        elif len(bands[at]) > 1 and not _is_bridged(bands, at, pitch):
            yield from _lanes(plain)
            plain = []
            yield from (Lane([row]) for row in bands[at])
            at += 1
        elif len(bands[at]) > 1:
            plain.append(Row.of([part for row in bands[at] for part in row.parts]))
            at += 1
        else:
            plain += bands[at]
            at += 1
    yield from _lanes(plain)


def _is_bridged(bands: list[Band], at: int, pitch: float) -> bool:
    """Whether a line right above or below goes on across the gaps in this one, which blanks to be filled in leave."""
    first, last = bands[at][0].rect, bands[at][-1].rect
    return any(
        len(band) == 1
        and abs(band[0].rect.middle - first.middle) < NEAR * pitch
        and band[0].rect.left < first.right
        and band[0].rect.right > last.left
        for band in bands[max(0, at - 1) : at + 2]
    )


def _lanes(rows: list[Row]) -> Iterator[Lane]:
    """Stretches of rows that each stand below the one before."""
    lane: list[Row] = []
    for row in rows:
        if lane and row.rect.middle <= lane[-1].rect.middle:
            yield Lane(lane)
            lane = []
        lane.append(row)
    if lane:
        yield Lane(lane)


def _bands(parts: Sequence[Part], letter: float) -> Iterator[Band]:
    group: list[Part] = []
    for part in parts:
        if group and not _is_level(group, part):
            yield _fused(group, letter)
            group = []
        group.append(part)
    if group:
        yield _fused(group, letter)


def _is_level(group: list[Part], part: Part) -> bool:
    """Whether a line goes on with a band: to the right of it, and at its height; columns may be off by half a line."""
    first, last = group[0].rect, group[-1].rect
    if part.rect.left >= last.right:
        overlap = min(first.bottom, part.rect.bottom) - max(first.top, part.rect.top)
        return overlap > LEVEL_SHARE * min(first.height, part.rect.height)
    return part.rect.left >= last.centre and first.beside(part.rect)


def _fused(group: list[Part], letter: float) -> Band:
    """The rows at one height: what is a word's distance apart, and an item's marker or a label with what follows, is one."""
    joined: list[list[Part]] = [[group[0]]]
    for part in group[1:]:
        last = joined[-1][-1]
        gap = (part.rect.left - last.rect.right) / letter
        if gap < WORD_GAP or _RULE.fullmatch(part.text) or _leads(last, gap, is_pair=len(group) == 2):  # noqa: PLR2004
            joined[-1].append(part)
        else:
            joined.append([part])
    return [Row.of(each) for each in joined]


def _leads(part: Part, gap: float, *, is_pair: bool) -> bool:
    """Whether a line is but the beginning of the one beside it."""
    marker = marker_of(part.text)
    is_marker = marker is not None and marker.length >= len(part.text)
    if is_marker or _SHORT_NUMBER.fullmatch(part.text):
        return gap < 3 * WORD_GAP
    return is_pair and part.text.endswith(":") and len(part.text) <= LABEL_LETTERS


def _side_by_side(bands: list[Band], at: int, letter: float, pitch: float) -> int:
    """Where the bands end, from one on, between whose rows an empty strip runs down."""
    strips = [(first.rect.right, second.rect.left) for first, second in pairwise(bands[at])]
    end, last = at + 1, at + 1
    while strips and end < len(bands):
        step = bands[end][0].rect.middle - bands[end - 1][0].rect.middle
        if not 0 < step < FAR * pitch:
            break
        strips = list(_narrowed(strips, bands[end], letter))
        if not strips:
            break
        end += 1
        if len(bands[end - 1]) > 1 or (last == end - 1 and step < NEAR * pitch):
            last = end
    return last


def _narrowed(strips: list[tuple[float, float]], band: Band, letter: float) -> Iterator[tuple[float, float]]:
    for left, right in strips:
        first, second = left, right
        for row in band:
            if row.rect.centre < (left + right) / 2:
                first = max(first, row.rect.right)
            else:
                second = min(second, row.rect.left)
        if second - first >= STRIP * letter:
            yield first, second


def _parted(bands: list[Band], letter: float) -> Iterator[Lane | Grid]:
    """Bands by their lanes; as a table where they look like one."""
    first = next(band for band in bands if len(band) > 1)
    strips = [(one.rect.right, other.rect.left) for one, other in pairwise(first)]
    for band in bands:
        strips = list(_narrowed(strips, band, letter))
    edges = [(left + right) / 2 for left, right in strips]
    lines: list[list[Row | None]] = []
    for band in bands:
        line: list[Row | None] = [None] * (len(edges) + 1)
        for row in band:
            lane = sum(row.rect.centre > edge for edge in edges)
            before = line[lane]
            line[lane] = row if before is None else Row.of([*before.parts, *row.parts])
        lines.append(line)
    if _is_table(lines):
        yield Grid(lines)
        return
    for lane in range(len(edges) + 1):
        yield from _lanes(_with_rules([each for line in lines if (each := line[lane]) is not None]))


def _with_rules(rows: list[Row]) -> list[Row]:
    """Rows, with those that are but the sign of a ruling put to the row before."""
    ruled: list[Row] = []
    for row in rows:
        if ruled and _RULE.fullmatch(row.text):
            ruled[-1] = ruled[-1].with_rule(row.parts[0])
        else:
            ruled.append(row)
    return ruled


def _is_table(lines: list[list[Row | None]]) -> bool:
    """Whether lines are those of a table: in three columns of short texts, or in two, the last one of figures."""
    full = [[row for row in line if row is not None] for line in lines]
    if sum(len(line) > 1 for line in full) < FEWEST_TABLE_BANDS:
        return False
    rows = [row for line in full for row in line]
    if sum(len(row.text.split()) for row in rows) > MOST_CELL_WORDS * len(rows):
        return False
    last = [line[-1] for line in lines if line[-1] is not None]
    figures = sum(all(_FIGURE.fullmatch(word) for word in row.text.split()) for row in last)
    return len(lines[0]) >= FEWEST_TABLE_LANES or figures >= FIGURES_SHARE * len(last)


def _around(rects: Sequence[Rect]) -> Rect:
    return Rect(
        min(rect.left for rect in rects),
        min(rect.top for rect in rects),
        max(rect.right for rect in rects),
        max(rect.bottom for rect in rects),
    )
