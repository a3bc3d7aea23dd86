"""Pictures of pages: a PDF's rendered by PDFium, an image's own frame, upright, as wide or as fine as it is asked for."""

import math
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageOps

from app.errors import DocumentCorrupt, PageNotFound
from app.formats.page_sizes import PDF, POINTS_PER_INCH
from app.formats.picture_streams import plain_picture
from app.formats.pictures import opened_picture, resolution_of
from app.formats.searchable_pdf import readable_pdf

DEFAULT_DPI = 150
MOST_PIXELS = 40_000_000
"""A picture with more is made smaller: so many take 160 MB to draw."""
JPEG_QUALITY = 85
_DEEP = ("I", "F")


class PictureType(StrEnum):
    """What a page's picture can be."""

    PNG = "png"
    JPEG = "jpeg"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return f"image/{self.value}"


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """Which page, from 1, and how large: as wide as `width` pixels, or at `dpi`; an image is never enlarged."""

    page: int
    type: PictureType = PictureType.PNG
    width: int | None = None
    dpi: int | None = None


def page_image(document: Path, media_type: str, request: PictureRequest, target: Path) -> None:
    """Write a page's picture. Raises `PageNotFound`, `DocumentEncrypted` and `DocumentCorrupt`."""
    if media_type == PDF:
        picture = _rendered(readable_pdf(document, target.with_suffix(".repaired")), request)
    else:
        picture = _shown(document, request)
    if request.type is PictureType.JPEG:
        picture.convert("RGB" if picture.mode != "L" else "L").save(target, "JPEG", quality=JPEG_QUALITY)
    else:
        picture.save(target, "PNG")


def _rendered(path: Path, request: PictureRequest) -> Image.Image:
    try:
        with closing(pdfium.PdfDocument(path)) as document:
            if request.page > len(document):
                raise PageNotFound
            document.init_forms()
            with closing(document[request.page - 1]) as sheet:
                # A hair less: sides are rounded up, and a product a hair above a whole number is none.
                scale = _scale(sheet.get_size(), request, POINTS_PER_INCH) * (1 - 1e-9)
                with closing(sheet.render(scale=scale)) as bitmap:
                    # A copy: the bitmap's memory is PDFium's and goes with it.
                    picture: Image.Image = bitmap.to_pil().convert("RGB").copy()
                    return picture
    except pdfium.PdfiumError as error:
        raise DocumentCorrupt(f"Page {request.page} can't be drawn; it is damaged.") from error


def _shown(path: Path, request: PictureRequest) -> Image.Image:
    with opened_picture(path) as picture:
        if request.page > getattr(picture, "n_frames", 1):
            raise PageNotFound
        picture.seek(request.page - 1)
        dpi = resolution_of(picture)
        picture.load()
        upright = plain_picture(ImageOps.exif_transpose(picture) or picture)
        scale = min(1.0, _scale(upright.size, request, dpi) if request.width or request.dpi else 1.0)
        scale = min(scale, math.sqrt(MOST_PIXELS / (upright.width * upright.height)))
        if upright.mode.startswith(_DEEP):
            # 16 bits a pixel: Pillow would clip them to white, not scale them.
            upright = upright.convert("F").point(lambda value: value / 257 + 0).convert("L")
        size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
        return upright.copy() if size == upright.size else upright.resize(size, Image.Resampling.LANCZOS)


def _scale(size: tuple[float, float], request: PictureRequest, units_per_inch: float) -> float:
    """From a page's own units to pixels."""
    width, height = (max(1.0, side) for side in size)
    scale = request.width / width if request.width else (request.dpi or DEFAULT_DPI) / units_per_inch
    return min(scale, math.sqrt(MOST_PIXELS / (width * height)))
