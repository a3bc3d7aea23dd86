"""Real documents: court filings as their text layers and as Tesseract give them, and what Textract itself said."""

import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.ocr.blocks import PageAssembler, PageText
from app.text.chunking import ChunkLimits, chunk
from app.text.elements import Element, Kind
from app.text.lines import PageContent
from app.text.tokens import count_tokens
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.reading import inspect_document, read_page
from app.textract_server.readings import DocumentFile, PageRequest
from tests.text import test_chunking
from tests.text.typesetting import read, text_of

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(300)]

FILINGS = (
    "ca10_010110462922", "ca2_1-1", "ca5_00516242060", "cafc_3", "gov.uscourts.cacd.652774.40.0", "missouri",
    "sample_contract",
)  # fmt: skip
PLEADING = "gov.uscourts.cacd.652774.40.0"


def content(page: PageText) -> PageContent:
    return PageContent(
        page.number, page.text, page.lines, {"tables": page.tables, "layout": page.layout}, page.rotation_degrees
    )


def pages_of(blocks: Sequence[dict[str, Any]]) -> list[PageContent]:
    assembler = PageAssembler()
    return [content(page) for page in [*assembler.add(blocks), *assembler.finish()]]


@cache
def filing(path: Path, *, uses_text_layer: bool = True) -> list[PageContent]:
    """A filing's pages, read as the embedded engine reads them."""
    found, limits = (
        inspect_document(DocumentFile(path, DocumentKind.PDF)),
        ReadingLimits(uses_text_layer=uses_text_layer),
    )
    blocks: list[dict[str, Any]] = []
    for number in range(1, found.page_count + 1):
        packed = read_page(PageRequest(found.file, number, numbered=True, limits=limits)).packed
        blocks += [orjson.loads(row) for row in zlib.decompress(packed).split(b"\n")]
    return pages_of(blocks)


def elements_of(corpus: Path, name: str) -> list[Element]:
    return read(filing(corpus / f"documents/legal/{name}.pdf"))


def of_kind(elements: Sequence[Element], *kinds: Kind) -> list[str]:
    return [element.text for element in elements if element.kind in kinds]


@pytest.mark.parametrize("name", FILINGS)
def test_elements_and_chunks_of_filings_point_at_what_they_say(corpus: Path, name: str) -> None:
    """All that stands on the pages is in one element, and all of the body in chunks."""
    pages = filing(corpus / f"documents/legal/{name}.pdf")
    elements = read(pages)
    for limits in (ChunkLimits(), ChunkLimits(60, 20, 20)):
        test_chunking.check(list(chunk(elements, limits, count_tokens)), elements, text_of(pages), limits)


def test_what_textract_gives_is_read_whole(corpus: Path) -> None:
    """Responses of AWS itself, with and without tables, layout and turned pages."""
    seen = Counter[Kind]()
    for path in sorted((corpus / "textract").rglob("*.json")):
        told = orjson.loads(path.read_bytes())
        blocks = sorted(told.get("Blocks") or (), key=lambda block: block.get("Page") or 1)
        pages = pages_of(blocks)
        elements = read(pages)
        seen.update(element.kind for element in elements)
        test_chunking.check(list(chunk(elements, ChunkLimits(), count_tokens)), elements, text_of(pages), ChunkLimits())
    assert seen[Kind.TABLE_ROW] > 50
    assert seen[Kind.HEADING] > 5


def test_pleading_paper(corpus: Path) -> None:
    """Its 28 numbers a page, the court's stamp and the footer are kept apart, and paragraphs run on over the page."""
    elements = elements_of(corpus, PLEADING)
    assert Counter(of_kind(elements, Kind.LINE_NUMBER)) == {str(number): 4 for number in range(1, 29)}
    assert all(text.startswith("Case 8:16-cv-01261") for text in of_kind(elements, Kind.HEADER))
    assert Counter(of_kind(elements, Kind.FOOTER)) == {"ORDER": 4, "8:16-cv-1261-DOC (KESx)": 4}
    assert of_kind(elements, Kind.PAGE_MARK) == ["-2-", "-3-", "-4-"]
    (over,) = [text for text in of_kind(elements, Kind.LIST_ITEM) if text.startswith("1. Defendant Leon")]
    assert "are enjoined from the unauthorized use, duplication" in over
    assert [text[:4] for text in of_kind(elements, Kind.LIST_ITEM)] == [
        "1. D",
        "(a) ",
        "(b) ",
        "(c) ",
        "(d) ",
        "2. D",
        "3. T",
    ]


def test_pleading_paper_from_its_picture(corpus: Path) -> None:
    """As Tesseract reads it, which loses some of the numbers: none comes into the text."""
    elements = read(filing(corpus / f"documents/legal/{PLEADING}.pdf", uses_text_layer=False))
    assert len(of_kind(elements, Kind.LINE_NUMBER)) > 60
    items = of_kind(elements, Kind.LIST_ITEM)
    assert [text[:4] for text in items] == ["1. D", "(a) ", "(b) ", "(c) ", "(d) ", "2. D", "3. T"]
    assert "enjoined from the unauthorized use, duplication, or distribution of" in items[0]


def test_an_opinion(corpus: Path) -> None:
    """Headings and their levels, footnotes, a header that says the same on each page, paragraphs over pages."""
    elements = elements_of(corpus, "ca5_00516242060")
    headings = of_kind(elements, Kind.HEADING)
    expected = ["I. Facts & Procedural Background", "II. Standard of Review", "III. Discussion", "IV. Conclusion"]
    assert [text for text in headings if text in expected] == expected
    assert {element.level for element in elements if element.text in expected} == {2}
    assert of_kind(elements, Kind.PAGE_MARK) == [str(number) for number in range(2, 11)]
    assert of_kind(elements, Kind.HEADER).count("No. 21-50498") == 9
    (over,) = [each for each in elements if each.text.startswith("This case arises from a dispute")]
    assert (over.page, over.last_page) == (1, 2)
    assert "National Life Insurance Company (“Dearborn”) (collectively" in over.text
    notes = [text for text in of_kind(elements, Kind.PARAGRAPH) if text.startswith("1 “Pending")]
    assert notes == ["1 “Pending E of I” is shorthand for “Pending Evidence of Insurability.”"]


def test_a_caption_is_read_column_by_column(corpus: Path) -> None:
    """The parties on the left are not mixed with the case's number on the right."""
    text = "\n".join(of_kind(elements_of(corpus, PLEADING), Kind.PARAGRAPH, Kind.HEADING)).replace("\n", " ")
    assert "CONSUMERINFO.COM, INC. dba EXPERIAN CONSUMER SERVICES," in text
    assert "ESTEBAN LEON; and DOES 1 through 10, inclusive," in text


def test_stamps_and_addresses_head_no_chunks(corpus: Path) -> None:
    """Of filings with a clerk's stamp, a judge's letter in the corner, and names over addresses and signatures."""
    for name, heads in (
        ("ca10_010110462922", ["ORDER"]),
        ("cafc_3", ["UNITED STATES COURT OF APPEALS FOR THE FEDERAL CIRCUIT", "ENTRY OF APPEARANCE", "CERTIFICATE OF SERVICE"]),
        (PLEADING, ["UNITED STATES DISTRICT COURT CENTRAL DISTRICT OF CALIFORNIA", "THUS, IT IS HEREBY ORDERED THAT:"]),
    ):  # fmt: skip
        assert of_kind(elements_of(corpus, name), Kind.HEADING) == heads
    contract = elements_of(corpus, "sample_contract")
    told = {"COMMISSION", "CONSULTANT:", "COMMISSION:", "SIGNED", "PRINTED", "1. CONSULTANT"}
    assert told.isdisjoint(of_kind(contract, Kind.HEADING))
    heads = [each.heading or "" for each in chunk(contract, ChunkLimits(), count_tokens)]
    assert not any("COMMISSION" in head.split(" > ") for head in heads)
    numbers = {head.split(" > ")[1].split()[0] for head in heads if " > " in head}
    assert {"5.", "6.", "8.", "9.", "12.", "13.", "15.", "17.", "18.", "19.", "20.", "23.", "24."} <= numbers
    levels = {each.text.split()[0]: each.level for each in contract if each.kind is Kind.LIST_ITEM}
    assert levels["9."] == levels["10."] == levels["11."] == levels["18."] == 1
