"""How large a document's pages are, in pixels, for formats that tell places in pixels."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from PIL import Image

from app.formats.pictures import opened_picture, resolution_of, turned_size

PDF_DPI = 300
"""The resolution at which a PDF's places are told: that of a good scan. Its pages have none of their own."""
POINTS_PER_INCH = 72
PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class PageSize:
    """A page as it is shown: pixels, and how many of them are an inch."""

    width: int
    height: int
    dpi: int

    def box(self, box: dict[str, float]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a box that is given in shares: whole pixels of the page, at least one each way."""
        left = min(max(0, round(box["left"] * self.width)), self.width - 1)
        top = min(max(0, round(box["top"] * self.height)), self.height - 1)
        right = min(max(left + 1, round((box["left"] + box["width"]) * self.width)), self.width)
        bottom = min(max(top + 1, round((box["top"] + box["height"]) * self.height)), self.height)
        return left, top, right, bottom


def page_sizes(path: Path, media_type: str) -> Iterator[PageSize]:
    """The sizes of a document's pages, in order. Raises `DocumentEncrypted` and `DocumentCorrupt`."""
    return _pdf_sizes(path) if media_type == PDF else _picture_sizes(path)


def _pdf_sizes(path: Path) -> Iterator[PageSize]:
    scale = PDF_DPI / POINTS_PER_INCH
    with closing(pdfium.PdfDocument(path)) as document:
        for index in range(len(document)):
            width, height = document.get_page_size(index)
            yield PageSize(max(1, round(width * scale)), max(1, round(height * scale)), PDF_DPI)


def _picture_sizes(path: Path) -> Iterator[PageSize]:
    with opened_picture(path) as picture:
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            yield _size_of(picture)


def _size_of(picture: Image.Image) -> PageSize:
    width, height = turned_size(picture)
    return PageSize(width, height, round(resolution_of(picture)))
