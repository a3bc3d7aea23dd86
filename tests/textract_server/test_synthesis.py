"""Made-up pages: of so many lines, or of those given."""

from typing import Any

import orjson

from app.textract_server.synthesis import SyntheticPages

JOB = "0123456789abcdef" * 4


def _lines(pages: SyntheticPages) -> list[tuple[int, str]]:
    portion = pages.portion(JOB, 2, frozenset(), 0, 1000)
    blocks: list[dict[str, Any]] = orjson.loads(orjson.dumps(portion.blocks))
    return [(block["Page"], block["Text"]) for block in blocks if block["BlockType"] == "LINE"]


def test_pages_say_what_they_are_given() -> None:
    """The same on each page, however many words a line has; else lines of eight words that name their page."""
    letter = ("Dear Ms. Whitcombe:", "We write on behalf of Amber Tile Works, Inc. about the seven heavy crates.")
    assert _lines(SyntheticPages(22, frozenset(), letter)) == [(page, line) for page in (1, 2) for line in letter]
    made_up = _lines(SyntheticPages(3, frozenset()))
    assert [page for page, _ in made_up] == [1, 1, 1, 2, 2, 2]
    assert made_up[3][1].startswith("Page 2 ")


def test_words_of_long_lines_stay_on_the_page() -> None:
    """Their boxes are shares of it, and don't overlap."""
    portion = SyntheticPages(22, frozenset(), ("word " * 30,)).portion(JOB, 1, frozenset(), 0, 1000)
    blocks = orjson.loads(orjson.dumps(portion.blocks))
    boxes = [block["Geometry"]["BoundingBox"] for block in blocks if block["BlockType"] == "WORD"]
    assert len(boxes) == 30
    ends = [box["Left"] + box["Width"] for box in boxes]
    assert all(end <= after["Left"] for end, after in zip(ends, boxes[1:], strict=False))
    assert max(ends) < 1
