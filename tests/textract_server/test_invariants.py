"""The checker itself is right: what AWS has really answered passes it, and what breaks the contract doesn't."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.textract_server.blocks import pack, page_blocks, unpack
from app.textract_server.geometry import Box, QuarterTurns
from app.textract_server.readings import PageReading, Word
from tests.textract_server.invariants import check_detection, check_invariants

# Made by hand or written to S3 with nulls: not what the API answers.
NOT_ANSWERS = {"test-failed-response.json", "test-inprogress-response.json", "issue_83.json"}


@pytest.mark.corpus
def test_real_responses_keep_the_invariants(corpus: Path) -> None:
    files = [file for file in sorted(corpus.glob("textract/*/*.json")) if file.name not in NOT_ANSWERS]
    for file in files:
        check_invariants(json.loads(file.read_text()))
    assert len(files) > 10


def result(turns: QuarterTurns = QuarterTurns.NONE) -> dict[str, Any]:
    reading = PageReading(
        (
            (Word("Good", 97.0, Box(0.1, 0.1, 0.2, 0.12)), Word("morning", 96.0, Box(0.22, 0.1, 0.4, 0.13))),
            (Word("all", 90.0, Box(0.1, 0.2, 0.15, 0.22)),),
        ),
        turns,
    )
    blocks = [*page_blocks(reading, 1), *page_blocks(PageReading(), 2)]
    return {"DocumentMetadata": {"Pages": 2}, "Blocks": blocks, "DetectDocumentTextModelVersion": "1.0"}


@pytest.mark.parametrize("turns", QuarterTurns)
def test_our_blocks_keep_them_however_the_page_lies(turns: QuarterTurns) -> None:
    check_detection(result(turns), numbered=True)


@pytest.mark.parametrize(
    ("turns", "corner"),
    [
        (QuarterTurns.NONE, (0, 0)),
        (QuarterTurns.THREE, (1, 0)),
        (QuarterTurns.TWO, (1, 1)),
        (QuarterTurns.ONE, (0, 1)),
    ],
)
def test_a_turned_pages_polygon_starts_at_the_texts_own_top_left(turns: QuarterTurns, corner: tuple[int, int]) -> None:
    first = result(turns)["Blocks"][0]["Geometry"]["Polygon"][0]
    assert (first["X"], first["Y"]) == corner


def test_a_blank_page_has_no_relationships() -> None:
    (sheet,) = page_blocks(PageReading(), 1)
    assert "Relationships" not in sheet


def test_packed_blocks_come_back_one_by_one() -> None:
    packed = pack(result()["Blocks"])
    assert packed.block_count == len(unpack(packed.packed)) == 7


def drop_word(answer: dict[str, Any]) -> None:
    answer["Blocks"].pop()
    answer["Blocks"].pop()


def swap_lines(answer: dict[str, Any]) -> None:
    blocks = answer["Blocks"]
    blocks[1], blocks[2] = blocks[2], blocks[1]


def change_text(answer: dict[str, Any]) -> None:
    answer["Blocks"][1]["Text"] += "!"


def null_member(answer: dict[str, Any]) -> None:
    answer["Blocks"][0]["Text"] = None


def shift_box(answer: dict[str, Any]) -> None:
    answer["Blocks"][1]["Geometry"]["BoundingBox"]["Left"] += 0.01


def drop_page_count(answer: dict[str, Any]) -> None:
    answer["DocumentMetadata"]["Pages"] = 1


def same_ids(answer: dict[str, Any]) -> None:
    answer["Blocks"][2]["Id"] = answer["Blocks"][1]["Id"]


@pytest.mark.parametrize(
    "damage", [drop_word, swap_lines, change_text, null_member, shift_box, drop_page_count, same_ids]
)
def test_the_checker_sees_damage(damage: Callable[[dict[str, Any]], None]) -> None:
    damaged = copy.deepcopy(result())
    damage(damaged)
    with pytest.raises((AssertionError, KeyError)):
        check_detection(damaged, numbered=True)
