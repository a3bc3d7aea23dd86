"""Real documents: their tables and forms come out as one sees them, and pages of running text have none."""

import zlib
from pathlib import Path

import orjson
import pytest

from app.ocr.blocks import PageAssembler, PageText
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.reading import read_page
from app.textract_server.readings import DocumentFile, PageRequest
from tests.textract_server.drawing import BOTH
from tests.textract_server.invariants import check_invariants

pytestmark = pytest.mark.corpus


def read(document: Path, page: int = 1) -> PageText:
    """A page of a document, from its bytes to what the pages' JSON tells of it."""
    kind = DocumentKind(document.suffix.removeprefix("."))
    packed = read_page(
        PageRequest(DocumentFile(document, kind), page, numbered=True, limits=ReadingLimits(), features=BOTH)
    ).packed
    blocks = [orjson.loads(row) for row in zlib.decompress(packed).split(b"\n")]
    check_invariants({"Blocks": blocks, "DocumentMetadata": {"Pages": 1}})
    assembler = PageAssembler()
    (text,) = [*assembler.add(blocks), *assembler.finish()]
    return text


def sizes(page: PageText) -> list[tuple[int, int]]:
    return [(table["rows"], table["columns"]) for table in page.tables]


def test_an_invoice(corpus: Path) -> None:
    page = read(corpus / "textract/pairs/sample-invoice.pdf")
    assert sizes(page) == [(5, 2), (2, 5), (3, 2)]
    assert [cell["text"] for cell in page.tables[1]["cells"]][:5] == [
        "Hrs/Qty",
        "Service",
        "Rate/Price",
        "Adjust",
        "Sub Total",
    ]
    assert {("Invoice Number", "INV-3337"), ("Due Date", "January 31, 2016"), ("BSB #", "4321 432")} <= {
        (each["key"], each["value"]) for each in page.key_values
    }


def test_a_form_with_checkboxes(corpus: Path) -> None:
    page = read(corpus / "textract/pairs/textractor-multipage-doc.pdf")
    assert sizes(page) == [(3, 5)]
    assert {each["key"]: each["value"] for each in page.key_values} == {
        "Name of package:": "Textractor",
        "Date :": "08/14/2022",
        "Selected Checkbox": "[x]",
        "Un-Selected Checkbox": "[ ]",
    }


def test_a_dense_table_on_its_side(corpus: Path) -> None:
    """Its figures are ruled only every five rows."""
    page = read(corpus / "documents/tables/nics-background-checks-2015-11-rotated.pdf")
    assert sizes(page) == [(58, 25)]
    rows = {cell["text"]: cell["row"] for cell in page.tables[0]["cells"] if cell["column"] == 1}
    texas = [cell["text"] for cell in page.tables[0]["cells"] if cell["row"] == rows["Texas"]]
    assert (texas[1:3], texas[-1]) == (["21,550", "56,941"], "146,982")


@pytest.mark.parametrize(
    ("name", "pages"),
    [("legal/sample_contract.pdf", 3), ("legal/missouri.pdf", 3), ("multicol/multi-column-2p.pdf", 2)],
)
def test_running_text_has_no_tables(corpus: Path, name: str, pages: int) -> None:
    for number in range(1, pages + 1):
        page = read(corpus / "documents" / name, number)
        assert page.tables == []
        assert page.selections == []
