"""Lines and words of a page: which way they run, and which lines stand together as a block."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from app.ocr.blocks import PageText

Line = dict[str, Any]
Box = dict[str, float]

TELLING_LETTERS = 4
"""A line of so many letters is longer than it is high, whichever way it runs."""
BLOCK_GAP = 0.8
"""Lines that are further apart than this share of their height are of different blocks."""

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """A text without the characters that XML 1.0 doesn't have (its production 2)."""
    return _NOT_IN_XML.sub("", text)


def words_of(line: Line) -> list[Line]:
    """A line's words; one that has none is its own. Words without letters are left out."""
    words = line.get("words") or [line]
    return [word for word in words if word["text"].strip()]


def turn_of(line: Line, page: PageText) -> int:
    """How far a line's text is turned clockwise: as its page's, unless its own shape says otherwise.

    0, 90, 180 or 270. A stamp in the margin runs up or down a page whose text stands upright.
    """
    box, upright = line["box"], page.rotation_degrees % 180 == 0
    across, down = (box["width"], box["height"]) if upright else (box["height"], box["width"])
    # Sides are shares of a page that is at most half as wide as it is high, or the other way round.
    if len(line["text"]) < TELLING_LETTERS or down <= 2 * across:
        return page.rotation_degrees
    words = words_of(line)
    first, last = words[0]["box"], words[-1]["box"]
    if upright:
        return 90 if last["top"] > first["top"] else 270
    return 0 if last["left"] >= first["left"] else 180


def blocks_of(page: PageText) -> Iterator[list[Line]]:
    """A page's lines in reading order, those together that stand closely under one another."""
    block: list[Line] = []
    for line in page.lines:
        if not words_of(line):
            continue
        if block and not _follows(block[-1], line, page):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box around boxes."""
    left, top = min(box["left"] for box in boxes), min(box["top"] for box in boxes)
    right = max(box["left"] + box["width"] for box in boxes)
    bottom = max(box["top"] + box["height"] for box in boxes)
    return {"left": left, "top": top, "width": right - left, "height": bottom - top}


def _follows(first: Line, second: Line, page: PageText) -> bool:
    turn = turn_of(first, page)
    if turn != turn_of(second, page):
        return False
    above, below = _upright(first["box"], turn), _upright(second["box"], turn)
    height = max(above["height"], below["height"])
    gap = below["top"] - above["top"] - above["height"]
    overlap = min(above["left"] + above["width"], below["left"] + below["width"]) - max(above["left"], below["left"])
    return overlap > 0 and -height / 2 < gap < BLOCK_GAP * height


def _upright(box: Box, turn: int) -> Box:
    """A box as it stands once the page is turned back by so many degrees."""
    left, top, width, height = (box[side] for side in ("left", "top", "width", "height"))
    match turn:
        case 90:
            return {"left": top, "top": 1 - left - width, "width": height, "height": width}
        case 180:
            return {"left": 1 - left - width, "top": 1 - top - height, "width": width, "height": height}
        case 270:
            return {"left": 1 - top - height, "top": left, "width": height, "height": width}
        case _:
            return box
