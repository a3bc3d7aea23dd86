"""Born-digital pages are read from their own text, and pages whose text can't be trusted are not."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from reportlab.lib.pagesizes import letter  # type: ignore[import-untyped]  # it ships no types
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types

from app.textract_server.formats import PdfDocument
from app.textract_server.geometry import QuarterTurns, union
from app.textract_server.readings import PageReading, ReadBy
from tests.textract_server import sheets
from tests.textract_server.invariants import check_detection
from tests.textract_server.running import TextractServer, text_of

Draw = Callable[[Any], None]


def drawn(draw: Draw) -> bytes:
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=letter)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def layer(content: bytes, folder: Path) -> PageReading | None:
    path = folder / "document.pdf"
    path.write_bytes(content)
    document = PdfDocument(path)
    try:
        return document.text(1)
    finally:
        document.close()


def lines(reading: PageReading | None) -> list[str]:
    assert reading is not None
    return [" ".join(word.text for word in line) for line in reading.lines]


def prose(canvas: Any, left: float = 72, first: float = 700, step: float = 22) -> None:
    for number, line in enumerate(sheets.SENTENCES):
        canvas.drawString(left, first - step * number, line)


def test_written_text_is_read_as_it_stands(tmp_path: Path) -> None:
    """Words, their lines, their places on the page, and that they were not guessed."""
    reading = layer(drawn(prose), tmp_path)
    assert lines(reading) == list(sheets.SENTENCES)
    assert reading is not None
    assert reading.read_by is ReadBy.TEXT_LAYER
    assert reading.confidence > 99
    box = union([word.box for word in reading.lines[0]])
    assert (box.left, box.bottom) == pytest.approx((72 / 612, 1 - 700 / 792), abs=0.01)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_shown_turned_says_how_it_must_be_turned(tmp_path: Path, degrees: int) -> None:
    reading = layer(sheets.turned_by_entry(drawn(prose), degrees), tmp_path)
    assert lines(reading) == list(sheets.SENTENCES)
    assert reading is not None
    assert reading.turns is QuarterTurns.from_degrees(-degrees)
    upright = union([word.box for word in reading.lines[0]])
    assert upright.left == pytest.approx(72 / 612, abs=0.01)


def picture_over(canvas: Any, share: float) -> None:
    prose(canvas)
    height = share * letter[1]
    canvas.drawImage(ImageReader(sheets.picture()), 0, 0, letter[0], height)


def unseen(canvas: Any) -> None:
    text = canvas.beginText(72, 700)
    text.setTextRenderMode(3)
    for line in sheets.SENTENCES:
        text.textLine(line)
    canvas.drawText(text)


def white(canvas: Any) -> None:
    canvas.setFillColorRGB(1, 1, 1)
    prose(canvas)


def gibberish(canvas: Any) -> None:
    for number, line in enumerate(sheets.SENTENCES):
        shifted = "".join(
            chr((ord(letter) - 97 + 9) % 26 + 97) if letter.isalpha() else letter for letter in line.lower()
        )
        canvas.drawString(72, 700 - 22 * number, shifted)


def stamp(canvas: Any) -> None:
    canvas.drawString(60, 770, "Case 2:12-cv-01234-ABC   Document 17   Filed 03/18/14   Page 1 of 9   Page ID #:365")


def filled_in(canvas: Any) -> None:
    prose(canvas)
    canvas.acroForm.textfield(name="name", value="Jane Roe", x=72, y=400)


@pytest.mark.parametrize(
    "draw", [lambda canvas: picture_over(canvas, 0.5), unseen, white, gibberish, stamp, filled_in, lambda canvas: None]
)
def test_what_the_layer_does_not_show_is_read_by_looks(tmp_path: Path, draw: Draw) -> None:
    """A scan under text, unseen text, gibberish, nothing but a stamp, and fields filled in beside the text."""
    assert layer(drawn(draw), tmp_path) is None


def crooked(canvas: Any) -> None:
    gibberish(canvas)
    canvas.acroForm.textfield(name="name", value="Jane Roe", x=72, y=400)


@pytest.mark.parametrize(("draw", "is_told"), [(filled_in, True), (prose, False), (crooked, False)])
def test_the_layer_under_annotations_is_told_where_it_can_be_trusted(tmp_path: Path, draw: Draw, is_told: bool) -> None:
    """Of pages that are read by their looks for their fields and notes alone; of others it is of no use."""
    path = tmp_path / "document.pdf"
    path.write_bytes(drawn(draw))
    document = PdfDocument(path)
    try:
        under = document.text_under_annotations(1)
    finally:
        document.close()
    assert (under is not None) == is_told
    if is_told:
        assert lines(under) == list(sheets.SENTENCES)


def test_an_emblem_and_white_letters_on_a_dark_ground_are_no_reason_to_distrust(tmp_path: Path) -> None:
    def letterhead(canvas: Any) -> None:
        picture_over(canvas, 0.03)
        canvas.rect(60, 740, 400, 30, fill=1)
        canvas.setFillColorRGB(1, 1, 1)
        canvas.drawString(72, 750, "Statement of the Account of the Customer")

    assert "Statement of the Account of the Customer" in lines(layer(drawn(letterhead), tmp_path))


def test_columns_are_read_one_after_the_other_whatever_the_order_they_were_drawn_in(tmp_path: Path) -> None:
    def page(canvas: Any) -> None:
        canvas.setFont("Helvetica", 9)
        for number, line in enumerate(sheets.SENTENCES):
            canvas.drawString(320, 700 - 14 * number, f"right {line}")
            canvas.drawString(60, 700 - 14 * number, f"left {line}")

    read = [line.split()[0] for line in lines(layer(drawn(page), tmp_path))]
    assert read == ["left"] * len(sheets.SENTENCES) + ["right"] * len(sheets.SENTENCES)


def test_margin_numbers_stand_with_their_lines_though_they_are_drawn_first(tmp_path: Path) -> None:
    def pleading(canvas: Any) -> None:
        for number in range(28):
            canvas.drawRightString(60, 720 - 24 * number, str(number + 1))
        for number in range(28):
            canvas.drawString(80, 720 - 24 * number, f"{sheets.SENTENCES[number % 5]} and so on")

    read = lines(layer(drawn(pleading), tmp_path))
    numbers = [read.index(str(number)) for number in range(1, 29)]
    assert [read[place + 1] for place in numbers[:5]] == [f"{sentence} and so on" for sentence in sheets.SENTENCES]
    assert numbers == sorted(numbers)


def test_a_header_drawn_last_comes_first(tmp_path: Path) -> None:
    def page(canvas: Any) -> None:
        prose(canvas)
        canvas.drawString(72, 760, "Record of the hearing")

    assert lines(layer(drawn(page), tmp_path))[0] == "Record of the hearing"


def test_control_characters_and_ligatures_come_out_clean(tmp_path: Path) -> None:
    """A font's own table may say that a glyph means a hyphen at the end of a line, or two letters at once."""
    content = drawn(prose)
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        mapping = b"1 beginbfchar <66> <FB01> endbfchar"
        font = next(iter(pdf.pages[0].Resources.Font.values()))
        font.ToUnicode = pdf.make_stream(b"begincmap 1 begincodespacerange <00><FF> endcodespacerange " + mapping)
        pdf.save(stream)
    assert any("ofi" in line for line in lines(layer(stream.getvalue(), tmp_path)))


def test_the_server_reads_both_ways_and_says_the_same(own_server: Callable[..., TextractServer]) -> None:
    """A page read from its text and the same page as a picture give the same lines, in the same places."""
    server = own_server(OCR_TEXT_LAYER="auto")
    written = server.read(drawn(prose))
    check_detection(written, numbered=True)
    assert text_of(written) == "\n".join(sheets.SENTENCES)
    looked_at = own_server_without_layer(server, drawn(prose))
    assert text_of(looked_at) == text_of(written)
    for first, second in zip(boxes(written), boxes(looked_at), strict=True):
        assert first == pytest.approx(second, abs=0.015)


def own_server_without_layer(server: TextractServer, content: bytes) -> dict[str, Any]:
    server.stop()
    server.settings["OCR_TEXT_LAYER"] = "never"
    server.start()
    return server.read(content)


def boxes(result: dict[str, Any]) -> list[tuple[float, float, float]]:
    found = [block["Geometry"]["BoundingBox"] for block in result["Blocks"] if block["BlockType"] == "LINE"]
    return [(box["Left"], box["Top"], box["Width"]) for box in found]


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name",
    ["textlayer_traps/ocr_pdf_variation.pdf", "textlayer_traps/truetype_font_nomapping.pdf", "legal/image-pdf-2.pdf"],
)
def test_real_traps_are_not_fallen_into(corpus: Path, tmp_path: Path, name: str) -> None:
    assert layer((corpus / "documents" / name).read_bytes(), tmp_path) is None


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["legal/ca2_1-1.pdf", "legal/cafc_3.pdf", "legal/sample_contract.pdf"])
def test_real_filings_are_read_from_their_text(corpus: Path, tmp_path: Path, name: str) -> None:
    truth = (corpus / f"documents/gt/{name}.txt").read_text().split()
    words = " ".join(lines(layer((corpus / "documents" / name).read_bytes(), tmp_path))).split()
    assert words
    assert len([word for word in words if word in truth]) > 0.98 * len(words)
