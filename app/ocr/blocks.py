"""From Textract blocks to pages: text, lines and words with their boxes, and what analysis found beside them.

A result comes in portions of up to 1,000 blocks that may end anywhere, and relationships may point into the next
one. Blocks are grouped by page, in page order, so a page is whole as soon as the next one begins.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import OcrResultInvalid
from app.ocr.engine import Block
from app.ocr.features import CONFIDENCE_PLACES, box_of, page_features


@dataclass(frozen=True, slots=True)
class PageText:
    """What was read on one page. Boxes are shares (0 to 1) of the page's width and height, as it was sent in, to six places."""

    number: int
    text: str
    lines: list[dict[str, Any]]
    word_count: int
    confidence: float | None
    """The mean of the words' confidences, 0 to 100; None on a page without words."""
    rotation_degrees: int
    """How far the page's text is turned clockwise: 0, 90, 180 or 270."""
    tables: list[dict[str, Any]] = field(default_factory=list)
    """Each with `box`, `confidence`, `rows`, `columns` and `cells`: `row` and `column` from 1, `row_span`,
    `column_span`, `text`, `confidence`, `box`, `is_header`. Checkboxes are told as `[x]` and `[ ]`."""
    key_values: list[dict[str, Any]] = field(default_factory=list)
    """Each with `key`, `value` (both text), `confidence`, `key_box`, `value_box`."""
    queries: list[dict[str, Any]] = field(default_factory=list)
    """Each with `text`, `alias`, `answer`, `confidence`, `box`; the last three None where there is no answer."""
    signatures: list[dict[str, Any]] = field(default_factory=list)
    """Each with `confidence` and `box`."""
    layout: list[dict[str, Any]] = field(default_factory=list)
    """In reading order, each with `type` (Textract's, without its `LAYOUT_`), `text`, `confidence`, `box`."""
    selections: list[dict[str, Any]] = field(default_factory=list)
    """Checkboxes, each with `selected`, `confidence`, `box`."""


@dataclass(slots=True)
class PageAssembler:
    """Takes blocks in as they come, and gives pages out as soon as they are whole."""

    _number: int = 0
    _blocks: list[Block] = field(default_factory=list)
    pages_seen: int = 0

    def add(self, blocks: Sequence[Block]) -> Iterator[PageText]:
        """Take a portion in; yields the pages that it completed. Raises `OcrResultInvalid` on pages out of order."""
        for block in blocks:
            number = block.get("Page") or self._number or 1
            if number < self._number:
                raise OcrResultInvalid(f"A block of page {number} came after page {self._number} had ended.")
            if number > self._number:
                yield from self.finish()
                self._number = number
            self.pages_seen += block.get("BlockType") == "PAGE"
            self._blocks.append(block)

    def finish(self) -> Iterator[PageText]:
        """The last page, once no more blocks come."""
        if self._blocks:
            page, self._blocks = page_text(self._number, self._blocks), []
            yield page


def page_text(number: int, blocks: Sequence[Block]) -> PageText:
    """One page out of its blocks. Raises `OcrResultInvalid` when a relationship points nowhere, or a member is missing."""
    try:
        return _page_text(number, blocks)
    except (AttributeError, KeyError, TypeError) as error:
        raise OcrResultInvalid(f"A block of page {number} is not as Textract's are ({error}).") from error


def _page_text(number: int, blocks: Sequence[Block]) -> PageText:
    by_id = {block["Id"]: block for block in blocks}
    page = next((block for block in blocks if block["BlockType"] == "PAGE"), None)
    lines = [_line(block, by_id) for block in blocks if block["BlockType"] == "LINE"]
    words = [block for block in blocks if block["BlockType"] == "WORD"]
    confidence = sum(word["Confidence"] for word in words) / len(words) if words else None
    return PageText(
        number=number,
        text="\n".join(line["text"] for line in lines),
        lines=lines,
        word_count=len(words),
        confidence=confidence,
        rotation_degrees=_rotation(page) if page else 0,
        **page_features(blocks, by_id),
    )


def _line(block: Block, by_id: dict[str, Block]) -> dict[str, Any]:
    try:
        words = [by_id[word_id] for word_id in _children(block)]
    except KeyError as error:
        raise OcrResultInvalid(f"A line points to the word {error}, which is not on its page.") from error
    line = _element(block)
    line["words"] = [_element(word) for word in words]
    return line


def _element(block: Block) -> dict[str, Any]:
    return {
        "text": block["Text"],
        "confidence": round(block["Confidence"], CONFIDENCE_PLACES),
        "box": box_of(block["Geometry"]["BoundingBox"]),
    }


def _children(block: Block) -> list[str]:
    return [
        child
        for relation in block.get("Relationships") or ()
        if relation["Type"] == "CHILD"
        for child in relation["Ids"]
    ]


def _rotation(page: Block) -> int:
    """The angle from the first to the second corner of the page's polygon, which starts at the text's own top left."""
    polygon = page.get("Geometry", {}).get("Polygon", ())
    if len(polygon) < 2:  # noqa: PLR2004 (two corners make a direction)
        return 0
    first, second = polygon[0], polygon[1]
    angle = math.degrees(math.atan2(second["Y"] - first["Y"], second["X"] - first["X"]))
    return round(angle / 90) % 4 * 90
