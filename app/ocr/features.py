"""What analysis finds beside text: tables, key-values, answers, signatures, layout and checkboxes, out of a page's blocks.

Text is held to what Textract promises; these are extras, and members that they lack are simply not told: a box or a
confidence is None, a relationship that points nowhere adds no text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.ocr.engine import Block

Element = dict[str, Any]

SELECTED, NOT_SELECTED = "[x]", "[ ]"
"""How a checkbox stands in the text of a cell or a value."""
LAYOUT = "LAYOUT_"

PLACES = 6
"""Digits after the point of a box's shares: a thousandth of a millimetre. Textract gives single precision, of which seven figures
count, written out with twice as many; the raw result keeps them."""
CONFIDENCE_PLACES = 4


TEXT_ALONE = frozenset({"PAGE", "LINE", "WORD"})
"""The types of block that a page has which was only detected."""


def page_features(blocks: Sequence[Block], by_id: Mapping[str, Block]) -> dict[str, list[Element]]:
    """The features of one page, by the names of `PageText`'s members; none where its blocks are of text alone."""
    if TEXT_ALONE.issuperset(block["BlockType"] for block in blocks):
        return {}
    return {
        "tables": [_table(block, by_id) for block in _of_type(blocks, "TABLE")],
        "key_values": list(_key_values(blocks, by_id)),
        "queries": [_query(block, by_id) for block in _of_type(blocks, "QUERY")],
        "signatures": [_place(block) for block in _of_type(blocks, "SIGNATURE")],
        "layout": list(_layout(blocks, by_id)),
        "selections": [
            {"selected": _is_selected(block), **_place(block)} for block in _of_type(blocks, "SELECTION_ELEMENT")
        ],
    }


def _table(table: Block, by_id: Mapping[str, Block]) -> Element:
    cells = list(_cells(table, by_id))
    return {
        **_place(table),
        "rows": max((cell["row"] + cell["row_span"] - 1 for cell in cells), default=0),
        "columns": max((cell["column"] + cell["column_span"] - 1 for cell in cells), default=0),
        "cells": cells,
    }


def _cells(table: Block, by_id: Mapping[str, Block]) -> Iterator[Element]:
    """A table's cells by row and column. A merged cell stands in the place of the cells that it was merged from."""
    merged = _related(table, "MERGED_CELL", by_id)
    swallowed = {part["Id"] for cell in merged for part in _related(cell, "CHILD", by_id)}
    single = [cell for cell in _related(table, "CHILD", by_id) if cell["Id"] not in swallowed]
    placed = [cell for cell in [*merged, *single] if cell.get("RowIndex") and cell.get("ColumnIndex")]
    for cell in sorted(placed, key=lambda cell: (cell["RowIndex"], cell["ColumnIndex"])):
        yield {
            "row": cell["RowIndex"],
            "column": cell["ColumnIndex"],
            "row_span": cell.get("RowSpan") or 1,
            "column_span": cell.get("ColumnSpan") or 1,
            "text": _text(cell, by_id),
            **_place(cell),
            "is_header": "COLUMN_HEADER" in (cell.get("EntityTypes") or ()),
        }


def _key_values(blocks: Sequence[Block], by_id: Mapping[str, Block]) -> Iterator[Element]:
    for key in _of_type(blocks, "KEY_VALUE_SET"):
        if "KEY" not in (key.get("EntityTypes") or ()):
            continue
        values = _related(key, "VALUE", by_id)
        label, value = _text(key, by_id), " ".join(filter(None, (_text(each, by_id) for each in values)))
        if label or value:
            yield {
                "key": label,
                "value": value,
                "confidence": _confidence(key),
                "key_box": _box(key),
                "value_box": _box(values[0]) if values else None,
            }


def _query(block: Block, by_id: Mapping[str, Block]) -> Element:
    """A question and the answer that the engine is surest of; None for the members of one that wasn't found."""
    query = block.get("Query") or {}
    answers = _related(block, "ANSWER", by_id)
    best = max(answers, key=lambda answer: answer.get("Confidence") or 0.0, default={})
    return {"text": query.get("Text"), "alias": query.get("Alias"), "answer": best.get("Text"), **_place(best)}


def _layout(blocks: Sequence[Block], by_id: Mapping[str, Block]) -> Iterator[Element]:
    """The page's parts in reading order. The items of a list are told as its lines: no text comes twice."""
    parts = [block for block in blocks if block["BlockType"].startswith(LAYOUT)]
    inside = {child["Id"] for part in parts for child in _related(part, "CHILD", by_id)}
    for part in parts:
        if part["Id"] not in inside:
            text = "\n".join(_layout_lines(part, by_id))
            yield {"type": part["BlockType"].removeprefix(LAYOUT), "text": text, **_place(part)}


def _layout_lines(part: Block, by_id: Mapping[str, Block]) -> Iterator[str]:
    for child in _related(part, "CHILD", by_id):
        if child["BlockType"].startswith(LAYOUT):
            yield " ".join(_texts(_related(child, "CHILD", by_id)))
        else:
            yield from _texts([child])


def _text(block: Block, by_id: Mapping[str, Block]) -> str:
    """The words and checkboxes in a block, or in the cells that it was merged from."""
    parts = _related(block, "CHILD", by_id)
    nested = (_related(part, "CHILD", by_id) if part["BlockType"] == "CELL" else [part] for part in parts)
    return " ".join(_texts(each for inner in nested for each in inner))


def _texts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        if block["BlockType"] == "SELECTION_ELEMENT":
            yield SELECTED if _is_selected(block) else NOT_SELECTED
        elif text := block.get("Text"):
            yield text


def _is_selected(block: Block) -> bool:
    return block.get("SelectionStatus") == "SELECTED"


def box_of(bounding_box: Mapping[str, float]) -> Element:
    """A box of ours: `left`, `top`, `width` and `height`, shares of the page, rounded."""
    return {
        "left": round(bounding_box["Left"], PLACES),
        "top": round(bounding_box["Top"], PLACES),
        "width": round(bounding_box["Width"], PLACES),
        "height": round(bounding_box["Height"], PLACES),
    }


def _place(block: Block) -> Element:
    return {"confidence": _confidence(block), "box": _box(block)}


def _confidence(block: Block) -> float | None:
    confidence = block.get("Confidence")
    return None if confidence is None else round(confidence, CONFIDENCE_PLACES)


def _box(block: Block) -> Element | None:
    box = (block.get("Geometry") or {}).get("BoundingBox")
    return box_of(box) if box else None


def _related(block: Block, relation: str, by_id: Mapping[str, Block]) -> list[Block]:
    return [
        by_id[each]
        for related in block.get("Relationships") or ()
        if related["Type"] == relation
        for each in related["Ids"]
        if each in by_id
    ]


def _of_type(blocks: Sequence[Block], kind: str) -> Iterator[Block]:
    return (block for block in blocks if block["BlockType"] == kind)
