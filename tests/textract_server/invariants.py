"""What every result of Textract keeps, checked: the contract that its parsers are built on."""

import itertools
import re
from statistics import fmean
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DETECTED = ["PAGE", "LINE", "WORD"]
TOLERANCE = 1e-4


def check_invariants(result: dict[str, Any]) -> None:
    """Assert all of them on a result whose pages of blocks have been joined."""
    blocks = result["Blocks"]
    by_id = {block["Id"]: block for block in blocks}
    assert len(by_id) == len(blocks), "ids are unique"
    assert all(UUID.fullmatch(each) for each in by_id), "ids are UUIDs"
    sheets = [block for block in blocks if block["BlockType"] == "PAGE"]
    assert len(sheets) == result["DocumentMetadata"]["Pages"], "as many PAGEs as pages"
    assert blocks[0]["BlockType"] == "PAGE"
    for block in blocks:
        check_block(block, by_id)
    for group in pages(blocks):
        check_page(group, by_id)
    assert_no_nulls(result)


def check_detection(result: dict[str, Any], *, numbered: bool) -> None:
    """Assert the invariants, and what text detection alone keeps."""
    check_invariants(result)
    for number, group in enumerate(pages(result["Blocks"]), start=1):
        kinds = [block["BlockType"] for block in group]
        assert [kind for kind, _ in itertools.groupby(kinds)] == DETECTED[: len(set(kinds))], "PAGE, LINEs, WORDs"
        assert all(block.get("Page") == (number if numbered else None) for block in group)
    assert all("RotationAngle" not in block["Geometry"] for block in result["Blocks"])
    assert result["DetectDocumentTextModelVersion"] == "1.0"
    assert not {"NextToken"} & result.keys()


def pages(blocks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Cut the blocks before each PAGE."""
    groups: list[list[dict[str, Any]]] = []
    for block in blocks:
        if block["BlockType"] == "PAGE":
            groups.append([])
        groups[-1].append(block)
    return groups


def check_block(block: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> None:
    kind = block["BlockType"]
    assert ("TextType" in block) == (kind == "WORD"), "TextType on words only"
    if kind in DETECTED:
        check_geometry(block["Geometry"])
    if kind == "PAGE":
        assert "Text" not in block
        assert "Confidence" not in block
    if kind == "LINE":
        words = children(block, by_id)
        assert block["Text"] == " ".join(word["Text"] for word in words)
        assert abs(block["Confidence"] - fmean(word["Confidence"] for word in words)) < TOLERANCE
        check_extent(block, words)
    if kind == "WORD":
        assert not block.get("Relationships")
        assert 0 <= block["Confidence"] <= 100


def check_geometry(geometry: dict[str, Any]) -> None:
    box, polygon = geometry["BoundingBox"], geometry["Polygon"]
    across, down = [point["X"] for point in polygon], [point["Y"] for point in polygon]
    assert len(polygon) == 4
    assert all(-TOLERANCE <= value <= 1 + TOLERANCE for value in (*across, *down))
    expected = (min(across), min(down), max(across) - min(across), max(down) - min(down))
    stated = (box["Left"], box["Top"], box["Width"], box["Height"])
    assert all(abs(one - other) < TOLERANCE for one, other in zip(expected, stated, strict=True))


def check_extent(line: dict[str, Any], words: list[dict[str, Any]]) -> None:
    """A LINE reaches from the leftmost of its WORDs to the rightmost."""
    box = line["Geometry"]["BoundingBox"]
    boxes = [word["Geometry"]["BoundingBox"] for word in words]
    left, right = min(each["Left"] for each in boxes), max(each["Left"] + each["Width"] for each in boxes)
    assert abs(box["Left"] - left) < 1e-3
    assert abs(box["Left"] + box["Width"] - right) < 1e-3


def check_page(group: list[dict[str, Any]], by_id: dict[str, dict[str, Any]]) -> None:
    sheet, *rest = group
    own = {block["Id"] for block in group}
    lines = [block["Id"] for block in rest if block["BlockType"] == "LINE"]
    assert [block["Id"] for block in children(sheet, by_id) if block["BlockType"] == "LINE"] == lines
    for block in group:
        for relation in block.get("Relationships") or []:
            assert relation["Ids"], "no empty relationship"
            assert own.issuperset(relation["Ids"]), "none dangles or crosses pages"


def children(block: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    relations = block.get("Relationships") or []
    return [by_id[each] for relation in relations if relation["Type"] == "CHILD" for each in relation["Ids"]]


def assert_no_nulls(value: Any) -> None:
    assert value is not None, "absent, not null"
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        assert_no_nulls(each)
