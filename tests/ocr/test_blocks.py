"""From blocks to pages: portions may end anywhere, and nothing that doesn't add up gets through."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.errors import OcrResultInvalid
from app.ocr.blocks import PageAssembler, PageText
from tests.ocr.textract import Block, document_of, page_blocks


def assembled(*portions: list[Block]) -> list[PageText]:
    """The pages of a result that comes in these portions."""
    assembler = PageAssembler()
    pages = [page for portion in portions for page in assembler.add(portion)]
    pages += assembler.finish()
    assert assembler.pages_seen == len(pages)
    return pages


def test_it_makes_no_difference_where_a_portion_ends() -> None:
    """Cut at every position, a result of three pages, one of them blank, comes out the same."""
    blocks = [*page_blocks(1), *page_blocks(2, lines=0), *page_blocks(3, lines=3)]
    whole = assembled(blocks)
    assert [page.number for page in whole] == [1, 2, 3]
    assert whole[0].text == "p1l0w0 p1l0w1 p1l0w2\np1l1w0 p1l1w1 p1l1w2"
    assert [len(line["words"]) for line in whole[2].lines] == [3, 3, 3]
    for cut in range(len(blocks) + 1):
        assert assembled(blocks[:cut], blocks[cut:]) == whole, cut
        assert assembled(blocks[:cut], [], blocks[cut:]) == whole, cut


def test_it_makes_no_difference_how_many_portions_there_are() -> None:
    """Cut into random portions, two hundred times, the result comes out the same."""
    blocks = document_of(6, lines=5)
    whole = assembled(blocks)
    source = random.Random(7)
    for _ in range(200):
        cuts = sorted(source.choices(range(len(blocks)), k=source.randrange(1, 20)))
        portions = [blocks[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(blocks)], strict=True)]
        assert assembled(*portions) == whole, cuts


def test_a_page_is_given_out_as_soon_as_the_next_begins() -> None:
    """Memory holds one page, however long the document."""
    assembler = PageAssembler()
    assert list(assembler.add(page_blocks(1))) == []
    assert [page.number for page in assembler.add(page_blocks(2))] == [1]
    assert len(assembler._blocks) == len(page_blocks(2))


@pytest.mark.parametrize(("corner", "degrees"), [(0, 0), (1, 90), (2, 180), (3, 270)])
def test_how_far_a_page_is_turned(corner: int, degrees: int) -> None:
    """The polygon starts at the text's own top left, and goes clockwise."""
    (page,) = assembled(page_blocks(1, corner=corner))
    assert page.rotation_degrees == degrees


def test_a_page_without_page_numbers_is_the_first() -> None:
    """Synchronous answers name no page: they have only one."""
    blocks = [{name: value for name, value in block.items() if name != "Page"} for block in page_blocks(1)]
    (page,) = assembled(blocks)
    assert (page.number, page.word_count, page.confidence) == (1, 6, 99.5)


def test_a_blank_page_is_a_page() -> None:
    """It has no text, no words and no confidence."""
    (page,) = assembled(page_blocks(1, lines=0))
    assert (page.text, page.lines, page.word_count, page.confidence) == ("", [], 0, None)


@pytest.mark.parametrize("kind", ["a word of no page", "a word of another page", "no box", "no text", "no id", "null"])
def test_what_does_not_add_up_is_refused(kind: str) -> None:
    """A relationship that points nowhere or a member that is missing is a result that is not to be believed."""
    blocks: list[Any] = document_of(2)
    if kind == "a word of no page":
        blocks[1]["Relationships"][0]["Ids"].append("nobody")
    elif kind == "a word of another page":
        blocks[1]["Relationships"][0]["Ids"].append("WORD-p2l0w0")
    elif kind == "null":
        blocks[1]["Geometry"]["BoundingBox"] = None
    else:
        del blocks[1][{"no box": "Geometry", "no text": "Text", "no id": "Id"}[kind]]
    with pytest.raises(OcrResultInvalid):
        assembled(blocks)


def test_pages_out_of_order_are_refused() -> None:
    """A page that goes on after the next one began can't be put together any more."""
    with pytest.raises(OcrResultInvalid, match="page 1 came after page 2"):
        assembled(page_blocks(2), page_blocks(1))


@pytest.mark.corpus
def test_real_results_come_out_whole(corpus: Path) -> None:
    """Real responses of Textract, cut anywhere: each line and word is on its page, in order, and so is the text."""
    files = sorted((corpus / "textract").rglob("*.json"))
    assert len(files) > 10
    source = random.Random(11)
    for file in files:
        answers = json.loads(file.read_text())
        for answer in answers if isinstance(answers, list) else [answers]:
            blocks = answer.get("Blocks")
            if not blocks:
                continue
            whole = assembled(blocks)
            assert len(whole) == answer["DocumentMetadata"]["Pages"], file.name
            lines = [block["Text"] for block in blocks if block["BlockType"] == "LINE"]
            assert [line["text"] for page in whole for line in page.lines] == lines, file.name
            assert all(
                line["text"] == " ".join(word["text"] for word in line["words"])
                for page in whole
                for line in page.lines
            ), file.name
            for cut in source.choices(range(len(blocks)), k=5):
                assert assembled(blocks[:cut], blocks[cut:]) == whole, file.name
