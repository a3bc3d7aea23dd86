"""Opening a document and counting its pages. Runs in a process of its own: parsers of hostile files may crash or swell.

Raises the errors of `app.errors`, with sentences for the person who submitted the document.
"""

from dataclasses import dataclass
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, UnidentifiedImageError

from app.documents.damage import check_nothing_lost, is_cut_off
from app.documents.intake import SNIFF_BYTES, MediaType, sniff
from app.documents.parts import PartLimits, bound_memory
from app.errors import (
    DocumentCorrupt,
    DocumentEncrypted,
    DocumentHasNoPages,
    PageTooLarge,
    Refused,
    TooManyPages,
)

DAMAGED = (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError)
"""What Pillow raises for damaged images."""


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How many pages a whole document may have, and how large they may be, before it is split or scaled."""

    pages: int
    image_pixels_per_side: int
    page_points_per_side: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look into a document found: its pages, or the class and the sentence of what is wrong with it."""

    page_count: int = 0
    refusal: type[Refused] | None = None
    detail: str = ""
    needs_splitting: bool = False
    """Whether it is larger than a part may be: `splitting.split` makes parts of it."""


def inspect(path: str, media_type: MediaType, limits: PageLimits, parts: PartLimits | None = None) -> Inspection:
    """Count a file's pages, within limits of memory; with `parts`, find out whether it needs splitting."""
    bound_memory(limits.memory_bytes)
    try:
        return _look(Path(path), media_type, limits, parts)
    except Refused as error:
        return Inspection(refusal=type(error), detail=error.detail)
    except MemoryError:
        return Inspection(refusal=PageTooLarge, detail="The document takes more memory to open than it is given.")


def _look(path: Path, media_type: MediaType, limits: PageLimits, parts: PartLimits | None) -> Inspection:
    with path.open("rb") as file:
        if sniff(file.read(SNIFF_BYTES)) is not media_type:
            raise DocumentCorrupt("The stored bytes are not of the type that was submitted.")
    if media_type is MediaType.PDF:
        count, longest_side = _count_pdf_pages(path, limits), 0
    else:
        count, longest_side = _count_frames(path, limits)
    if count == 0:
        raise DocumentHasNoPages
    needs_splitting = parts is not None and parts.exceeded(media_type, path.stat().st_size, count, longest_side)
    if media_type is not MediaType.PDF and count == 1 and not needs_splitting:
        _decode(path)
    return Inspection(page_count=count, needs_splitting=needs_splitting)


def _count_pdf_pages(path: Path, limits: PageLimits) -> int:
    try:
        count = _count_openable_pages(path, limits)
    except pdfium.PdfiumError as error:
        if error.err_code == pdfium.raw.FPDF_ERR_PASSWORD:
            raise DocumentEncrypted from error
        return _count_repaired_pages(path, limits)
    if is_cut_off(path):
        _check_cut_off(path)
    return count


def _count_openable_pages(path: Path, limits: PageLimits) -> int:
    with pdfium.PdfDocument(path) as document:
        _check_page_count(len(document), limits)
        for index in range(len(document)):
            _check_page_size(document.get_page_size(index), limits.page_points_per_side, index, "points")
        return len(document)


def _check_cut_off(path: Path) -> None:
    """A PDF that begins with what opens it shows its first pages though the others, or their pictures, are cut off."""
    try:
        with pikepdf.open(path) as document:
            check_nothing_lost(document)
    except (pikepdf.PdfError, ValueError, RuntimeError, OverflowError):
        return  # PDFium has opened it, and has found all its pages.


def _count_repaired_pages(path: Path, limits: PageLimits) -> int:
    """Qpdf rebuilds cross-reference tables that PDFium refuses, out of what is there: that may be a part of the document."""
    try:
        with pikepdf.open(path) as document:
            _check_page_count(len(document.pages), limits)
            check_nothing_lost(document)
            return len(document.pages)
    except pikepdf.PasswordError as error:
        raise DocumentEncrypted from error
    except (pikepdf.PdfError, ValueError, RuntimeError, OverflowError) as error:
        raise DocumentCorrupt from error


def _count_frames(path: Path, limits: PageLimits) -> tuple[int, int]:
    """How many frames an image has, and the longest side of any, in pixels."""
    Image.MAX_IMAGE_PIXELS = None  # sides are checked below, before anything is decoded
    longest_side = 0
    try:
        with Image.open(path) as image:
            count = int(getattr(image, "n_frames", 1))
            _check_page_count(count, limits)
            for index in range(count):
                image.seek(index)
                _check_page_size(image.size, limits.image_pixels_per_side, index, "pixels")
                longest_side = max(longest_side, *image.size)
            return count, longest_side
    except DAMAGED as error:
        raise DocumentCorrupt from error


def _decode(path: Path) -> None:
    """Decode an image of one page. Splitting decodes what it scales, within memory of its own."""
    try:
        with Image.open(path) as image:
            image.load()
    except DAMAGED as error:
        raise DocumentCorrupt from error


def _check_page_count(count: int, limits: PageLimits) -> None:
    if count > limits.pages:
        raise TooManyPages(f"The document has {count:,} pages; at most {limits.pages:,} can be read as one. Split it.")


def _check_page_size(size: tuple[float, float], limit: int, index: int, unit: str) -> None:
    if max(size) > limit:
        raise PageTooLarge(
            f"Page {index + 1} is {size[0]:.0f} by {size[1]:.0f} {unit}; at most {limit:,} on a side can be read."
        )
