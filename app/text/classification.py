"""Telling headings, items and footnotes from paragraphs, by their words, their looks and the blocks around them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from app.text.blocks import Block, Measure, is_centred
from app.text.elements import Kind
from app.text.labels import is_label
from app.text.lanes import Grid
from app.text.lines import Part, Rect
from app.text.markers import MOST_TITLE_WORDS, Marker, is_capitals, is_title, marker_of
from app.text.outline import RANKS, UNRANKED

MOST_TITLE_LINES = 4
MOST_PLAIN_TITLE_WORDS = 8
"""A heading that only stands by itself, with its words capitalised, has no more."""
CAPITALS_SHARE = 0.5
"""Where more of a page's lines are in capitals, capitals make no heading."""
LARGE = 1.35
"""Letters so many times the size of the page's make a heading."""
LARGE_LINE = 0.024
"""The share of the page's height that a line in letters of a heading's size has, where the page has no other lines to tell by."""
SMALL = 0.93
LOWER_HALF = 0.5
NOTE_SIGNS = frozenset("*†‡§")
_TITLE_RANK, _CAPITALS_RANK, _CENTRED_RANK = 0, 2, 3
_HEADINGS = {"TITLE", "SECTION_HEADER"}


@dataclass(frozen=True, slots=True)
class Classified:
    """A block of a page's body, and what it is."""

    kind: Kind
    block: Block
    style: str = ""
    """Of a heading or an item: those that look alike have the same."""
    rank: int = UNRANKED
    is_note: bool = False
    """Whether it is a footnote."""

    @property
    def start(self) -> int:
        """Where it begins in the document's text."""
        return min(part.start for row in self.block.rows for part in row.parts)


@dataclass(frozen=True, slots=True)
class Classifier:
    """What a page looks like, and what its layout analysis found."""

    parts: Sequence[Part]
    measure: Measure
    layout: Sequence[tuple[str, Rect]]
    capitals_tell: bool

    @classmethod
    def of(cls, parts: Sequence[Part], measure: Measure, layout: Sequence[tuple[str, Rect]]) -> "Classifier":
        """The classifier of a page's body."""
        capitals = sum(is_capitals(part.text) for part in parts)
        return cls(parts, measure, layout, capitals <= CAPITALS_SHARE * len(parts))

    def classified(self, blocks: Sequence[Block | Grid]) -> Iterator[Classified | Grid]:
        """A page's blocks, in order, each with what it is."""
        for index, block in enumerate(blocks):
            if isinstance(block, Grid):
                yield block
                continue
            following = blocks[index + 1] if index + 1 < len(blocks) else None
            yield self._classified(block, None if isinstance(following, Grid) else following)

    def _classified(self, block: Block, following: Block | None) -> Classified:
        marker = marker_of(block.rows[0].text)
        if self._is_note(block):
            return Classified(Kind.PARAGRAPH, block, is_note=True)
        heading = self._heading(block, marker, following)
        if heading is not None:
            return Classified(Kind.HEADING, block, *heading)
        if marker is not None and not marker.is_word:
            return Classified(Kind.LIST_ITEM, block, marker.style)
        return Classified(Kind.PARAGRAPH, block)

    def _heading(self, block: Block, marker: Marker | None, following: Block | None) -> tuple[str, int] | None:
        """The style and the rank of a heading; None where the block is none."""
        if len(block.rows) > MOST_TITLE_LINES:
            return None
        told = next((name for name, place in self.layout if place.holds(block.first.rect)), None)
        text = block.text
        if told not in _HEADINGS and not is_title(text):
            return None
        if told == "TITLE":
            return "title", _TITLE_RANK
        is_section = marker is not None and (marker.is_word or marker.style == "I." or marker.length >= len(text))
        if not told and not is_section and is_label(block, self.parts, self.measure):
            return None
        looks = self._looks(block, text)
        heads = told or self._heads(block, text, following)
        if marker is not None:
            shows = looks or heads or marker.is_word or marker.style == "I."
            return (marker.style, RANKS.get(marker.style, UNRANKED)) if shows else None
        return ("plain", UNRANKED) if looks is None and heads and (told or block.stands_apart) else looks

    def _looks(self, block: Block, text: str) -> tuple[str, int] | None:
        """The style and the rank that a block's looks tell; None where it looks like its page's text."""
        if block.height > LARGE * self.measure.height and block.letter > LARGE * self.measure.letter:
            return "large", _TITLE_RANK
        if is_title_page([part.rect.height for part in self.parts]):
            return "large", _TITLE_RANK
        centred = all(is_centred(row, self.measure) for row in block.rows)
        if self.capitals_tell and is_capitals(text):
            return ("CENTRED" if centred else "CAPITALS"), _CAPITALS_RANK
        return ("centred", _CENTRED_RANK) if centred and self._is_alone(block) else None

    def _is_alone(self, block: Block) -> bool:
        """Whether nothing stands beside a block's first row, as a form's labels stand beside what was filled in."""
        row = block.rows[0]
        own = {part.start for part in row.parts}
        return not any(part.rect.beside(row.rect) for part in self.parts if part.start not in own)

    def _heads(self, block: Block, text: str, following: Block | None) -> bool:
        """Whether a line of few words stands right above some text."""
        most = MOST_PLAIN_TITLE_WORDS if marker_of(text) is None else MOST_TITLE_WORDS
        if following is None or len(block.rows) > 1 or len(text.split()) > most or not self._is_alone(block):
            return False
        first, below = block.rows[0].rect, following.rows[0].rect
        is_text = len(following.rows) > 1 and marker_of(following.rows[0].text) is None
        return is_text and below.top > first.top and below.above_or_below(first)

    def _is_note(self, block: Block) -> bool:
        """Whether a block is a footnote: in small letters in the lower half of the page, after a number or a sign."""
        measure = self.measure
        if block.letter > SMALL * measure.letter or block.height > measure.height / SMALL:
            return False
        word = block.rows[0].text.split(maxsplit=1)[0]
        return block.first.rect.top > LOWER_HALF and (word.isdecimal() or word[:1] in NOTE_SIGNS)


def is_title_page(heights: Sequence[float]) -> bool:
    """Whether a page with lines of these heights has nothing on it but a title in large letters."""
    return 0 < len(heights) <= MOST_TITLE_LINES and median(heights) >= LARGE_LINE
