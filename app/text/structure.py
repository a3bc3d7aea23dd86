"""From pages to elements: a document's structure, told page by page from its lines and where they stand.

The reader sees pages in order and holds back as few as it needs: two that follow, for headers and footers are told by
their neighbours, and the last block of the page before, which may go on.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from app.text.blocks import Measure, blocks_of, ends_sentence
from app.text.classification import Classified, Classifier, is_title_page
from app.text.edges import NEARBY_PAGES, Sheet, Signature, edges_of
from app.text.elements import BODY, Element, Kind, Piece
from app.text.joining import HYPHENS, Composition, Vocabulary
from app.text.lanes import Grid
from app.text.lines import PageContent, Part, Rect, located
from app.text.outline import Items, Outline
from app.text.pleading import part_line_numbers
from app.text.repetition import Known
from app.text.tables import TableRow, row_element, rows_of

MOST_CHARACTERS = 20_000
"""A paragraph that is longer goes over no further page."""
MOST_HELD = 1000
"""Elements that wait for a document's first text, at most."""

ITEM_SLACK = 0.02
"""An item that stands further left than another, by so much of the page's width, is not under it."""


@dataclass(slots=True)
class _Open:
    """A block whose element isn't made yet: the next column or page may go on with it."""

    kind: Kind
    composition: Composition
    level: int
    last: Part
    is_at_page_end: bool = False
    """Whether the next page may go on with it."""

    def add(self, found: Classified) -> None:
        for row, separator in zip(found.block.rows, found.block.separators, strict=True):
            before = " " if self.kind is Kind.HEADING or not separator else separator
            for part in row.parts:
                self.composition.add(part, before)
                before = " "
        self.last = found.block.last

    def may_go_on_with(self, found: Classified) -> bool:
        """Whether a paragraph that begins a column or a page goes on with this one.

        It has to be in the middle of a sentence; at a page's edge that is enough, at a column's the next line must tell.
        """
        first, text = found.block.first, self.composition.text
        if self.kind not in {Kind.PARAGRAPH, Kind.LIST_ITEM} or found.kind is not Kind.PARAGRAPH or found.is_note:
            return False
        is_over_page = self.is_at_page_end and first.box["page"] == self.last.box["page"] + 1
        is_over_column = first.box["page"] == self.last.box["page"] and first.rect.middle < self.last.rect.middle
        if not (is_over_page or is_over_column) or ends_sentence(text) or len(text) > MOST_CHARACTERS:
            return False
        is_clear = first.text[0].islower() or text[-1] in HYPHENS
        return is_clear or (is_over_page and not found.block.is_indented)

    def element(self) -> Element:
        return Element(self.kind, self.composition.text, tuple(self.composition.pieces), self.level)


@dataclass(slots=True)
class StructureReader:
    """Takes a document's pages in, in order, and gives its elements out by where they begin.

    A paragraph that runs over a page's edge comes before the footers and headers that stand in between. The reader can be
    pickled between any two calls, to go on in another process.
    """

    _offset: int = 0
    _vocabulary: Vocabulary = field(default_factory=Vocabulary)
    _before: deque[list[Signature]] = field(default_factory=lambda: deque(maxlen=NEARBY_PAGES))
    _waiting: deque[Sheet] = field(default_factory=deque)
    _pending: list[_Open | Element] = field(default_factory=list)
    """The block that is open, if there is one, and what has to wait for it."""
    _headings: Outline = field(default_factory=Outline)
    _items: Items = field(default_factory=Items)
    _tables: int = 0
    _known: Known = field(default_factory=Known)
    """What has stood at the edges of pages."""
    _held: list[Element] = field(default_factory=list)
    """What stands at the edges of pages before the first with a text."""
    _has_body: bool = False

    def add(self, page: PageContent) -> Iterator[Element]:
        """Take the next page in; yields the elements that are whole by now."""
        self._vocabulary.learn(page.text)
        self._waiting.append(_sheet(page, self._offset))
        self._offset += len(page.text) + 1
        if len(self._waiting) > NEARBY_PAGES:
            yield from self._given(self._read_next())

    def finish(self) -> Iterator[Element]:
        """The rest, once no more pages come; what is all that a document says is its text, wherever it stands."""
        while self._waiting:
            yield from self._given(self._read_next())
        yield from self._given(self._flush())
        yield from (replace(each, kind=Kind.PARAGRAPH) for each in self._held)
        self._held = []

    def _given(self, elements: Iterator[Element]) -> Iterator[Element]:
        """Elements as they come, once there is some text among them."""
        for element in elements:
            if self._has_body:
                yield element
                continue
            self._held.append(element)
            if element.kind in BODY or len(self._held) > MOST_HELD:
                self._has_body, held = True, self._held
                self._held = []
                yield from held

    def _read_next(self) -> Iterator[Element]:
        sheet = self._waiting.popleft()
        edges = self._edges(sheet)
        self._before.append(sheet.signatures)
        apart = [_single(Kind.LINE_NUMBER, part) for part in sheet.line_numbers]
        apart += [_single(edges[part.start], part) for part in sheet.parts if part.start in edges]
        body = [part for part in sheet.parts if part.start not in edges]
        if not body:
            yield from self._flush()
        found = sorted([*apart, *self._body(sheet, body)], key=lambda each: each.start)
        ends = _page_end(found)
        for each in found:
            yield from self._take(each, ends)

    def _edges(self, sheet: Sheet) -> dict[int, Kind]:
        """What stands at a page's edges; where nothing else does, what is new of it is the page's text."""
        edges = edges_of(sheet, [*self._before, *(each.signatures for each in self._waiting)])
        texts = {part.start: part.text for part in sheet.parts if edges.get(part.start) in {Kind.HEADER, Kind.FOOTER}}
        new = {start for start, text in texts.items() if self._known.is_new(text, sheet.number)}
        if len(edges) < len(sheet.parts):
            return edges
        return {start: kind for start, kind in edges.items() if start not in new}

    def _body(self, sheet: Sheet, body: list[Part]) -> Iterator[Classified | Element]:
        """What a page's body is made of: the rows of its tables, and the blocks of its other lines."""
        plain = body
        for table in sheet.tables:
            rows, starts = rows_of(table, plain, sheet.rotation_degrees)
            plain = [part for part in plain if part.start not in starts]
            self._tables += bool(rows)
            yield from (row_element(row, self._tables, self._vocabulary) for row in rows)
        if plain:
            measure = Measure.of(plain)
            blocks = list(blocks_of(plain, measure))
            for found in Classifier.of(plain, measure, sheet.layout).classified(blocks):
                yield from self._grid(found) if isinstance(found, Grid) else (found,)

    def _grid(self, grid: Grid) -> Iterator[Element]:
        self._tables += 1
        for line in grid.lines:
            row = TableRow(tuple(() if each is None else each.parts for each in line), is_header=False)
            yield row_element(row, self._tables, self._vocabulary)

    def _take(self, found: Classified | Element, page_end: Classified | None) -> Iterator[Element]:
        """Put what comes next where it belongs: into the block that is open, behind it, or after all that has been."""
        if isinstance(found, Element):
            if found.kind is Kind.TABLE_ROW:
                yield from self._flush()
            if self._pending:
                self._pending.append(found)
            else:
                yield found
            return
        opened = [each for each in self._pending if isinstance(each, _Open)]
        going_on = next((each for each in opened if each.may_go_on_with(found)), None)
        if going_on is not None:
            going_on.add(found)
            going_on.is_at_page_end = found is page_end
            return
        if not any(each.is_at_page_end and each.last.box["page"] == found.block.first.box["page"] for each in opened):
            yield from self._flush()
        opening = _Open(found.kind, Composition(self._vocabulary), self._level(found), found.block.last)
        opening.add(found)
        opening.is_at_page_end = found is page_end
        self._pending.append(opening)

    def _level(self, found: Classified) -> int:
        if found.kind is Kind.HEADING:
            self._items.close()
            return self._headings.level(found.style, found.rank)
        first = found.block.rows[0].rect
        return self._items.level(found.style, first.left, ITEM_SLACK) if found.kind is Kind.LIST_ITEM else 0

    def _flush(self) -> Iterator[Element]:
        pending, self._pending = self._pending, []
        yield from (each.element() if isinstance(each, _Open) else each for each in pending)


def _page_end(found: Sequence[Classified | Element]) -> Classified | None:
    """The block that the next page may go on with: the last one, or one that stands below it, but for footnotes."""
    blocks = [each for each in found if isinstance(each, Classified) and not each.is_note]
    if not blocks or is_title_page([row.rect.height for each in blocks for row in each.block.rows]):
        return None
    last, is_line = blocks[-1], len(blocks[-1].block.rows) == 1
    place = last.block.last.rect
    below = [each.block for each in blocks if each.block.last.rect.top >= place.bottom]
    # A stamp in the margin is a line by itself, with nothing below it.
    below = [
        each for each in below if is_line or any(end.rect.above_or_below(place) for end in (each.first, each.last))
    ]
    lowest = max(below, key=lambda each: each.last.rect.bottom, default=last.block)
    return next(each for each in blocks if each.block is lowest)


def _sheet(page: PageContent, offset: int) -> Sheet:
    parts, numbers = part_line_numbers(located(page, offset))
    layout = [
        (each["type"], Rect.upright(each["box"], page.rotation_degrees))
        for each in page.analysis.get("layout") or ()
        if each.get("box")
    ]
    return Sheet(page.number, parts, numbers, layout, page.analysis.get("tables") or [], page.rotation_degrees)


def _single(kind: Kind, part: Part) -> Element:
    return Element(kind, part.text, (Piece(0, part.start, part.end, part.box),))
