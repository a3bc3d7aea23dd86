"""PDFs larger than a part: every page comes out once, in order, and looks as it did."""

import io
import os
import random
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Name
from reportlab.lib.pagesizes import LETTER  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # the same

from app.documents.intake import MediaType
from app.documents.splitting import SplitResult
from app.errors import DocumentCorrupt, DocumentEncrypted, PageTooLarge
from tests.documents import letter, padded
from tests.splitting.conftest import SMALL, Splitter
from tests.splitting.looks import page_numbers, pdf_pages, sizes


def scans(*sides: int) -> bytes:
    """A PDF with a page for each side: a square of so many pixels, a byte each, that don't compress."""
    document, file = pikepdf.new(), io.BytesIO()
    for side in sides:
        image = pikepdf.Stream(document, random.Random(side).randbytes(side * side))
        image.Type, image.Subtype, image.ColorSpace = Name.XObject, Name.Image, Name.DeviceGray
        image.Width, image.Height, image.BitsPerComponent = side, side, 8
        page = document.add_blank_page()
        page.add_resource(image, Name.XObject, Name(f"/Im{side}"))
        page.contents_add(b"q 400 0 0 400 72 72 cm /Im%d Do Q" % side)
    document.save(file, compress_streams=False)
    return file.getvalue()


def edited(content: bytes) -> tuple[pikepdf.Pdf, io.BytesIO]:
    """A PDF opened for a change, and where to save it."""
    return pikepdf.open(io.BytesIO(content)), io.BytesIO()


def looks(result: SplitResult) -> list[str]:
    """The pages of all parts, one after the other."""
    return [page for part in result.parts for page in pdf_pages(Path(part.path))]


def numbered(count: int) -> bytes:
    """A PDF whose pages say their numbers."""
    return letter(*(f"Page {number}" for number in range(1, count + 1)))


def test_a_document_within_the_limits_is_not_split(split_up: Splitter) -> None:
    """It is read as it is."""
    assert split_up(numbered(3), MediaType.PDF) == SplitResult()


def test_pages_are_split_by_number(split_up: Splitter) -> None:
    """Parts have as many pages as they may, and the last one the rest."""
    content = numbered(8)
    result = split_up(content, MediaType.PDF)
    assert [(part.first_page, part.page_count) for part in result.parts] == [(1, 3), (4, 3), (7, 2)]
    assert {part.media_type for part in result.parts} == {MediaType.PDF}
    assert looks(result) == pdf_pages(content)


def test_pages_are_split_by_size(split_up: Splitter) -> None:
    """Every part is under the limit, however unevenly the bytes are spread."""
    content = scans(300, 310, 900, 320, 330, 890, 340, 350, 360)
    result = split_up(content, MediaType.PDF, pages=100)
    assert max(sizes(result.parts)) <= SMALL.bytes
    assert [part.first_page for part in result.parts] == [1, 3, 5, 7]
    assert page_numbers(result.parts) == list(range(1, 10))
    assert looks(result) == pdf_pages(content)


def test_a_part_that_turns_out_too_large_is_halved(split_up: Splitter) -> None:
    """Where a page's bytes aren't in streams, which the estimate counts."""
    document, file = edited(numbered(4))
    for number, page in enumerate(document.pages):
        values = [pikepdf.String(random.Random(number + index).randbytes(20_000)) for index in range(20)]
        page.obj.Values = document.make_indirect(pikepdf.Array(values))
    document.save(file)
    result = split_up(file.getvalue(), MediaType.PDF, pages=100)
    assert max(sizes(result.parts)) <= SMALL.bytes
    assert page_numbers(result.parts) == [1, 2, 3, 4]
    assert looks(result) == pdf_pages(file.getvalue())


def test_a_page_that_is_too_large_by_itself_is_named(split_up: Splitter) -> None:
    """No splitting helps it."""
    result = split_up(scans(300, 301, 1100, 302), MediaType.PDF)
    assert (result.parts, result.refusal) == ((), PageTooLarge)
    assert result.detail.startswith("Page 3 takes 1,2")
    assert result.detail.endswith("at most 1,000,000 can be read.")


def test_bytes_that_no_page_needs_are_left_behind(split_up: Splitter) -> None:
    """Attachments, outlines and earlier versions of pages may be what makes a document large."""
    document, file = edited(numbered(2))
    document.attachments["data.bin"] = os.urandom(900_000)
    with document.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem("Chapter", 1))
    document.pages[0].obj.PieceInfo = document.make_stream(os.urandom(300_000))
    document.save(file)
    result = split_up(file.getvalue(), MediaType.PDF)
    assert [part.page_count for part in result.parts] == [2]
    assert sizes(result.parts)[0] < 20_000
    assert looks(result) == pdf_pages(file.getvalue())


def test_resources_that_pages_list_but_do_not_use_stay_out(split_up: Splitter) -> None:
    """Where all pages share one list of the document's images, each part has only those that its pages show."""
    document, file = edited(scans(400, 401, 402, 403, 404, 405, 406, 407))
    everything = {name: image for page in document.pages for name, image in page.obj.Resources.XObject.items()}
    shared = document.make_indirect(pikepdf.Dictionary(XObject=pikepdf.Dictionary(everything)))
    for page in document.pages:
        page.obj.Resources = shared
    document.save(file)
    content = file.getvalue()
    result = split_up(content, MediaType.PDF)
    assert page_numbers(result.parts) == list(range(1, 9))
    assert sum(sizes(result.parts)) < len(content) * 1.05
    assert looks(result) == pdf_pages(content)


def test_parts_together_do_not_outgrow_the_document(split_up: Splitter) -> None:
    """Pages that share most of their bytes would be copied over and over."""
    document, file = edited(scans(*range(300, 312)))
    shared = document.make_stream(os.urandom(900_000))
    for page in document.pages:
        page.obj.Shared = shared
    document.save(file)
    result = split_up(file.getvalue(), MediaType.PDF)
    assert (result.parts, result.refusal) == ((), PageTooLarge)
    assert "share so much" in result.detail


def test_rotation_form_fields_and_links_stay(split_up: Splitter) -> None:
    """What is drawn beside a page's own content belongs to the page."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=LETTER)
    for number in range(1, 8):
        canvas.setPageRotation(90 * (number % 4))
        canvas.drawString(72, 700, f"Page {number}")
        canvas.acroForm.textfield(name=f"name{number}", value=f"Value {number}", x=100, y=500, width=200, height=30)
        canvas.acroForm.checkbox(name=f"check{number}", checked=number % 2 == 0, x=100, y=400)
        canvas.highlightAnnotation(
            f"note {number}", Rect=[72, 300, 200, 330], QuadPoints=[72, 330, 200, 330, 72, 300, 200, 300]
        )
        canvas.showPage()
    canvas.save()
    result = split_up(file.getvalue(), MediaType.PDF)
    assert looks(result) == pdf_pages(file.getvalue())
    for part in result.parts:
        with pikepdf.open(part.path) as document:
            assert len(document.acroform.fields) == 2 * part.page_count
            assert all(len(page.obj.Annots) == 3 for page in document.pages)


def test_layers_that_are_off_stay_off(split_up: Splitter) -> None:
    """What a viewer hides by default isn't read either."""
    document, file = edited(numbered(5))
    layer = document.make_indirect(pikepdf.Dictionary(Type=Name.OCG, Name="hidden"))
    document.Root.OCProperties = pikepdf.Dictionary(OCGs=[layer], D=pikepdf.Dictionary(OFF=[layer]))
    for page in document.pages:
        page.obj.Resources.Properties = pikepdf.Dictionary(Hidden=layer)
        page.contents_add(b"/OC /Hidden BDC 0 0 300 300 re f EMC")
    document.save(file)
    result = split_up(file.getvalue(), MediaType.PDF)
    assert looks(result) == pdf_pages(file.getvalue())


def test_a_damaged_document_is_split_from_what_can_be_rebuilt(split_up: Splitter) -> None:
    """Without its cross-reference table, pages are found all the same."""
    content = numbered(8)
    cut = content[: content.rindex(b"startxref")].replace(b"xref\n", b"xxxx\n")
    result = split_up(cut, MediaType.PDF)
    assert page_numbers(result.parts) == list(range(1, 9))
    assert looks(result) == pdf_pages(content)


def test_what_cannot_be_rebuilt_is_refused(split_up: Splitter) -> None:
    """With the same error as at inspection."""
    result = split_up(padded(b"%PDF-1.7\n", 2_000_000), MediaType.PDF)
    assert (result.parts, result.refusal) == ((), DocumentCorrupt)


def test_a_document_that_opens_without_its_password_is_split(split_up: Splitter) -> None:
    """Its parts are not encrypted, so the engine can read them."""
    document, file = edited(numbered(5))
    document.save(file, encryption=pikepdf.Encryption(owner="secret", user=""))
    result = split_up(file.getvalue(), MediaType.PDF)
    assert looks(result) == pdf_pages(file.getvalue())
    for part in result.parts:
        with pikepdf.open(part.path) as opened:
            assert not opened.is_encrypted


def test_a_document_that_needs_a_password_is_refused(split_up: Splitter) -> None:
    """Inspection says so first."""
    document, file = edited(numbered(5))
    document.save(file, encryption=pikepdf.Encryption(owner="secret", user="secret"))
    assert split_up(file.getvalue(), MediaType.PDF).refusal is DocumentEncrypted


def test_memory_is_for_one_page_not_for_the_document(split_up: Splitter, tmp_path: Path) -> None:
    """A document is split in less memory than it has bytes."""
    document = pikepdf.new()
    for _ in range(24):
        image = document.make_stream(os.urandom(10 * 1024 * 1024), Filter=Name.DCTDecode)
        document.add_blank_page().add_resource(image, Name.XObject)
    path = tmp_path / "large"
    document.save(path)
    megabytes = 1024 * 1024
    result = split_up(path, MediaType.PDF, pages=1000, bytes=100 * megabytes, memory_bytes=160 * megabytes)
    assert (result.refusal, result.detail) == (None, "")
    assert page_numbers(result.parts) == list(range(1, 25))
    assert max(sizes(result.parts)) <= 100 * megabytes


@pytest.mark.corpus
def test_a_real_document_of_400_pages(split_up: Splitter, corpus: Path) -> None:
    """By pages and by bytes, every page looks as it did."""
    path = corpus / "documents/large/pdf2image-memory-error-test-400p.pdf"
    result = split_up(path, MediaType.PDF, pages=150)
    assert max(sizes(result.parts)) <= SMALL.bytes
    assert page_numbers(result.parts) == list(range(1, 401))
    pages = [page for part in result.parts for page in pdf_pages(Path(part.path), 0.2)]
    assert pages == pdf_pages(path, 0.2)


@pytest.mark.corpus
def test_a_bomb_is_not_set_off(split_up: Splitter, corpus: Path) -> None:
    """Splitting decodes no image: one that swells to gigabytes is copied, or refused, as it is."""
    path = next((corpus / "documents/bombs").glob("*.pdf"))
    memory_bytes = 256 * 1024 * 1024
    assert split_up(path, MediaType.PDF, bytes=100_000, memory_bytes=memory_bytes).refusal is PageTooLarge
