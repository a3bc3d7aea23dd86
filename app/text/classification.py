"""Telling headings, items and footnotes from paragraphs, by their words, their looks and the blocks around them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from app.text.blocks import Block, Measure, is_centred
from app.text.elements import Kind
from app.text.lines import Part, Rect
from app.text.markers import Marker, is_capitals, is_title, marker_of
from app.text.outline import RANKS, UNRANKED

MOST_TITLE_LINES = 4
MOST_PLAIN_TITLE_WORDS = 8
"""A heading that only stands by itself, with its words capitalised, has no more."""
CAPITALS_SHARE = 0.5
"""Where more of a page's lines are in capitals, capitals make no heading."""
LARGE = 1.35
"""Letters so many times the size of the page's make a heading."""
SMALL = 0.93
LOWER_HALF = 0.5
NOTE_SIGNS = "*†‡§"
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
    is_footnote: bool = False

    @property
    def start(self) -> int:
        """Where it begins in the document's text."""
        return self.block.parts[0].start


@dataclass(frozen=True, slots=True)
class Classifier:
    """What a page looks like, and what its layout analysis found."""

    measure: Measure
    layout: Sequence[tuple[str, Rect]]
    capitals_tell: bool

    @classmethod
    def of(cls, parts: Sequence[Part], measure: Measure, layout: Sequence[tuple[str, Rect]]) -> "Classifier":
        """The classifier of a page's body."""
        capitals = sum(is_capitals(part.text) for part in parts)
        return cls(measure, layout, capitals <= CAPITALS_SHARE * len(parts))

    def classified(self, blocks: Sequence[Block]) -> Iterator[Classified]:
        """A page's blocks, in order, each with what it is."""
        for index, block in enumerate(blocks):
            following = blocks[index + 1] if index + 1 < len(blocks) else None
            marker = marker_of(block.parts[0].text)
            heading = self._heading(block, marker, following)
            if heading is not None:
                style, rank = heading
                yield Classified(Kind.HEADING, block, style, rank)
            elif marker is not None and not marker.is_word:
                yield Classified(Kind.LIST_ITEM, block, marker.style)
            else:
                yield Classified(Kind.PARAGRAPH, block, is_footnote=self._is_footnote(block))

    def _heading(self, block: Block, marker: Marker | None, following: Block | None) -> tuple[str, int] | None:
        """The style and the rank of a heading; None where the block is none."""
        if len(block.parts) > MOST_TITLE_LINES:
            return None
        told = next((name for name, place in self.layout if place.holds(block.parts[0].rect)), None)
        text = " ".join(part.text for part in block.parts)
        if told not in _HEADINGS and not is_title(text):
            return None
        if told == "TITLE":
            return "title", _TITLE_RANK
        looks = self._looks(block, text)
        if marker is not None:
            stands_out = looks or told or block.stands_apart or RANKS.get(marker.style, UNRANKED) < RANKS["A."]
            return (marker.style, RANKS.get(marker.style, UNRANKED)) if stands_out else None
        if looks is None and (told or self._heads(block, text, following)):
            return "plain", UNRANKED
        return looks

    def _looks(self, block: Block, text: str) -> tuple[str, int] | None:
        """The style and the rank that a block's looks tell; None where it looks like its page's text."""
        letter = median(part.rect.width / len(part.text) for part in block.parts)
        height = median(part.rect.height for part in block.parts)
        in_capitals = self.capitals_tell and is_capitals(text)
        if height > LARGE * self.measure.height and letter > LARGE * self.measure.letter:
            return "large", _TITLE_RANK
        centred = all(is_centred(part, self.measure) for part in block.parts)
        if in_capitals:
            return ("CENTRED" if centred else "CAPITALS"), _CAPITALS_RANK
        return ("centred", _CENTRED_RANK) if centred else None

    def _heads(self, block: Block, text: str, following: Block | None) -> bool:
        """Whether a line of few capitalised words stands by itself above some text."""
        if following is None or len(block.parts) > 1 or len(text.split()) > MOST_PLAIN_TITLE_WORDS:
            return False
        first, below = block.parts[0].rect, following.parts[0].rect
        return block.stands_apart and len(following.parts) > 1 and below.top > first.top and below.above_or_below(first)

    def _is_footnote(self, block: Block) -> bool:
        first = block.parts[0]
        word = first.text.split(maxsplit=1)[0].rstrip(".)")
        letter = median(part.rect.width / len(part.text) for part in block.parts)
        is_note = word.isdecimal() or all(sign in NOTE_SIGNS for sign in word)
        return is_note and first.rect.top > LOWER_HALF and letter < SMALL * self.measure.letter
