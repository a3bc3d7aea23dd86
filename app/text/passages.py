"""Passages: stretches of the document's text that are read for what they name, with what is kept apart blanked.

A passage is one of the document's elements, as it stands in the text: of the same length as the range that it has there, so
that a place in the passage is a place in the document. What lies inside that range and isn't part of the element (numbers in the
margin, a page's header, the other column) is blanked, line breaks excepted, and so every place is read once.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.text.elements import BODY, Element
from app.text.lines import PageContent
from app.text.structure import StructureReader

LONGEST = 50_000
"""An element whose ends are further apart is read in stretches, so that what lies between them isn't carried along."""

_BREAK = re.compile(r"[-\u2010\u00ad]?[ \t]*(?=\n|\f)")
"""What may stand between a line of an element and the next: the hyphen of a broken word."""
_NOT_BREAK = re.compile(r"[^\n]")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A passage."""

    text: str
    start: int
    """Where it begins in the document's text."""
    page: int


@dataclass(slots=True)
class PassageReader:
    """Takes pages in, in order, and gives passages out as soon as they are whole. It can be pickled between two calls."""

    _reader: StructureReader = field(default_factory=StructureReader)
    _texts: deque[tuple[int, str]] = field(default_factory=deque)
    """The pages that a passage may still be of, each with where it begins."""
    _offset: int = 0

    def add(self, page: PageContent) -> Iterator[Stretch]:
        """Take the next page in; yields the passages that are whole by now."""
        self._take(page)
        yield from self._stretches(self._reader.add(page))

    def finish(self) -> Iterator[Stretch]:
        """The rest, once no more pages come."""
        yield from self._stretches(self._reader.finish())

    def passages(self, pages: Iterable[PageContent], elements: Iterable[Element]) -> Iterator[Stretch]:
        """The passages of a whole document whose elements are known already."""
        for page in pages:
            self._take(page)
        yield from self._stretches(elements)

    def _take(self, page: PageContent) -> None:
        self._texts.append((self._offset, page.text))
        self._offset += len(page.text) + 1

    def _stretches(self, elements: Iterable[Element]) -> Iterator[Stretch]:
        for element in elements:
            if element.kind in BODY:
                for pieces in _runs(element):
                    yield self._stretch(pieces)

    def _stretch(self, pieces: list["_Stood"]) -> Stretch:
        first = pieces[0]
        parts, reached = [first.text], first.end
        for piece in pieces[1:]:
            if piece.start >= reached:
                parts += [_gap(self._between(reached, piece.start)), piece.text]
                reached = piece.end
        self._let_go(first.start)
        return Stretch("".join(parts), first.start, first.page)

    def _between(self, start: int, end: int) -> str:
        """The document's text from one place to another; blanks for what has been let go."""
        parts = [
            f"{text}\f"[max(start - begins, 0) : max(end - begins, 0)]
            for begins, text in self._texts
            if begins < end and begins + len(text) >= start
        ]
        return "".join(parts).rjust(end - start)

    def _let_go(self, start: int) -> None:
        """Let the pages go that are behind all that is still to come."""
        while len(self._texts) > KEPT_PAGES and self._texts[0][0] + len(self._texts[0][1]) < start:
            self._texts.popleft()


@dataclass(frozen=True, slots=True)
class _Stood:
    """A piece of an element, where it stands in the document."""

    start: int
    end: int
    page: int
    text: str


KEPT_PAGES = 8
"""A page's footnotes come after a paragraph that runs on over pages: so many are kept for them."""


def _runs(element: Element) -> Iterator[list[_Stood]]:
    """The pieces of an element by where they stand, parted where they are too far from each other."""
    run: list[_Stood] = []
    for piece in sorted(element.pieces, key=lambda piece: piece.start):
        if run and piece.end - run[0].start > LONGEST:
            yield run
            run = []
        length = piece.end - piece.start
        run.append(_Stood(piece.start, piece.end, piece.box["page"], element.text[piece.at : piece.at + length]))
    if run:
        yield run


def _gap(text: str) -> str:
    """What stands between two pieces, blanked but for line breaks and the hyphen of a broken word."""
    kept = _BREAK.match(text)
    hyphen = kept.group() if kept else ""
    return hyphen + _NOT_BREAK.sub(" ", text[len(hyphen) :])
