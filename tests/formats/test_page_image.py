"""Pictures of pages: as large as they are asked for, upright, and never more than can be drawn."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from app.errors import DocumentCorrupt, PageNotFound
from app.formats.page_image import PictureRequest, PictureType, page_image
from tests.documents import letter
from tests.formats.sheets import drawn_pdf, scan

PDF = "application/pdf"


def made(folder: Path, content: bytes, request: PictureRequest, media_type: str = PDF) -> Image.Image:
    """A page's picture."""
    (folder / "document").write_bytes(content)
    page_image(folder / "document", media_type, request, folder / "picture")
    with Image.open(folder / "picture") as picture:
        picture.load()
        return picture


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (1275, 1650)),
        ({"width": 306}, (306, 396)),
        ({"dpi": 36}, (306, 396)),
        ({"dpi": 36, "type": PictureType.JPEG}, (306, 396)),
    ],
)
def test_a_pdf_page_is_drawn(tmp_path: Path, asked: dict[str, Any], size: tuple[int, int]) -> None:
    """At 150 dots an inch, or as it is asked for; the second page is the second."""
    document = drawn_pdf(b"", b"0 396 612 396 re f")
    picture = made(tmp_path, document, PictureRequest(2, **asked))
    assert (picture.size, picture.format) == (size, asked.get("type", "png").upper())
    grey = picture.convert("L")
    assert grey.getpixel((size[0] // 2, size[1] // 4)) < 10  # type: ignore[operator]  # grey has one number
    assert grey.getpixel((size[0] // 2, size[1] * 3 // 4)) > 245  # type: ignore[operator]  # grey has one number


def test_rotation_and_crop_are_honoured(tmp_path: Path) -> None:
    """What is shown is the crop box, turned."""
    picture = made(tmp_path, drawn_pdf(b"", rotate=90, crop=(0, 0, 300, 600)), PictureRequest(1, dpi=72))
    assert picture.size == (600, 300)


def test_an_image_is_shown_and_never_enlarged(tmp_path: Path) -> None:
    """Its own pixels where nothing is asked, fewer where they are, upright by its EXIF data."""
    content = scan("print", dpi=100)
    assert made(tmp_path, content, PictureRequest(1), "image/jpeg").size == (850, 1100)
    assert made(tmp_path, content, PictureRequest(1, width=425), "image/jpeg").size == (425, 550)
    assert made(tmp_path, content, PictureRequest(1, dpi=50), "image/jpeg").size == (425, 550)
    assert made(tmp_path, content, PictureRequest(1, width=4000), "image/jpeg").size == (850, 1100)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned = scan("print", exif=exif)
    assert made(tmp_path, turned, PictureRequest(1), "image/jpeg").size == (1100, 850)


def test_frames_are_pages(tmp_path: Path) -> None:
    """The second frame of a TIFF is its second page, and there is no third."""
    file = io.BytesIO()
    Image.new("1", (100, 50)).save(file, "TIFF", save_all=True, append_images=[Image.new("L", (60, 80), 128)])
    picture = made(tmp_path, file.getvalue(), PictureRequest(2), "image/tiff")
    assert (picture.size, picture.convert("L").getpixel((5, 5))) == ((60, 80), 128)
    with pytest.raises(PageNotFound):
        made(tmp_path, file.getvalue(), PictureRequest(3), "image/tiff")


def test_huge_pages_are_drawn_smaller(tmp_path: Path) -> None:
    """A letter page at 5,000 dots an inch would have 2 billion pixels; it is given 40 million."""
    picture = made(tmp_path, drawn_pdf(b""), PictureRequest(1, dpi=5000))
    assert 39_000_000 < picture.width * picture.height < 40_100_000


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    """Pages that aren't there, damage, and passwords."""
    with pytest.raises(PageNotFound):
        made(tmp_path, letter("one"), PictureRequest(2))
    with pytest.raises(DocumentCorrupt):
        made(tmp_path, b"%PDF-1.4 nothing", PictureRequest(1))
    with pytest.raises(DocumentCorrupt):
        made(tmp_path, scan("x")[:200], PictureRequest(1), "image/jpeg")
