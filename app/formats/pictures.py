"""Images as pages: opening them, which way up they are shown, and how large they are on paper."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from app.errors import DocumentCorrupt

SHEET_INCHES = 11.0
"""The long side that an image without a believable resolution is taken to show: a sheet of letter paper."""
BELIEVABLE_SHEET_INCHES = (3.0, 40.0)
SIDEWAYS = frozenset({5, 6, 7, 8})
"""The EXIF orientations of images that are shown with their sides exchanged."""

_DAMAGED = (UnidentifiedImageError, SyntaxError, ValueError, EOFError, KeyError, TypeError, ZeroDivisionError)
_MACHINE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EMFILE}


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """An image of one frame or several. Raises `DocumentCorrupt`, within the block too, and `MemoryError`."""
    Image.MAX_IMAGE_PIXELS = None  # the process's memory is bounded, and sides were checked when it came in
    try:
        with Image.open(path) as picture:
            yield picture
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        if error.errno in _MACHINE_ERRORS:
            raise
        raise DocumentCorrupt from error
    except _DAMAGED as error:
        raise DocumentCorrupt from error


def orientation_of(picture: Image.Image) -> int:
    """How an image is to be shown, by its EXIF data: 1 to 8. Pillow turns the frames of a TIFF by itself."""
    found = 1 if picture.format == "TIFF" else picture.getexif().get(ExifTags.Base.Orientation, 1)
    return found if isinstance(found, int) and 1 <= found <= max(SIDEWAYS) else 1


def turned_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height as it is shown, in pixels."""
    width, height = picture.size
    return (height, width) if orientation_of(picture) in SIDEWAYS else (width, height)


def resolution_of(picture: Image.Image) -> float:
    """Dots per inch: what the file says, where that makes a believable sheet; else a sheet's size is supposed."""
    side = max(picture.size)
    stated = picture.info.get("dpi")
    if stated:
        dpi = float(max(stated))
        low, high = BELIEVABLE_SHEET_INCHES
        if dpi > 0 and low <= side / dpi <= high:
            return dpi
    return side / SHEET_INCHES
