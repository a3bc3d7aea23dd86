"""Splitting a document that is larger than an OCR engine takes. Runs in a process of its own, as inspection does.

A PDF or TIFF becomes several of the same kind, at page boundaries, each page as it was. A page of a TIFF with too long a
side, and a PNG or JPEG with too long a side or too many bytes, is scaled down. Boxes that are found on it are shares
of the page, so they hold for the original page as they are; a turn that the image's EXIF data asks for is carried out,
as Textract does before it says where things are.
"""

from dataclasses import dataclass
from pathlib import Path

from app.documents.intake import MediaType
from app.documents.parts import PartFile, PartLimits, bound_memory
from app.documents.scaling import scale_image
from app.documents.split_pdf import split_pdf
from app.documents.split_tiff import split_tiff
from app.errors import PageTooLarge, Refused


@dataclass(frozen=True, slots=True)
class SplitResult:
    """A document's parts, in page order; none where it may be read as it is, or where it is refused."""

    parts: tuple[PartFile, ...] = ()
    refusal: type[Refused] | None = None
    detail: str = ""


def split(path: str, media_type: MediaType, limits: PartLimits, folder: str) -> SplitResult:
    """Write a document's parts into a folder, within limits of memory. Raises `OSError` where the disk is full."""
    bound_memory(limits.memory_bytes)
    try:
        return SplitResult(_parts(Path(path), media_type, limits, Path(folder)))
    except Refused as error:
        return SplitResult(refusal=type(error), detail=error.detail)
    except MemoryError:
        return SplitResult(refusal=PageTooLarge, detail="The document takes more memory to split than it is given.")


def _parts(path: Path, media_type: MediaType, limits: PartLimits, folder: Path) -> tuple[PartFile, ...]:
    if media_type is MediaType.PDF:
        return split_pdf(path, limits, folder)
    if media_type is MediaType.TIFF:
        return split_tiff(path, limits, folder)
    return scale_image(path, limits, folder)
