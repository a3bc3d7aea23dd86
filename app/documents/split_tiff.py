"""Splitting a TIFF at page boundaries. Pages' data and tags are copied as they are; only too large ones are decoded."""

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import tifftools  # type: ignore[import-untyped]  # it ships no types
from PIL import Image
from tifftools.tifftools import read_ifd  # type: ignore[import-untyped]  # the same

from app.documents.intake import MediaType
from app.documents.parts import PartFile, PartLimits, bounded
from app.documents.scaling import DAMAGED, QUALITIES, meaning, scaled_dpi, shrunk
from app.errors import DocumentCorrupt, DocumentHasNoPages, PageTooLarge

Directory = dict[str, Any]
"""A page as tifftools has it: its tags, and where the file is that its data is in."""

SCALED = "scaled"
"""What a page is marked with that is in a file made for it alone."""
INK = 192
"""Grey that is lighter is paper, where a bilevel page is scaled: thin strokes, scaled to grey, stay black."""
DATA_LENGTHS = (tifftools.Tag.StripByteCounts, tifftools.Tag.TileByteCounts, tifftools.Tag.JPEGIFByteCount)
ENTRY_BYTES = 40
"""What a tag takes beside its values, at most: its entry of 12 bytes, and what aligns it."""


@dataclass(slots=True)
class _Part:
    """Pages on their way into a part, and the bytes that they take there, at most."""

    first_page: int
    directories: list[Directory] = field(default_factory=list)
    size_bytes: int = 0


def split_tiff(path: Path, limits: PartLimits, folder: Path) -> tuple[PartFile, ...]:
    """A TIFF's parts, or none where it may be read as it is. Raises a `Refused` for what can't be split."""
    Image.MAX_IMAGE_PIXELS = None  # what a page takes in memory is checked instead, before it is decoded
    logging.getLogger("tifftools").setLevel(logging.CRITICAL)  # it logs a line for every odd tag
    try:
        with Image.open(path) as image:
            if _fits(image, path, limits):
                return ()
            pages = _scaled_where_needed(image, path, limits, folder)
            return tuple(bounded(_write_parts(pages, limits, folder), limits.most_bytes(path.stat().st_size)))
    except OSError as error:
        raise meaning(error) from error
    except (*DAMAGED, tifftools.TifftoolsError, struct.error, OverflowError, IndexError) as error:
        raise DocumentCorrupt from error


def _fits(image: Image.Image, path: Path, limits: PartLimits) -> bool:
    page_count = int(getattr(image, "n_frames", 1))
    if limits.exceeded(MediaType.TIFF, path.stat().st_size, page_count, 0):
        return False
    return all(_is_short(image, index, limits) for index in range(page_count))


def _is_short(image: Image.Image, index: int, limits: PartLimits) -> bool:
    image.seek(index)
    return max(image.size) <= limits.image_pixels_per_side


def _directories(path: Path) -> Iterator[Directory]:
    """A file's pages, one at a time. Ends where the chain of them runs in a circle."""
    with path.open("rb") as file:
        info, offset = _header(path, file)
        seen: set[int] = set()
        while offset and offset not in seen:
            seen.add(offset)
            read: list[Directory] = []
            offset = read_ifd(file, info, offset, read)
            for directory in read:
                # Previews and EXIF data in directories of their own aren't seen; what couldn't be read can't be written.
                kept = {
                    tag: value for tag, value in directory["tags"].items() if "data" in value and "ifds" not in value
                }
                yield directory | {"tags": kept}


def _header(path: Path, file: BinaryIO) -> tuple[dict[str, Any], int]:
    """What tifftools has to know of a file to read its directories, and where the first one is."""
    head = file.read(16)
    order = ">" if head.startswith(b"MM") else "<"
    large = head[2:4] in {b"+\0", b"\0+"}
    info = {
        "path_or_fobj": str(path),
        "size": path.stat().st_size,
        "header": head[:4],
        "bigEndian": order == ">",
        "endianPack": order,
        "bigtiff": large,
    }
    return info, struct.unpack(order + "Q", head[8:16])[0] if large else struct.unpack(order + "L", head[4:8])[0]


def _scaled_where_needed(image: Image.Image, path: Path, limits: PartLimits, folder: Path) -> Iterator[Directory]:
    for index, directory in enumerate(_directories(path)):
        yield directory if _is_short(image, index, limits) else _scaled(image, index, limits, folder)


def _scaled(image: Image.Image, index: int, limits: PartLimits, folder: Path) -> Directory:
    """A page scaled down, upright, as the only page of a file of its own; what was bilevel, or a JPEG, stays that."""
    longest, dpi, compression = max(image.size), image.info.get("dpi"), image.info.get("compression")
    is_bilevel = image.mode == "1"
    try:
        picture = shrunk(image, limits)
    except PageTooLarge as error:
        raise PageTooLarge(f"Page {index + 1}: {error.detail}") from error
    encoding: dict[str, Any] = {"compression": "tiff_adobe_deflate"}
    if is_bilevel:
        picture = picture.point(lambda value: 255 * (value >= INK), "1")
        encoding = {"compression": "group4"}
    elif compression == "jpeg":
        encoding = {"compression": "jpeg", "quality": QUALITIES[0]}
    path = folder / f"page-{index + 1:05}.tiff"
    picture.save(path, "TIFF", dpi=scaled_dpi(dpi, max(picture.size) / longest), **encoding)
    return next(_directories(path)) | {SCALED: True}


def _write_parts(pages: Iterator[Directory], limits: PartLimits, folder: Path) -> Iterator[tuple[PartFile, int]]:
    part = _Part(1)
    for number, directory in enumerate(pages, start=1):
        size_bytes = _bytes_of(directory)
        if size_bytes > limits.bytes:
            raise PageTooLarge(f"Page {number} takes {size_bytes:,} bytes; at most {limits.bytes:,} can be read.")
        if part.directories and (
            len(part.directories) == limits.pages or part.size_bytes + size_bytes > limits.bytes - ENTRY_BYTES
        ):
            yield _write(part, folder)
            part = _Part(number)
        part.directories.append(directory)
        part.size_bytes += size_bytes
    if not part.directories:
        raise DocumentHasNoPages
    yield _write(part, folder)


def _write(part: _Part, folder: Path) -> tuple[PartFile, int]:
    path = folder / f"part-{part.first_page:05}.tiff"
    tifftools.write_tiff(part.directories, str(path), bigtiff=False)
    for directory in part.directories:
        if SCALED in directory:
            Path(directory["path_or_fobj"]).unlink()
    return PartFile(str(path), MediaType.TIFF, part.first_page, len(part.directories)), path.stat().st_size


def _bytes_of(directory: Directory) -> int:
    """The bytes that a page takes in a part, at most."""
    total = ENTRY_BYTES
    for tag, value in directory["tags"].items():
        total += ENTRY_BYTES + value["count"] * tifftools.Datatype[value["datatype"]].size
        if tag in DATA_LENGTHS:
            total += sum(value["data"])
    return total
