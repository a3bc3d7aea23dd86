"""What a page's own text adds to what was read by the page's looks."""

import zlib
from pathlib import Path

import orjson
import pytest
from PIL import Image, ImageDraw

from app.textract_server.geometry import QuarterTurns, union
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.missed_lines import with_missed_lines
from app.textract_server.reading import read_page
from app.textract_server.readings import DocumentFile, PageReading, PageRequest, Word
from tests.textract_server.drawing import HEIGHT, WIDTH, Drawing

BODY = ["affirmed in all other respects", "James Dowd Judge", "Angela Quigless concurs"]
SIGNED = 1


def page() -> Drawing:
    drawing = Drawing()
    for number, (line, left) in enumerate(zip(BODY, (200, 1000, 200), strict=True)):
        drawing.text(left, 900 + 60 * number, line)
    return drawing


def read(drawing: Drawing, *, turns: QuarterTurns = QuarterTurns.NONE) -> tuple[PageReading, PageReading]:
    """What was read, without the line that was signed across, and the page's own text."""
    lines = tuple(drawing.lines)
    return PageReading((*lines[:SIGNED], *lines[SIGNED + 1 :])), PageReading(lines, turns)


def texts(reading: PageReading) -> list[str]:
    return [" ".join(word.text for word in line) for line in reading.lines]


def covered(drawing: Drawing, tone: int) -> Image.Image:
    """The page with a framed box over the line, as those that black something out draw them."""
    box = union([word.box for word in drawing.lines[SIGNED]])
    edges = (box.left * WIDTH - 4, box.top * HEIGHT - 4, box.right * WIDTH + 4, box.bottom * HEIGHT + 9)
    ImageDraw.Draw(drawing.image).rectangle(edges, fill=tone, outline=0, width=3)
    return drawing.image


def test_a_line_that_was_signed_across_is_added_where_it_stands() -> None:
    drawing = page()
    first, own = read(drawing)
    ImageDraw.Draw(drawing.image).arc((950, 880, 1300, 1000), 0, 360, fill=0, width=4)
    assert texts(with_missed_lines(first, own, drawing.image)) == BODY


@pytest.mark.parametrize("tone", [0, 90, 255])
def test_a_line_that_was_covered_is_not_told(tone: int) -> None:
    """Blacked out, or painted over: its text is still in the file, and nobody is to see it."""
    drawing = page()
    first, own = read(drawing)
    assert with_missed_lines(first, own, covered(drawing, tone)) == first


def test_nothing_is_told_twice() -> None:
    """Where anything was read, however badly, it stays; and a page that was read turned has its places elsewhere."""
    drawing = page()
    first, own = read(drawing)
    word = own.lines[SIGNED][1]
    badly = PageReading((*first.lines, (Word("Dovvd", 50.0, word.box),)))
    assert with_missed_lines(badly, own, drawing.image) == badly
    turned = read(drawing, turns=QuarterTurns.ONE)[1]
    assert with_missed_lines(first, turned, drawing.image) == first


@pytest.mark.corpus
def test_a_judge_who_signed_across_their_name(corpus: Path) -> None:
    """The stamp is no part of the text, and Tesseract finds none of the line beneath it."""
    document = DocumentFile(corpus / "documents/legal/missouri.pdf", DocumentKind.PDF)
    packed = read_page(PageRequest(document, 5, numbered=True, limits=ReadingLimits())).packed
    blocks = [orjson.loads(row) for row in zlib.decompress(packed).split(b"\n")]
    lines = [block["Text"] for block in blocks if block["BlockType"] == "LINE"]
    at = lines.index("James M. Dowd, Judge")
    assert lines[at - 1].startswith("affirmed in all")
    assert lines[at + 1].startswith("Angela T. Quigless")
