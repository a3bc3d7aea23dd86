"""Scaling images down to what an OCR engine takes, no further than needed: small print must stay legible.

The result shows the whole image upright, so boxes on it, as shares of its sides, hold for the original too.
"""

import errno
import math
from collections.abc import Iterator
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from app.documents.intake import MediaType
from app.documents.parts import PartFile, PartLimits
from app.errors import DocumentCorrupt, PageTooLarge

BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""What Pillow takes for a pixel in memory; in any other mode it is 4."""
COEFFICIENT_BYTES = 2
"""What libjpeg takes for a sample of a progressive image: it keeps them all until the last scan."""
GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
WORKING_SHARE = 0.75
"""The share of the memory that pixels may take; the rest is for libraries and for bands on their way."""
BAND_ROWS = 256
MARGIN_ROWS = 3
"""Rows beyond a band's own, at the result's size, that its filter may look at; a bicubic filter looks at 2."""
QUALITIES = (90, 80, 70)
"""JPEG qualities, tried in turn before an image is made smaller for its bytes: print bears them better than scaling."""
STEP = 0.85
"""How much smaller an image is made at a time where its bytes are still too many."""
DAMAGED = (UnidentifiedImageError, SyntaxError, ValueError, EOFError, KeyError, TypeError, ZeroDivisionError)
"""What Pillow raises for damaged images, beside `OSError`."""
MACHINE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EMFILE}
"""An `OSError` with one of these says something of the machine, and not of the image."""


def scale_image(path: Path, limits: PartLimits, folder: Path) -> tuple[PartFile, ...]:
    """A PNG or JPEG as one part within the limits, or none where it may be read as it is. Raises a `Refused`."""
    Image.MAX_IMAGE_PIXELS = None  # what it takes in memory is checked instead, before anything is decoded
    try:
        with Image.open(path) as image:
            width, height = image.size
            dpi, lossless = image.info.get("dpi"), image.format == "PNG"
        if not limits.exceeded(MediaType.PNG, path.stat().st_size, 1, max(width, height)):
            return ()
        picture = _shrunk_file(path, limits)
        picture.info["dpi"] = scaled_dpi(dpi, max(picture.size) / max(width, height))
        return (_encode(picture, limits, folder, lossless=lossless),)
    except OSError as error:
        raise meaning(error) from error
    except DAMAGED as error:
        raise DocumentCorrupt from error


def meaning(error: OSError) -> Exception:
    """What an `OSError` of Pillow means: that memory or the machine has a limit, or that the image is damaged."""
    if error.errno == errno.ENOMEM:
        return MemoryError()
    return error if error.errno in MACHINE_ERRORS else DocumentCorrupt()


def shrunk(image: Image.Image, limits: PartLimits) -> Image.Image:
    """An opened image's pixels, upright, in grey or RGB, no side longer than it may be. Raises `PageTooLarge`.

    Takes memory for the decoded image and the result alone: the image is scaled in bands.
    """
    size = _target_size(image, limits)
    result = Image.new(_target_mode(image, size, limits.memory_bytes), size)
    image.load()
    for top, band in _bands(image, size, result.mode):
        result.paste(band, (0, top))
    orientation = ExifTags.Base.Orientation
    result.getexif()[orientation] = image.getexif().get(orientation, 1)
    ImageOps.exif_transpose(result, in_place=True)
    return result


def scaled_dpi(dpi: tuple[float, float] | None, ratio: float) -> tuple[float, float]:
    """The resolution of a scaled image, of which some engines learn how large its print is; 0 where none was stated."""
    return (float(dpi[0]) * ratio, float(dpi[1]) * ratio) if dpi else (0.0, 0.0)


def _shrunk_file(path: Path, limits: PartLimits) -> Image.Image:
    """A JPEG is decoded at a half, a quarter or an eighth where that is enough, and in grey where colour takes too much."""
    with Image.open(path) as image:
        image.draft(None, _target_size(image, limits))
        try:
            return shrunk(image, limits)
        except PageTooLarge:
            if image.format != "JPEG":
                raise
    with Image.open(path) as image:
        image.draft("L", _target_size(image, limits))
        return shrunk(image, limits)


def _target_size(image: Image.Image, limits: PartLimits) -> tuple[int, int]:
    ratio = max(1.0, max(image.size) / limits.image_pixels_per_side)
    return max(1, int(image.width / ratio)), max(1, int(image.height / ratio))


def _target_mode(image: Image.Image, size: tuple[int, int], memory_bytes: int) -> str:
    """RGB or L: what fits into the memory there is. Raises `PageTooLarge` where neither does."""
    pixels = math.prod(image.size)
    decoded = pixels * BYTES_PER_PIXEL.get(image.mode, 4)
    if image.info.get("progressive"):
        decoded += pixels * len(image.getbands()) * COEFFICIENT_BYTES
    free = WORKING_SHARE * memory_bytes - decoded
    # Twice the result: it may have to be turned upright.
    if image.mode not in GREY_MODES and 2 * 4 * math.prod(size) <= free:
        return "RGB"
    if 2 * math.prod(size) <= free:
        return "L"
    raise PageTooLarge(
        f"The image's {image.width:,} by {image.height:,} pixels take more memory to open than it is given."
    )


def _bands(image: Image.Image, size: tuple[int, int], mode: str) -> Iterator[tuple[int, Image.Image]]:
    """The image scaled to a size, in bands, each with the row that it begins at."""
    ratio = image.height / size[1]
    margin = math.ceil(MARGIN_ROWS * ratio)
    for top in range(0, size[1], BAND_ROWS):
        bottom = min(top + BAND_ROWS, size[1])
        first = max(0, math.floor(top * ratio) - margin)
        last = min(image.height, math.ceil(bottom * ratio) + margin)
        rows = _plain(image.crop((0, first, image.width, last)), image.info, mode)
        box = (0.0, top * ratio - first, float(rows.width), min(bottom * ratio - first, float(rows.height)))
        yield top, rows.resize((size[0], bottom - top), Image.Resampling.BICUBIC, box=box)


def _plain(image: Image.Image, info: dict[str | tuple[int, int], object], mode: str) -> Image.Image:
    """Pixels as grey or RGB; what is transparent shows white paper."""
    if image.mode.startswith("I"):
        # 16 bits a pixel: Pillow would clip them to white, not scale them.
        image = image.convert("I").convert("F").point(lambda value: value / 257 + 0)
    elif image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in info:
        image.info.update(info)
        colours = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)
    return image.convert(mode)


def _encode(picture: Image.Image, limits: PartLimits, folder: Path, *, lossless: bool) -> PartFile:
    """Write an image in as few bytes as it may have: as a grey PNG where it was one and that is enough, else as a JPEG."""
    dpi = picture.info["dpi"]
    if lossless and picture.mode == "L":
        path = folder / "part-00001.png"
        picture.save(path, "PNG", dpi=dpi)
        if path.stat().st_size <= limits.image_bytes:
            return PartFile(str(path), MediaType.PNG, 1, 1)
        path.unlink()
    path = folder / "part-00001.jpg"
    ratio = 1.0
    while True:
        smaller = picture if ratio == 1.0 else _resized(picture, ratio)
        for quality in QUALITIES if ratio == 1.0 else QUALITIES[-1:]:
            smaller.save(path, "JPEG", quality=quality, dpi=tuple(round(each * ratio) for each in dpi))
            if path.stat().st_size <= limits.image_bytes:
                return PartFile(str(path), MediaType.JPEG, 1, 1)
        if max(smaller.size) == 1:
            raise PageTooLarge(f"The image can't be brought under {limits.image_bytes:,} bytes.")
        ratio *= STEP


def _resized(picture: Image.Image, ratio: float) -> Image.Image:
    size = (max(1, int(picture.width * ratio)), max(1, int(picture.height * ratio)))
    return picture.resize(size, Image.Resampling.BICUBIC)
