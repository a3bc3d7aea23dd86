"""Three thousand pages in every format, each within an address space of a gigabyte."""

from functools import partial
from pathlib import Path

import anyio.to_process
import pikepdf
import pytest
from pikepdf import Dictionary, Name

from app.documents.format_making import Format, Made, Order, make
from app.documents.intake import MediaType
from app.formats.page_image import PictureRequest
from tests.formats.sheets import LETTER, page, page_file, row, scan, text_of

PAGES = 3000
LINES = 12
MEMORY_BYTES = 1024**3

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of three thousand pages, and what was read on them."""
    folder = tmp_path_factory.mktemp("long")
    with pikepdf.new() as pdf:
        image = pdf.make_stream(
            scan("print"),
            Type=Name.XObject, Subtype=Name.Image, Width=850, Height=1100, BitsPerComponent=8,
            ColorSpace=Name.DeviceGray, Filter=Name.DCTDecode,
        )  # fmt: skip
        content = pdf.make_stream(b"q 612 0 0 792 0 0 cm /Image Do Q")
        for _ in range(PAGES):
            pdf.add_blank_page(page_size=LETTER)
            sheet = pdf.pages[-1].obj
            sheet.Resources, sheet.Contents = Dictionary(XObject=Dictionary(Image=image)), content
        pdf.save(folder / "document")
    lines = [row("the quick brown fox jumps over lazy dogs", 0.1 + 0.05 * number) for number in range(LINES)]
    page_file(folder, *(page(row(f"Page {number}", 0.05), *lines, number=number) for number in range(1, PAGES + 1)))
    return folder


async def made(folder: Path, what: Format | PictureRequest) -> Path:
    """A format, made as the service makes it."""
    target = folder / f"made-{what if isinstance(what, Format) else 'picture'}"
    order = Order(
        document=str(folder / "document"),
        media_type=MediaType.PDF,
        target=str(target),
        memory_bytes=MEMORY_BYTES,
        what=what,
        title="long.pdf",
        producer="Quire",
        page_count=PAGES,
        pages=str(folder / "pages"),
    )
    assert await anyio.to_process.run_sync(partial(make, order), cancellable=True) == Made()
    return target


async def test_a_searchable_pdf(folder: Path) -> None:
    """Its last page is as searchable as its first."""
    path = await made(folder, Format.SEARCHABLE_PDF)
    for number in (1, PAGES):
        assert text_of(path, number).startswith(f"Page {number} the quick brown fox")


@pytest.mark.parametrize("what", [Format.HOCR, Format.ALTO])
async def test_words_as_markup(folder: Path, what: Format) -> None:
    """All pages and all words are in it."""
    content = (await made(folder, what)).read_text()
    assert content.count("dogs") == PAGES * LINES
    assert f'"page_{PAGES}"' in content


async def test_a_picture_of_the_last_page(folder: Path) -> None:
    """Of one page, whatever stands before it."""
    assert (await made(folder, PictureRequest(PAGES, width=200))).stat().st_size > 500
