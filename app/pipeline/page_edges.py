"""What stands at the edges of a document's pages, each once: for a search by words, which finds a document by its stamp.

Headers and footers are no part of what chunks say, and are the same on page after page. The first of each is kept beside the
chunk that is being made when it comes; one with another number in it than its page's says something new.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.text.chunking import Chunk
from app.text.elements import Element, Kind
from app.text.repetition import Known

KEPT = frozenset({Kind.HEADER, Kind.FOOTER})
"""A page's number by itself tells nobody anything."""


@dataclass(slots=True)
class PageEdges:
    """Takes elements in as they come, and gives each chunk what it is to be found by beside its text."""

    _known: Known = field(default_factory=Known)
    """Those that there have been of late: a page's number in a header makes it no other one."""
    _waiting: list[tuple[int, str]] = field(default_factory=list)
    """Each with its page."""

    def add(self, element: Element) -> None:
        """Keep a header or footer, if the document has had none that says the same."""
        if element.kind in KEPT and self._known.is_new(element.text, element.page):
            self._waiting.append((element.page, element.text))

    def beside(self, made: Iterable[Chunk], *, is_last: bool) -> dict[int, str]:
        """Which of these chunks, by their numbers, get what: a line each, of pages up to their own; the last gets the rest."""
        found: dict[int, list[str]] = {}
        number = None
        for chunk in made:
            number = chunk.number
            self._give(found.setdefault(number, []), chunk.last_page)
        if is_last and number is not None:
            self._give(found[number], None)
        return {number: "\n".join(lines) for number, lines in found.items() if lines}

    def _give(self, lines: list[str], last_page: int | None) -> None:
        given = [each for each in self._waiting if last_page is None or each[0] <= last_page]
        self._waiting = [each for each in self._waiting if each not in given]
        lines += [text for _, text in given]
