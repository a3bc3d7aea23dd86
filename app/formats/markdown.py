"""Markdown (CommonMark, with GitHub's tables) of what a document says: headings, paragraphs, lists and tables.

Pages are marked with comments, `<!-- page 2 -->`, which viewers don't show; where a paragraph runs over a page's edge, the
mark is in its middle, and the first page's footnotes come before it. Headers, footers, printed page numbers and line numbers are left out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.ocr.blocks import PageText
from app.text.elements import BODY, Element, Kind
from app.text.lines import PageContent
from app.text.markers import marker_of
from app.text.structure import StructureReader

MEDIA_TYPE = "text/markdown"

MOST_HEADING_LEVEL = 6
NESTED = "    "
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~])|&(?=#?\w+;)")
_AT_START = re.compile(r"^(\s*)([#+=>-]|\d{1,9}(?=[.)]))")
_BULLETS = frozenset("•●○◦▪■□‣⁃∙·*–—-")
_ORDERED = re.compile(r"\d{1,9}[.)]")


def markdown(pages: Iterable[PageText]) -> Iterator[str]:
    """A document as Markdown, piece by piece."""
    reader, writer = StructureReader(), _Writer()
    last = 0
    for page in pages:
        analysis = {"tables": page.tables, "layout": page.layout}
        content = PageContent(page.number, page.text, page.lines, analysis, page.rotation_degrees)
        for element in reader.add(content):
            yield from writer.take(element)
        last = page.number
    for element in reader.finish():
        yield from writer.take(element)
    yield from writer.let_go()
    yield from writer.finish(last)


@dataclass(slots=True)
class _Writer:
    """Where a document's Markdown stands, so far."""

    page: int = 0
    """The last one that was marked."""
    before: Element | None = None
    waiting: Element | None = None
    levels: list[int] = field(default_factory=list)
    """Of the last item of the list that is open and of those that it is under; none outside of one."""

    def take(self, element: Element) -> Iterator[str]:
        """Write an element; one that runs over a page's edge waits for what else stands on the page where it begins."""
        if element.kind not in BODY:
            return
        if self.waiting is None or element.last_page > self.waiting.page:
            yield from self.let_go()
            if element.last_page > element.page:
                self.waiting = element
                return
        yield from self._add(element)

    def let_go(self) -> Iterator[str]:
        """Write the element that waits, if there is one."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            yield from self._add(waiting)

    def _add(self, element: Element) -> Iterator[str]:
        """Write an element, and the marks of the pages that begin with it."""
        yield from self._separation(element)
        if element.page > self.page:
            yield from self._marks(element.page)
        match element.kind:
            case Kind.HEADING:
                yield "#" * min(element.level, MOST_HEADING_LEVEL) + f" {self._text(element)}\n"
            case Kind.LIST_ITEM:
                yield self._item(element)
            case Kind.TABLE_ROW:
                yield self._row(element)
            case _:
                yield _at_start(self._text(element)) + "\n"
        self.before = element

    def finish(self, last_page: int) -> Iterator[str]:
        """Write the marks of the pages after the last with something on it."""
        if last_page > self.page:
            yield "\n" if self.before else ""
            yield from self._marks(last_page)

    def _separation(self, element: Element) -> Iterator[str]:
        before = self.before
        goes_on = before is not None and before.kind is element.kind and before.table == element.table
        if element.kind is not Kind.LIST_ITEM or not goes_on:
            self.levels.clear()
        is_closed = not goes_on or element.kind not in {Kind.LIST_ITEM, Kind.TABLE_ROW} or element.page > self.page
        if before is not None and is_closed:
            yield "\n"

    def _marks(self, until: int) -> Iterator[str]:
        """The marks of pages up to one; a table that goes on after them is begun anew."""
        for number in range(self.page + 1, until + 1):
            yield f"<!-- page {number} -->\n\n"
        self.page = until
        self.before = None
        self.levels.clear()

    def _text(self, element: Element) -> str:
        """An element's text with what is Markdown's own escaped, and the marks of pages that begin within it."""
        parts, at = [], 0
        for piece in element.pieces:
            if piece.box["page"] > max(self.page, element.page):
                parts.append(_escaped(element.text[at : piece.at]))
                parts += [f"<!-- page {number} --> " for number in range(self.page + 1, piece.box["page"] + 1)]
                at, self.page = piece.at, piece.box["page"]
        parts.append(_escaped(element.text[at:]))
        return "".join(parts)

    def _item(self, element: Element) -> str:
        """An item of a list; a decimal number stays as it is, any other marker stands behind a bullet."""
        while self.levels and self.levels[-1] >= element.level:
            self.levels.pop()
        self.levels.append(element.level)
        marker = marker_of(element.text)
        text = self._text(element)
        indent = NESTED * (len(self.levels) - 1)
        if marker is None or _ORDERED.fullmatch(marker.text):
            line = text
        else:
            line = "- " + (text[len(_escaped(marker.text)) :].lstrip() if marker.text in _BULLETS else text)
        return indent + line.replace("\n", "\n" + indent) + "\n"

    def _row(self, element: Element) -> str:
        """A row of a table; the first one is its head, for GitHub's tables have one."""
        cells = "| " + " | ".join(_escaped(cell).replace("\n", " ") for cell in element.cells) + " |\n"
        before = self.before
        if before is not None and before.kind is Kind.TABLE_ROW and before.table == element.table:
            return cells
        return cells + "|" + " --- |" * len(element.cells) + "\n"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\n", "\\\n")


def _at_start(text: str) -> str:
    """A paragraph that isn't taken for a heading, a list or a quotation."""
    return "\n".join(_AT_START.sub(_escaped_start, line) for line in text.split("\n"))


def _escaped_start(match: re.Match[str]) -> str:
    blank, sign = match.groups()
    return f"{blank}{sign}\\" if sign.isdigit() else f"{blank}\\{sign}"
