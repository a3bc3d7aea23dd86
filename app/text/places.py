"""Where a range of a document's text stands on its pages: a box around its words, for each line that it touches."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from app.text.elements import Box
from app.text.lines import Part, box_around


@dataclass(frozen=True, slots=True)
class Line:
    """A line that has been located, with where its words are in the document's text, as far as the line has them."""

    part: Part
    words: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, part: Part) -> Self:
        """A line with its words looked for."""
        words, at = list[tuple[int, int]](), 0
        for word in part.words:
            at = part.text.find(word["text"], at)
            if at < 0:
                break
            end = at + len(word["text"])
            words.append((part.start + at, part.start + end))
            at = end
        return cls(part, words)

    def box(self, start: int, end: int) -> Box:
        """The box of what a range touches of it: around its words, or the line's own where none of them is touched."""
        touched = [index for index, (begins, ends) in enumerate(self.words) if begins < end and start < ends]
        if not touched:
            return self.part.box
        words = self.part.words[touched[0] : touched[-1] + 1]
        return box_around([word["box"] for word in words], self.part.box["page"])


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a page, in their order."""

    lines: Sequence[Line]
    starts: Sequence[int]

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Self:
        """Of a page whose lines have been located."""
        lines = [Line.of(part) for part in parts]
        return cls(lines, [line.part.start for line in lines])

    def boxes(self, start: int, end: int) -> list[Box]:
        """The boxes of what a range of the document's text touches of the page."""
        boxes = []
        for line in self.lines[max(bisect_right(self.starts, start) - 1, 0) :]:
            if line.part.start >= end:
                break
            if start < line.part.end:
                boxes.append(line.box(start, end))
        return boxes
