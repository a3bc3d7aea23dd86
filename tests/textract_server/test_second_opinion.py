"""Pages that Tesseract is unsure of are read again by another engine, and the better reading counts."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein

from app.textract_server.failures import FailureCode, PageError
from app.textract_server.formats import Raster
from app.textract_server.geometry import QuarterTurns
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.opinions import SecondOpinions
from app.textract_server.readings import DocumentFile, PageBlocks, PageRequest, ReadBy, ReadingFacts
from app.textract_server.second_opinion import second_reading
from tests.textract_server import sheets
from tests.textract_server.invariants import check_detection
from tests.textract_server.running import TextractServer, text_of

UNSURE = ReadingFacts(ReadBy.TESSERACT, 50.0, 0.0, QuarterTurns.NONE, is_blank=False)
REQUEST = PageRequest(DocumentFile(Path("document"), DocumentKind.PNG), 1, numbered=True, limits=ReadingLimits())
BETTER = PageBlocks(b"better", 1)


@dataclass
class Answering:
    """A slot that gives one answer, or fails."""

    answer: PageBlocks | None = BETTER
    error: PageError | None = None
    asked: list[Any] = field(default_factory=list)

    async def call(self, *call: Any) -> PageBlocks | None:
        self.asked.append(call)
        if self.error is not None:
            raise self.error
        return self.answer


async def considered(slot: Answering, **facts: Any) -> PageBlocks:
    first = PageBlocks(b"first", 1, replace(UNSURE, **facts))
    return await SecondOpinions(slot, 85.0).consider(REQUEST, first)  # type: ignore[arg-type]  # it needs no more of a slot


async def test_an_unsure_page_gets_the_better_reading() -> None:
    assert await considered(Answering()) is BETTER


@pytest.mark.parametrize("facts", [{"confidence": 85.0}, {"read_by": ReadBy.TEXT_LAYER}, {"is_blank": True}])
async def test_pages_that_are_sure_written_or_blank_are_not_asked_about(facts: dict[str, Any]) -> None:
    slot = Answering()
    assert (await considered(slot, **facts)).packed == b"first"
    assert not slot.asked


async def test_the_first_reading_stands_where_the_second_is_no_better_or_fails() -> None:
    assert (await considered(Answering(answer=None))).packed == b"first"
    failing = Answering(error=PageError(FailureCode.INTERNAL, "The process that was reading died."))
    assert (await considered(failing)).packed == b"first"


def test_words_come_in_reading_order_with_places_and_confidence() -> None:
    reading = second_reading(Raster(sheets.picture(), 200), replace(UNSURE, confidence=80.0))
    assert reading is not None
    assert reading.read_by is ReadBy.SECOND_OPINION
    lines = [" ".join(word.text for word in line) for line in reading.lines]
    assert Levenshtein.distance("\n".join(lines), "\n".join(sheets.SENTENCES)) < 12
    words = [word for line in reading.lines for word in line]
    assert all(0 <= word.box.left < word.box.right <= 1 and 0 <= word.confidence <= 100 for word in words)
    assert not any(word.handwritten for word in words)


def test_a_second_reading_that_is_no_better_is_none() -> None:
    assert second_reading(Raster(sheets.picture(), 200), replace(UNSURE, evidence=1e9)) is None


def test_a_page_is_read_turned_as_it_was_found_to_stand() -> None:
    turned = Raster(sheets.turned(sheets.picture(), 90), 200)
    reading = second_reading(turned, replace(UNSURE, turns=QuarterTurns.THREE))
    assert reading is not None
    assert reading.turns is QuarterTurns.THREE
    assert reading.lines[0][0].text.startswith("The")


@pytest.mark.corpus
def test_handwriting_is_read_and_said_to_be(
    own_server: Callable[..., TextractServer], corpus: Path, tmp_path: Path
) -> None:
    """A letter of 1905: nine of ten characters, where Tesseract reads next to none."""
    trace = tmp_path / "trace.jsonl"
    server = own_server(OCR_SECOND_OPINION="on", TEXTRACT_SERVER_TRACE_FILE=str(trace))
    result = server.read((corpus / "documents/handwriting/Lettre251.jpg").read_bytes(), seconds=110)
    check_detection(result, numbered=True)
    words = [block for block in result["Blocks"] if block["BlockType"] == "WORD"]
    assert {word["TextType"] for word in words} == {"HANDWRITING"}
    truth = (corpus / "documents/gt/handwriting/Lettre251.jpg.txt").read_text().casefold().split()
    read = text_of(result).casefold().split()
    assert Levenshtein.distance(" ".join(read), " ".join(truth)) < 0.35 * len(" ".join(truth))
    assert json.loads(trace.read_text().splitlines()[-1])["read_by"] == "second_opinion"


def test_blank_paper_is_not_asked_about(own_server: Callable[..., TextractServer], tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    server = own_server(OCR_SECOND_OPINION="on", TEXTRACT_SERVER_TRACE_FILE=str(trace))
    server.read(sheets.encoded(Image.new("L", (1700, 2200), 255), "PNG"))
    assert json.loads(trace.read_text())["read_by"] == "tesseract"
