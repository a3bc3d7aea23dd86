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

from app.text.lines import Part
from app.text.markers import is_title, marker_of

GAP = 1.45
"""Lines that are so many times farther apart than those around them belong to two blocks."""
GAP_HEIGHTS = 0.4
"""So many heights of a line more, too: places read from a picture are off by a little."""
TALLER, WIDER = 1.4, 1.25
"""By how much the letters of another block are higher and wider, where size tells it."""
INDENT, MARGIN, LANE = 1.5, 3.0, 4.0
"""Widths of a letter: of an indent, of the least margins of a centred line, and within which lines share their left edge."""
AROUND = 4
"""Lines before and after that show how far a line may run to the right."""
FEWEST_LETTERS = 4
_SENTENCE_END = re.compile(r"""[.?!:]["”’')\]*†‡0-9]{0,4}$""")
_BROKEN = re.compile(r"\w[-\u2010\xad]$")
_CLAUSE_END = re.compile(r"""(?:[.?!:;,]["”’')\]*†‡0-9]{0,4}|\b(?:and|or))$""")


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
    """Lines that belong together, each with what parts it from the one before: a blank, or a line break."""

    parts: list[Part]
    separators: list[str] = field(default_factory=lambda: [""])
    stands_apart: bool = False
    """Whether there is a gap above it and below it."""

    @property
    def text(self) -> str:
        """Its lines, as they are."""
        return "\n".join(part.text for part in self.parts)


def ends_sentence(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return _SENTENCE_END.search(text) is not None


def blocks_of(parts: Sequence[Part], measure: Measure) -> Iterator[Block]:
    """The blocks of lines that are in reading order."""
    for run in _runs(parts):
        yield from _Run(run, measure).blocks()


def _runs(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Stretches of lines that each stand below the one before: a column, as a rule."""
    run: list[Part] = []
    for part in parts:
        if run and not (part.rect.middle > run[-1].rect.middle and not part.rect.beside(run[-1].rect)):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


@dataclass(frozen=True, slots=True)
class _Run:
    """Lines one below the other."""

    parts: list[Part]
    measure: Measure

    def blocks(self) -> Iterator[Block]:
        block = Block(self.parts[:1])
        above = True
        for index in range(1, len(self.parts)):
            separator = self._separator(index, is_first=len(block.parts) == 1)
            if separator is not None:
                block.parts.append(self.parts[index])
                block.separators.append(separator)
                continue
            below = self._is_gap(index)
            block.stands_apart = above and below
            yield block
            block, above = Block([self.parts[index]]), below
        block.stands_apart = above
        yield block

    def _separator(self, index: int, *, is_first: bool) -> str | None:
        """What parts a line from the one before within a block; None where another block begins."""
        first, second = self.parts[index - 1], self.parts[index]
        shift = (second.rect.left - first.rect.left) / self.measure.letter
        has_room = self._has_room(index)
        marker = marker_of(second.text)
        if self._is_gap(index) or self._is_other_size(first, second):
            return None
        if marker and (has_room or abs(shift) > INDENT or (not marker.is_word and _CLAUSE_END.search(first.text))):
            return None
        if self._is_centred(first) and self._is_centred(second) and abs(shift) > INDENT / 2:
            return "\n"
        if abs(shift) > INDENT and (self._is_centred(first) or self._is_centred(second)):
            return None
        if self._turns(index, shift, is_first=is_first):
            return None
        if not has_room or _BROKEN.search(first.text):
            return " "
        begins_prose = is_first and is_title(first.text) and not self._has_room(index + 1)
        return None if ends_sentence(first.text) or begins_prose else "\n"

    def _turns(self, index: int, shift: float, *, is_first: bool) -> bool:
        """Whether a line's left edge tells that a block begins: indented, or back out from a block that was."""
        first = self.parts[index - 1]
        if is_first:
            # A hanging indent: the lines of an item stand to the right of its marker.
            return shift > INDENT and not marker_of(first.text)
        return abs(shift) > INDENT

    def _is_gap(self, index: int) -> bool:
        if not 0 < index < len(self.parts):
            return True
        step = self._step(index)
        near = [self._step(each) for each in (index - 1, index + 1) if 0 < each < len(self.parts)]
        usual = min(near, default=self.measure.pitch)
        return step > GAP * usual and step - usual > GAP_HEIGHTS * self.measure.height

    def _step(self, index: int) -> float:
        return self.parts[index].rect.middle - self.parts[index - 1].rect.middle

    def _has_room(self, index: int) -> bool:
        """Whether a line's first word would have had room at the end of the line before."""
        if not 0 < index < len(self.parts):
            return True
        first, second = self.parts[index - 1], self.parts[index]
        lane = [
            part.rect.right
            for part in self.parts[max(0, index - AROUND) : index + AROUND]
            if abs(part.rect.left - second.rect.left) < LANE * self.measure.letter
        ]
        word = second.text.split(maxsplit=1)[0]
        return first.rect.right + (len(word) + 2) * self.measure.letter < max(lane)

    def _is_other_size(self, first: Part, second: Part) -> bool:
        if min(len(first.text), len(second.text)) < FEWEST_LETTERS:
            return False
        heights = sorted((first.rect.height, second.rect.height))
        letters = sorted((first.rect.width / len(first.text), second.rect.width / len(second.text)))
        return heights[1] > TALLER * heights[0] and letters[1] > WIDER * letters[0]

    def _is_centred(self, part: Part) -> bool:
        return is_centred(part, self.measure)


def is_centred(part: Part, measure: Measure) -> bool:
    """Whether a line stands in the middle of its page's text, away from both edges."""
    before, after = part.rect.left - measure.left, measure.right - part.rect.right
    least = MARGIN * measure.letter
    return before > least and after > least and abs(before - after) < 2 * INDENT * measure.letter
