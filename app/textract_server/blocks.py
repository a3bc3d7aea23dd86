"""Textract's blocks: PAGE, then its LINEs, then its WORDs, built from a page's reading.

Contract, as real responses keep it: a LINE's text is its words joined by spaces and its confidence their mean; a polygon
starts at the text's own top left and goes clockwise; a box is the smallest around its polygon; a member without a value
is absent, never null.
"""

import zlib
from collections.abc import Iterable
from statistics import fmean
from typing import Any
from uuid import uuid4

import orjson

from app.textract_server.geometry import WHOLE_PAGE, Box, QuarterTurns, bounds, in_input_frame, union
from app.textract_server.readings import Line, PageBlocks, PageReading, Word

Block = dict[str, Any]

FASTEST = 1


def page_blocks(reading: PageReading, page: int | None) -> list[Block]:
    """Build one page's blocks in Textract's order; `page` None leaves out the number, as synchronous answers do."""
    number: Block = {} if page is None else {"Page": page}
    words = [[_word(word, reading.turns) | number for word in line] for line in reading.lines]
    lines = [_line(line, parts, reading.turns) | number for line, parts in zip(reading.lines, words, strict=True)]
    sheet = {
        "BlockType": "PAGE",
        "Geometry": _geometry(WHOLE_PAGE, reading.turns),
        "Id": _new_id(),
        **_children(lines),
        **number,
    }
    return [sheet, *lines, *(word for line in words for word in line)]


def pack(blocks: Iterable[Block]) -> PageBlocks:
    """Serialise blocks, one JSON object to a line, and compress them: a tenth of their size."""
    rows = [orjson.dumps(block) for block in blocks]
    return PageBlocks(zlib.compress(b"\n".join(rows), FASTEST), len(rows))


def unpack(packed: bytes) -> list[orjson.Fragment]:
    """Return the blocks of `pack` as JSON that goes into an answer unparsed."""
    return [orjson.Fragment(row) for row in zlib.decompress(packed).split(b"\n")]


def _word(word: Word, turns: QuarterTurns) -> Block:
    return {
        "BlockType": "WORD",
        "Confidence": word.confidence,
        "Text": word.text,
        "TextType": "PRINTED",
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
    if not blocks:
        return {}
    return {"Relationships": [{"Type": "CHILD", "Ids": [block["Id"] for block in blocks]}]}


def _geometry(box: Box, turns: QuarterTurns) -> Block:
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


def _new_id() -> str:
    return str(uuid4())
