"""Textract's documented limits, and what a page process may spend. Plain figures, so that both sides can hold them."""

from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1024 * 1024

PAGED_DOCUMENT_BYTES = 500 * MEBIBYTE
IMAGE_BYTES = 10 * MEBIBYTE
SYNCHRONOUS_BYTES = 10 * MEBIBYTE
DOCUMENT_PAGES = 3000
IMAGE_SIDE_PIXELS = 10_000
PAGE_SIDE_POINTS = 9000


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What reading one page may take, and how it is read."""

    languages: str = "eng"
    dpi: int = 200
    max_page_pixels: int = 12_000_000
    uses_text_layer: bool = True
    language_data: Path | None = None
    """A folder of Tesseract's language data; None for that of the installed packages."""
