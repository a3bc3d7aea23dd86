"""Gathering a page's lines into blocks: paragraphs, headings and items, before it is told which is which.

No single sign parts two paragraphs in every document, so several are looked at: the gap between lines, indents, the
size of letters, a marker of an item, and whether a line ended before it had to, that is, whether the next line's first
word would have had room on it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from app.text.lanes import Grid, Row, lanes_of
from app.text.lines import Part
from app.text.markers import is_capitals, is_title, marker_of

GAP = 1.45
"""Lines that are so many times farther apart than those around them belong to two blocks."""
LOOSE = 2.2
"""Heights of a line from one to the next, at most, where no others tell how far apart lines are."""
GAP_HEIGHTS = 0.4
"""So many heights of a line more, too: places read from a picture are off by a little."""
TALLER, WIDER = 1.4, 1.25
"""By how much the letters of another block are higher and wider, where size tells it."""
INDENT, MARGIN, LANE, BLANK = 1.5, 3.0, 4.0, 1.0
"""Widths of a letter: of an indent, of the least margins of a centred line, within which lines share their left edge, and
of a blank with the slack that places have."""
AROUND = 4
"""Lines before and after that show how far a line may run to the right."""
FEWEST_LETTERS = 4
_SENTENCE_END = re.compile(r"""[.?!:]["”’')\]*†‡0-9]{0,4}$""")
_BROKEN = re.compile(r"\w[-\u2010\xad]$")
_CLAUSE_END = re.compile(r"""[.?!:;]["”’')\]*†‡0-9]{0,4}$""")


@dataclass(frozen=True, slots=True)
class Measure:
    """A page's own units: shares of its height and width."""

    height: float
    """Of a line."""
    letter: float
    """The width of a letter."""
    pitch: float
    """From one line to the next."""
    left: float
    right: float
    """Between which its text stands."""

    @classmethod
    def of(cls, parts: Sequence[Part]) -> "Measure":
        """The units of a page with some text on it."""
        telling = [part for part in parts if len(part.text) >= FEWEST_LETTERS] or list(parts)
        height = median(part.rect.height for part in telling)
        steps = [second.rect.middle - first.rect.middle for first, second in pairwise(parts)]
        downwards = [step for step in steps if height / 2 < step < 6 * height]
        lefts, rights = sorted(part.rect.left for part in telling), sorted(part.rect.right for part in telling)
        return cls(
            height=height,
            letter=median(part.rect.width / len(part.text) for part in telling),
            pitch=median(downwards) if downwards else 1.5 * height,
            left=lefts[len(lefts) // 10],
            right=rights[len(rights) * 9 // 10],
        )


@dataclass(slots=True)
class Block:
    """Rows that belong together, each with what parts it from the one before: a blank, or a line break."""

    rows: list[Row]
    separators: list[str] = field(default_factory=lambda: [""])
    stands_apart: bool = False
    """Whether there is a gap above it and below it."""

    @property
    def first(self) -> Part:
        """The line, or the part of one, that it begins with."""
        return self.rows[0].parts[0]

    @property
    def last(self) -> Part:
        """The line, or the part of one, that it ends with."""
        return self.rows[-1].parts[-1]

    @property
    def text(self) -> str:
        """What its rows say, in one line."""
        return " ".join(row.text for row in self.rows)

    @property
    def is_indented(self) -> bool:
        """Whether its first row stands to the right of the second."""
        lefts = [row.rect.left for row in self.rows[:2]]
        return lefts[0] > lefts[-1] + INDENT * self.letter

    @property
    def letter(self) -> float:
        """The width of its letters."""
        return median(row.rect.width / len(row.text) for row in self.rows)

    @property
    def height(self) -> float:
        """The height of its lines."""
        return median(row.rect.height for row in self.rows)


def ends_sentence(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return _SENTENCE_END.search(text) is not None


def blocks_of(parts: Sequence[Part], measure: Measure) -> Iterator[Block | Grid]:
    """The blocks of lines that are in the engine's order, and tables without rulings; columns one after the other."""
    for lane in lanes_of(parts, measure.letter, measure.pitch):
        if isinstance(lane, Grid):
            yield lane
        else:
            yield from _Lane(lane.rows, measure).blocks()


@dataclass(slots=True)
class _Lane:
    """Rows one below the other."""

    rows: list[Row]
    measure: Measure
    _steps: list[float] = field(init=False)
    """How far each row is below the one before; of the first, nothing."""
    _edges: list[tuple[float, float]] = field(init=False)
    """Where each row begins and ends, from left to right."""

    def __post_init__(self) -> None:
        middles = [row.rect.middle for row in self.rows]
        self._edges = [(row.rect.left, row.rect.right) for row in self.rows]
        self._steps = [0.0, *(second - first for first, second in pairwise(middles))]

    def blocks(self) -> Iterator[Block]:
        block = Block(self.rows[:1])
        above = True
        for index in range(1, len(self.rows)):
            separator = self._separator(index, is_first=len(block.rows) == 1)
            if separator is not None:
                block.rows.append(self.rows[index])
                block.separators.append(separator)
                continue
            below = self._is_gap(index)
            block.stands_apart = above and below
            yield block
            block, above = Block([self.rows[index]]), below
        block.stands_apart = above
        yield block

    def _separator(self, index: int, *, is_first: bool) -> str | None:  # noqa: PLR0911 (one for each sign)
        """What parts a row from the one before within a block; None where another block begins."""
        first, second = self.rows[index - 1], self.rows[index]
        if self._is_gap(index) or self._is_other_size(first, second):
            return None
        shift = (second.rect.left - first.rect.left) / self.measure.letter
        has_room = self._has_room(index)
        marker = marker_of(second.text)
        if marker and (has_room or abs(shift) > INDENT or (not marker.is_word and _CLAUSE_END.search(first.text))):
            return None
        centred = self._is_centred(first) + self._is_centred(second)
        if centred == 2 and abs(shift) > INDENT / 2:  # noqa: PLR2004 (both)
            return "\n" if is_capitals(first.text) is is_capitals(second.text) else None
        if centred == 1 and abs(shift) > INDENT / 2 and has_room:
            return None
        if self._turns(index, shift, is_first=is_first):
            return None
        if not has_room or _BROKEN.search(first.text):
            return " "
        begins_prose = is_first and is_title(first.text) and not self._has_room(index + 1)
        return None if ends_sentence(first.text) or begins_prose else "\n"

    def _turns(self, index: int, shift: float, *, is_first: bool) -> bool:
        """Whether a row's left edge tells that a block begins: indented, or back out from a block that was."""
        if is_first:
            # A hanging indent: the lines of an item stand to the right of its marker.
            return shift > INDENT and not marker_of(self.rows[index - 1].text)
        return abs(shift) > INDENT

    def _is_gap(self, index: int) -> bool:
        if not 0 < index < len(self.rows):
            return True
        step = self._steps[index]
        near = [self._steps[each] for each in (index - 1, index + 1) if 0 < each < len(self.rows)]
        usual = min(near, default=min(self.measure.pitch, LOOSE * self.measure.height))
        return step > GAP * usual and step - usual > GAP_HEIGHTS * self.measure.height

    def _has_room(self, index: int) -> bool:
        """Whether a row's first word would have had room at the end of the row before."""
        if not 0 < index < len(self.rows):
            return True
        first, second = self.rows[index - 1], self.rows[index]
        own, reach = second.rect.left, LANE * self.measure.letter
        around = self._edges[max(0, index - AROUND) : index + AROUND]
        word = second.first_word_width(self.measure.letter) + BLANK * self.measure.letter
        return first.rect.right + word < max(right for left, right in around if abs(left - own) < reach)

    def _is_other_size(self, first: Row, second: Row) -> bool:
        if min(len(first.text), len(second.text)) < FEWEST_LETTERS:
            return False
        if not _differ(first.rect.height, second.rect.height, TALLER):
            return False
        return _differ(first.rect.width / len(first.text), second.rect.width / len(second.text), WIDER)

    def _is_centred(self, row: Row) -> bool:
        return is_centred(row, self.measure)


def _differ(one: float, other: float, factor: float) -> bool:
    return max(one, other) > factor * min(one, other)


def is_centred(row: Row, measure: Measure) -> bool:
    """Whether a row stands in the middle of its page's text, away from both edges."""
    before, after = row.rect.left - measure.left, measure.right - row.rect.right
    least = MARGIN * measure.letter
    return before > least and after > least and abs(before - after) < 2 * INDENT * measure.letter
