"""A read page as its analysis sees it: words in text heights, set straight, in rows and in phrases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from app.textract_server.geometry import Box
from app.textract_server.readings import Line, Word

SAME_ROW = 0.55
"""Text heights between the middles of two words of one row."""
PHRASE_GAP, WIDEST_PHRASE_GAP = 1.0, 1.8
"""Text heights from which a gap between words is no space: justified text seldom has such, typewriters often."""
SPACES = 2.0
"""How much wider than a page's usual space a gap is that is none."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A word and where it stands, in text heights."""

    word: Word
    left: float
    top: float
    right: float
    bottom: float

    @property
    def across(self) -> float:
        """Where its middle is, from the left."""
        return (self.left + self.right) / 2

    @property
    def down(self) -> float:
        """Where its middle is, from the top."""
        return (self.top + self.bottom) / 2


Row = list[Placed]
"""Words from left to right."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """An upright page's measures: pixels to a text height, and how far it is askew (rise by run, clockwise)."""

    width: int
    height: int
    text_height: float
    slope: float

    def placed(self, word: Word) -> Placed:
        """Place a word on the straight page."""
        left, right = word.box.left * self.width / self.text_height, word.box.right * self.width / self.text_height
        top, bottom = word.box.top * self.height / self.text_height, word.box.bottom * self.height / self.text_height
        down, across = self.slope * (left + right) / 2, self.slope * (top + bottom) / 2
        return Placed(word, left + across, top - down, right + across, bottom - down)

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return where a rectangle of the straight page is on the page as it was read."""
        down, across = self.slope * (left + right) / 2, self.slope * (top + bottom) / 2
        scale_across, scale_down = self.text_height / self.width, self.text_height / self.height
        return Box(
            _share((left - across) * scale_across),
            _share((top + down) * scale_down),
            _share((right - across) * scale_across),
            _share((bottom + down) * scale_down),
        )


def text_height(lines: Sequence[Line], height: int) -> float:
    """How many pixels high the words of a page are, as a rule; 0 for a page without any."""
    return median([(word.box.bottom - word.box.top) * height for line in lines for word in line] or [0.0])


def rows_of(words: Iterable[Placed]) -> list[Row]:
    """Put words that stand beside each other into rows, from the top down."""
    rows: list[Row] = []
    for word in sorted(words, key=lambda word: word.down):
        row = next((each for each in reversed(rows[-3:]) if word.down - each[-1].down < SAME_ROW), None)
        if row is None or word.down - row[0].down > 2 * SAME_ROW:
            row = []
            rows.append(row)
        row.append(word)
    return [sorted(row, key=lambda word: word.left) for row in rows]


def phrase_gap(rows: Sequence[Row]) -> float:
    """Return the gap, in text heights, from which words of a page are apart."""
    gaps = [right.left - left.right for row in rows for left, right in pairwise(row)]
    spaces = [gap for gap in gaps if gap < WIDEST_PHRASE_GAP]
    return min(WIDEST_PHRASE_GAP, max(PHRASE_GAP, SPACES * median(spaces))) if spaces else PHRASE_GAP


def phrases_of(row: Row, gap: float) -> list[Row]:
    """Cut a row where the gaps are wider than spaces."""
    phrases: list[Row] = []
    for word in row:
        if phrases and word.left - phrases[-1][-1].right < gap:
            phrases[-1].append(word)
        else:
            phrases.append([word])
    return phrases


def in_reading_order(words: Iterable[Placed]) -> tuple[Word, ...]:
    """Return words row by row."""
    return tuple(each.word for row in rows_of(words) for each in row)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
