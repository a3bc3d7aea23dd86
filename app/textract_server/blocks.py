"""Textract's blocks: PAGE, then its LINEs, its WORDs, and what analysis found, built from a page's reading.

Contract, as real responses keep it: a LINE's text is its words joined by spaces and its confidence their mean; a polygon
starts at the text's own top left and goes clockwise; a box is the smallest around its polygon; a member without a value
is absent, never null. A TABLE has a CELL for each place of its grid, and a MERGED_CELL over those that are one; a page's
children are its LINEs, TABLEs and KEY_VALUE_SETs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, product
from statistics import fmean
from typing import Any

import orjson
from isal import isal_zlib
from uuid_utils import uuid4

from app.textract_server.geometry import WHOLE_PAGE, Box, QuarterTurns, bounds, in_input_frame, union
from app.textract_server.readings import Cell, KeyValue, Line, PageBlocks, PageReading, Selection, Table, Word

Block = dict[str, Any]
Place = tuple[int, int]
"""A row and a column, from 1."""

FASTEST = 1


def page_blocks(reading: PageReading, page: int | None) -> list[Block]:
    """Build one page's blocks in Textract's order; `page` None leaves out the number, as synchronous answers do."""
    number: Block = {} if page is None else {"Page": page}
    words = [[_word(word, reading.turns) for word in line] for line in reading.lines]
    lines = [_line(line, parts, reading.turns) for line, parts in zip(reading.lines, words, strict=True)]
    sheet = {"BlockType": "PAGE", "Geometry": _geometry(WHOLE_PAGE, reading.turns), "Id": _new_id()}
    told = zip(chain.from_iterable(reading.lines), chain.from_iterable(words), strict=True)
    found = _Found(reading.turns, {id(word): block["Id"] for word, block in told})
    selections = [found.selection(each) for each in reading.selections]
    tables = [found.table(table, reading.selections) for table in reading.tables]
    pairs = [block for each in reading.key_values for block in found.key_value(each)]
    sheet |= _children([*lines, *(blocks[0] for blocks in tables), *pairs])
    blocks = [sheet, *lines, *chain.from_iterable(words), *selections, *chain.from_iterable(tables), *pairs]
    for block in blocks:
        block.update(number)
    return blocks


def pack(blocks: Iterable[Block]) -> PageBlocks:
    """Serialise blocks, one JSON object to a line, and compress them: a tenth of their size."""
    rows = [orjson.dumps(block) for block in blocks]
    return PageBlocks(isal_zlib.compress(b"\n".join(rows), FASTEST), len(rows))


def unpack(packed: bytes) -> list[orjson.Fragment]:
    """Return the blocks of `pack` as JSON that goes into an answer unparsed."""
    return [orjson.Fragment(row) for row in isal_zlib.decompress(packed).split(b"\n")]


@dataclass(frozen=True, slots=True)
class _Found:
    """Makes the blocks of what analysis found, out of the ids of the words' blocks."""

    turns: QuarterTurns
    word_ids: dict[int, str]
    """By the identity of a word; two words of a page may well be equal."""
    selection_ids: dict[int, str] = field(default_factory=dict)

    def selection(self, selection: Selection) -> Block:
        block = self._block("SELECTION_ELEMENT", selection.confidence, selection.box)
        self.selection_ids[id(selection)] = block["Id"]
        return block | {"SelectionStatus": "SELECTED" if selection.is_selected else "NOT_SELECTED"}

    def table(self, table: Table, selections: Sequence[Selection]) -> list[Block]:
        """The TABLE, its CELLs by row and column, and its MERGED_CELLs."""
        cells = {place: block for cell in table.cells for place, block in self._cells(table, cell, selections).items()}
        merged = [
            self._merged(table, cell, [cells[place] for place in _places(cell)])
            for cell in table.cells
            if cell.row_span * cell.column_span > 1
        ]
        ordered = [cells[place] for place in sorted(cells)]
        relations = [("CHILD", ordered), ("MERGED_CELL", merged)]
        has_header = any(cell.is_header for cell in table.cells)
        block = self._block("TABLE", table.confidence, table.box(), relations)
        block["EntityTypes"] = ["STRUCTURED_TABLE" if has_header else "SEMI_STRUCTURED_TABLE"]
        return [block, *ordered, *merged]

    def key_value(self, pair: KeyValue) -> tuple[Block, Block]:
        """The KEY and its VALUE."""
        words = [self.word_ids[id(word)] for word in pair.value]
        ticked = [] if pair.selection is None else [self.selection_ids[id(pair.selection)]]
        boxes = [word.box for word in pair.value] + ([] if pair.selection is None else [pair.selection.box])
        value = self._block(
            "KEY_VALUE_SET", pair.confidence, union(boxes or [word.box for word in pair.key])
        ) | _related("CHILD", [*ticked, *words])
        key = self._block("KEY_VALUE_SET", pair.confidence, union([word.box for word in pair.key]))
        children = _relation("CHILD", [self.word_ids[id(word)] for word in pair.key])
        key["Relationships"] = [_relation("VALUE", [value["Id"]]), children]
        return key | {"EntityTypes": ["KEY"]}, value | {"EntityTypes": ["VALUE"]}

    def _cells(self, table: Table, cell: Cell, selections: Sequence[Selection]) -> dict[Place, Block]:
        """A CELL for each place that a cell covers; its checkboxes and its words are in those where they stand."""
        inside = {
            place: [self.selection_ids[id(each)] for each in selections if not _distance(each.box, table.place(*place))]
            for place in _places(cell)
        }
        for word in cell.words:
            inside[min(inside, key=lambda place: _distance(word.box, table.place(*place)))].append(
                self.word_ids[id(word)]
            )
        return {
            place: self._block("CELL", table.confidence, table.place(*place))
            | _related("CHILD", inside[place])
            | _position(*place, 1, 1)
            | _header(cell)
            for place in inside
        }

    def _merged(self, table: Table, cell: Cell, parts: list[Block]) -> Block:
        position = _position(cell.row, cell.column, cell.row_span, cell.column_span)
        block = self._block("MERGED_CELL", table.confidence, table.place(*position.values()), [("CHILD", parts)])
        return block | position | _header(cell)

    def _block(
        self, kind: str, confidence: float, box: Box, relations: Sequence[tuple[str, list[Block]]] = ()
    ) -> Block:
        told = [_relation(name, [each["Id"] for each in blocks]) for name, blocks in relations if blocks]
        related = {"Relationships": told} if told else {}
        geometry = _geometry(box, self.turns)
        return {"BlockType": kind, "Confidence": confidence, "Geometry": geometry, "Id": _new_id(), **related}


def _places(cell: Cell) -> list[Place]:
    rows, columns = range(cell.row, cell.row + cell.row_span), range(cell.column, cell.column + cell.column_span)
    return list(product(rows, columns))


def _distance(box: Box, place: Box) -> float:
    """How far a box's middle is from a place, either way."""
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    beside = max(place.left - across, across - place.right, 0.0)
    return beside + max(place.top - down, down - place.bottom, 0.0)


def _position(row: int, column: int, row_span: int, column_span: int) -> dict[str, int]:
    return {"RowIndex": row, "ColumnIndex": column, "RowSpan": row_span, "ColumnSpan": column_span}


def _header(cell: Cell) -> Block:
    return {"EntityTypes": ["COLUMN_HEADER"]} if cell.is_header else {}


def _word(word: Word, turns: QuarterTurns) -> Block:
    return {
        "BlockType": "WORD",
        "Confidence": word.confidence,
        "Text": word.text,
        "TextType": "HANDWRITING" if word.handwritten else "PRINTED",
        "Geometry": _geometry(word.box, turns),
        "Id": _new_id(),
    }


def _line(line: Line, words: list[Block], turns: QuarterTurns) -> Block:
    return {
        "BlockType": "LINE",
        "Confidence": fmean(word.confidence for word in line),
        "Text": " ".join(word.text for word in line),
        "Geometry": _geometry(union([word.box for word in line]), turns),
        "Id": _new_id(),
        **_children(words),
    }


def _children(blocks: list[Block]) -> Block:
    return _related("CHILD", [block["Id"] for block in blocks])


def _related(name: str, ids: list[str]) -> Block:
    return {"Relationships": [_relation(name, ids)]} if ids else {}


def _relation(name: str, ids: list[str]) -> Block:
    return {"Type": name, "Ids": ids}


def _geometry(box: Box, turns: QuarterTurns) -> Block:
    if turns is QuarterTurns.NONE:
        return _upright_geometry(box)
    polygon = in_input_frame(box, turns)
    around = bounds(polygon)
    return {
        "BoundingBox": {
            "Width": around.right - around.left,
            "Height": around.bottom - around.top,
            "Left": around.left,
            "Top": around.top,
        },
        "Polygon": [{"X": across, "Y": down} for across, down in polygon],
    }


def _upright_geometry(box: Box) -> Block:
    """The same for nearly all pages, at a third of the time: each of a page's words has one."""
    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    return {
        "BoundingBox": {"Width": right - left, "Height": bottom - top, "Left": left, "Top": top},
        "Polygon": [{"X": left, "Y": top}, {"X": right, "Y": top}, {"X": right, "Y": bottom}, {"X": left, "Y": bottom}],
    }


def _new_id() -> str:
    return str(uuid4())
