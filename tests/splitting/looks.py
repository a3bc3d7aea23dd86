"""What pages look like, to be compared."""

import hashlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageSequence

from app.documents.parts import PartFile


class TiffPage(NamedTuple):
    """A page of a TIFF, and a hash of its pixels."""

    size: tuple[int, int]
    mode: str
    compression: str
    dpi: Any
    pixels: str


def pdf_pages(content: bytes | Path, scale: float = 0.5) -> list[str]:
    """A hash of each page of a PDF as it is rendered, with its form fields."""
    with pdfium.PdfDocument(content) as document:
        document.init_forms()
        return [hashlib.sha256(page.render(scale=scale).to_numpy().tobytes()).hexdigest() for page in document]


def tiff_pages(content: bytes | Path) -> list[TiffPage]:
    """Each page of a TIFF."""
    with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
        return [
            TiffPage(
                page.size,
                page.mode,
                page.info["compression"],
                page.info.get("dpi"),
                hashlib.sha256(page.tobytes()).hexdigest(),
            )
            for page in ImageSequence.Iterator(image)
        ]


def page_numbers(parts: tuple[PartFile, ...]) -> list[int]:
    """The numbers of the document's pages in its parts, in their order."""
    return [number for part in parts for number in range(part.first_page, part.first_page + part.page_count)]


def sizes(parts: tuple[PartFile, ...]) -> list[int]:
    """The parts' bytes."""
    return [Path(part.path).stat().st_size for part in parts]
