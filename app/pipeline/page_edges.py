"""What stands at the edges of a document's pages, each once: for a search by words, which finds a document by its stamp.

Headers and footers are no part of what chunks say, and are the same on page after page. The first of each is kept beside the
chunk that is being made when it comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rapidfuzz import fuzz

from app.text.chunking import Chunk
from app.text.edges import ALIKE
from app.text.elements import Element, Kind

MOST_EDGES = 40
"""So many different ones are kept of a document: what is different on every page is no header."""

KEPT = frozenset({Kind.HEADER, Kind.FOOTER})
"""A page's number by itself tells nobody anything."""

_FIGURES = str.maketrans("0123456789", "##########")


@dataclass(slots=True)
class PageEdges:
    """Takes elements in as they come, and gives each chunk what it is to be found by beside its text."""

    _known: list[str] = field(default_factory=list)
    """Those that there have been, without their figures: a page's number in a header makes it no other one."""
    _waiting: list[tuple[int, str]] = field(default_factory=list)
    """Each with its page."""

    def add(self, element: Element) -> None:
        """Keep a header or footer, if the document has had none like it."""
        if element.kind not in KEPT or len(self._known) == MOST_EDGES:
            return
        plain = element.text.casefold().translate(_FIGURES)
        if not any(fuzz.ratio(plain, each, score_cutoff=ALIKE) for each in self._known):
            self._known.append(plain)
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
