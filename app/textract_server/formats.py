"""From a document's file to the pixels of one of its pages, at a resolution that suits Tesseract."""

import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from pypdfium2 import raw as pdfium

from app.textract_server.failures import DocumentError, FailureCode, PageError
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import DOCUMENT_PAGES, IMAGE_SIDE_PIXELS, PAGE_SIDE_POINTS, ReadingLimits
from app.textract_server.page_marks import POINTS_PER_INCH, scan_dpi
from app.textract_server.readings import PageReading
from app.textract_server.text_layer import layer_reading, layer_under_annotations

SHEET_INCHES = 11.0
"""The long side that a picture without a believable resolution is taken to show: a sheet of letter paper."""
BELIEVABLE_SHEET_INCHES = (5.0, 17.0)
COARSE_SHARE = 0.6
"""Scans at less than this share of the wanted resolution are read at their own: errors fell from 2.4 to 2.3 %, time by a seventh."""


@dataclass(frozen=True, slots=True)
class Raster:
    """A page's pixels in grey, as it stands in the document, and their resolution."""

    image: Image.Image
    dpi: int


class Document(Protocol):
    """An open document."""

    page_count: int

    def raster(self, page: int, limits: ReadingLimits) -> Raster:
        """Render the page with this number, counted from 1; PageError where that can't be done."""
        ...

    def text(self, page: int) -> PageReading | None:
        """Read the page from the text that the document carries; None where there is none to be trusted."""
        ...

    def text_under_annotations(self, page: int) -> PageReading | None:
        """The text that a page carries under fields and notes, which it doesn't hold; None of pages without any."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class PdfDocument:
    """A PDF, rendered by pdfium; `/Rotate` and form fields are honoured."""

    def __init__(self, path: Path) -> None:
        try:
            self._pdf = pypdfium2.PdfDocument(path)
            self._pdf.init_forms()
        except pypdfium2.PdfiumError as error:
            if error.err_code == pdfium.FPDF_ERR_PASSWORD:
                raise DocumentError(FailureCode.ENCRYPTED, "The document is protected by a password.") from error
            raise DocumentError(FailureCode.BAD_DOCUMENT, "The PDF is damaged beyond repair.") from error
        self.page_count = len(self._pdf)

    def raster(self, page: int, limits: ReadingLimits) -> Raster:
        """Render one page at the wanted resolution, or at less where the page is so large that its pixels would be too many."""
        try:
            with closing(self._pdf[page - 1]) as sheet:
                width, height = sheet.get_size()
                if max(width, height) > PAGE_SIDE_POINTS:
                    raise PageError(FailureCode.PAGE_TOO_LARGE, f"A side is longer than {PAGE_SIDE_POINTS} points.")
                scale = _affordable(
                    _worthwhile_dpi(sheet, limits) / POINTS_PER_INCH, width, height, limits.max_page_pixels
                )
                with closing(sheet.render(scale=scale, grayscale=True)) as bitmap:
                    # A copy: the bitmap's memory is pdfium's and goes with it.
                    return Raster(bitmap.to_pil().convert("L").copy(), round(scale * POINTS_PER_INCH))
        except pypdfium2.PdfiumError as error:
            raise PageError(FailureCode.BAD_PAGE, "The page can't be rendered.") from error

    def text(self, page: int) -> PageReading | None:
        """Read one page from its text layer; None where it must be read by its looks, or is broken."""
        try:
            with closing(self._pdf[page - 1]) as sheet:
                return layer_reading(self._pdf, sheet)
        except pypdfium2.PdfiumError:
            return None

    def text_under_annotations(self, page: int) -> PageReading | None:
        """The text layer of a page that is read by its looks for its fields and notes alone."""
        try:
            with closing(self._pdf[page - 1]) as sheet:
                return layer_under_annotations(self._pdf, sheet)
        except pypdfium2.PdfiumError:
            return None

    def close(self) -> None:
        """Let go of the file."""
        self._pdf.close()


class PictureDocument:
    """A PNG, a JPEG or the frames of a TIFF; EXIF orientation is applied."""

    def __init__(self, path: Path, kind: DocumentKind) -> None:
        try:
            self._picture = Image.open(path, formats=[kind.value])
            self.page_count = _frames(self._picture) if kind is DocumentKind.TIFF else 1
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DocumentError(FailureCode.BAD_DOCUMENT, "The image is damaged.") from error

    def raster(self, page: int, limits: ReadingLimits) -> Raster:
        """Decode one frame in grey, upright by its EXIF orientation, shrunk to the wanted resolution."""
        try:
            self._picture.seek(page - 1)
            if max(self._picture.size) > IMAGE_SIDE_PIXELS:
                raise PageError(FailureCode.PAGE_TOO_LARGE, f"A side is longer than {IMAGE_SIDE_PIXELS} pixels.")
            dpi = _resolution(self._picture)
            self._picture.load()
            grey = _on_white(_upright(self._picture))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise PageError(FailureCode.BAD_PAGE, "The image is damaged.") from error
        scale = _affordable(min(1.0, limits.dpi / dpi), *grey.size, limits.max_page_pixels)
        return Raster(_scaled(grey, scale), max(70, round(dpi * scale)))

    def text(self, page: int) -> PageReading | None:  # noqa: ARG002 - as every document
        """Pictures carry no text."""
        return None

    def text_under_annotations(self, page: int) -> PageReading | None:  # noqa: ARG002 - as every document
        """Pictures carry no text."""
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._picture.close()


def open_document(path: Path, kind: DocumentKind) -> Document:
    """Open a document of a known kind; DocumentError where nothing of it can be read."""
    document: Document = PdfDocument(path) if kind is DocumentKind.PDF else PictureDocument(path, kind)
    if document.page_count < 1:
        raise DocumentError(FailureCode.BAD_DOCUMENT, "The document has no pages.")
    if document.page_count > DOCUMENT_PAGES:
        raise DocumentError(FailureCode.TOO_MANY_PAGES, f"The document has more than {DOCUMENT_PAGES} pages.")
    return document


def _frames(picture: Image.Image) -> int:
    """Count frames, but never more than one over the limit: a TIFF may chain them in a circle."""
    count = 0
    try:
        while count <= DOCUMENT_PAGES:
            picture.seek(count)
            count += 1
    except EOFError:
        pass
    return count


def _upright(picture: Image.Image) -> Image.Image:
    """The picture by its EXIF orientation; itself where that is the usual one, for Pillow would copy all its pixels."""
    if picture.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        return picture
    return ImageOps.exif_transpose(picture)


def _on_white(picture: Image.Image) -> Image.Image:
    """Grey pixels; what is transparent shows white paper."""
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        colours = picture.convert("RGBA")
        paper = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(paper, colours).convert("L")
    if picture.mode.startswith("I"):
        # 16 bits a pixel: Pillow would clip them to white, not scale them.
        return picture.convert("F").point(lambda value: value / 257 + 0).convert("L")
    return picture.convert("L")


def _resolution(picture: Image.Image) -> float:
    """Dots per inch: what the file says where that makes a believable sheet, else a sheet's size is supposed."""
    side = max(picture.size)
    stated = picture.info.get("dpi")
    if stated:
        dpi = float(max(stated))
        low, high = BELIEVABLE_SHEET_INCHES
        if dpi > 0 and low <= side / dpi <= high:
            return dpi
    return side / SHEET_INCHES


def _worthwhile_dpi(sheet: pypdfium2.PdfPage, limits: ReadingLimits) -> float:
    """The wanted resolution, or that of a much coarser scan: drawing it finer costs time and adds nothing."""
    dpi = scan_dpi(sheet)
    return dpi if dpi is not None and 0 < dpi < COARSE_SHARE * limits.dpi else limits.dpi


def _affordable(scale: float, width: float, height: float, pixels: int) -> float:
    """Return `scale`, or less where the result would have more than `pixels`."""
    return min(scale, math.sqrt(pixels / max(1.0, width * height)))


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    if abs(scale - 1.0) < 0.05:  # noqa: PLR2004 - resampling for a few percent blurs and gains nothing
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX)
