"""How an image's bytes go into a PDF: as they stand where PDF knows their encoding, else encoded anew without loss.

JPEG files, PNG image data and CCITT strips are streams that PDF readers decode themselves (ISO 32000-1, 7.4). What is
transparent is put on white paper, as engines see it.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pikepdf import Array, Dictionary, Name, Object
from PIL import Image

from app.errors import DocumentCorrupt

PNG_SIGNATURE_BYTES = 8
JPEG_COLOURS = {"L": ("/DeviceGray", 1), "RGB": ("/DeviceRGB", 3), "CMYK": ("/DeviceCMYK", 4)}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1}
"""Of the colour types that have no transparency: grey, RGB, and indexed."""
_TIFF_COMPRESSION, _TIFF_PHOTOMETRIC, _TIFF_FILL_ORDER, _TIFF_ORIENTATION = 259, 262, 266, 274
_TIFF_STRIP_OFFSETS, _TIFF_ROWS_PER_STRIP, _TIFF_STRIP_BYTES = 273, 278, 279
_GROUP_4 = 4
_DEEP_GREY = {"I;16", "I;16B", "I;16L", "I;16N"}


@dataclass(frozen=True, slots=True)
class PictureStream:
    """An image's encoded bytes, and the entries of its dictionary in a PDF."""

    data: bytes
    width: int
    height: int
    entries: dict[str, Any] = field(default_factory=dict)


def picture_stream(picture: Image.Image, path: Path) -> PictureStream:
    """The stream of an image's present frame; `path` is its file."""
    match picture.format:
        case "JPEG" | "MPO" if picture.mode in JPEG_COLOURS:
            return _jpeg(picture, path.read_bytes())
        case "PNG":
            return _png(path.read_bytes()) or _encoded(picture)
        case "TIFF":
            return _group_4(picture, path) or _encoded(picture)
        case _:
            return _encoded(picture)


def _jpeg(picture: Image.Image, data: bytes) -> PictureStream:
    colours, channels = JPEG_COLOURS[picture.mode]
    entries: dict[str, Any] = {"ColorSpace": Name(colours), "BitsPerComponent": 8, "Filter": Name.DCTDecode}
    if channels == 4 and "adobe" in picture.info:  # noqa: PLR2004 (CMYK, which Adobe's programs write inverted)
        entries["Decode"] = Array([1, 0] * channels)
    return PictureStream(data, *picture.size, entries)


def _png(data: bytes) -> PictureStream | None:
    """A PNG's own image data; None where a PDF can't show it as it is: interlaced, or with transparency."""
    chunks: dict[bytes, bytes] = {}
    image_data = []
    for kind, content in _chunks(data):
        if kind == b"IDAT":
            image_data.append(content)
        else:
            chunks.setdefault(kind, content)
    if len(chunks.get(b"IHDR", b"")) != struct.calcsize(">IIBBBBB"):
        raise DocumentCorrupt
    width, height, bits, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if interlaced or colour_type not in _PNG_CHANNELS or b"tRNS" in chunks:
        return None
    channels = _PNG_CHANNELS[colour_type]
    colours: Object = Name.DeviceRGB if colour_type == 2 else Name.DeviceGray  # noqa: PLR2004 (PNG's number for RGB)
    if b"PLTE" in chunks and colour_type == 3:  # noqa: PLR2004 (PNG's number for indexed colours)
        palette = chunks[b"PLTE"]
        colours = Array([Name.Indexed, Name.DeviceRGB, len(palette) // 3 - 1, palette])
    predicted = Dictionary(Predictor=15, Colors=channels, BitsPerComponent=bits, Columns=width)
    entries = {
        "ColorSpace": colours, "BitsPerComponent": bits, "Filter": Name.FlateDecode, "DecodeParms": predicted
    }  # fmt: skip
    return PictureStream(b"".join(image_data), width, height, entries)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """A PNG's chunks (W3C PNG, 5.3), as far as they are whole."""
    at = PNG_SIGNATURE_BYTES
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += length + 12


def _group_4(picture: Image.Image, path: Path) -> PictureStream | None:
    """A TIFF frame of one CCITT strip as it stands; None where it is anything else."""
    tags: Any = picture.tag_v2  # type: ignore[attr-defined]  # a TIFF image has it
    offsets, lengths = tags.get(_TIFF_STRIP_OFFSETS, ()), tags.get(_TIFF_STRIP_BYTES, ())
    plain = tags.get(_TIFF_FILL_ORDER, 1) == 1 and tags.get(_TIFF_ORIENTATION, 1) == 1
    if tags.get(_TIFF_COMPRESSION) != _GROUP_4 or len(offsets) != 1 or len(lengths) != 1 or not plain:
        return None
    with path.open("rb") as file:
        file.seek(offsets[0])
        data = file.read(lengths[0])
    white_is_zero = tags.get(_TIFF_PHOTOMETRIC, 0) == 0
    return _fax(data, *picture.size, white_is_zero=white_is_zero)


def _fax(data: bytes, width: int, height: int, *, white_is_zero: bool) -> PictureStream:
    how = Dictionary(K=-1, Columns=width, Rows=height, BlackIs1=not white_is_zero)
    entries = {
        "ColorSpace": Name.DeviceGray, "BitsPerComponent": 1, "Filter": Name.CCITTFaxDecode, "DecodeParms": how
    }  # fmt: skip
    return PictureStream(data, width, height, entries)


def _encoded(picture: Image.Image) -> PictureStream:
    """Pixels encoded anew, without loss, as what takes the least room: fax for black and white, PNG for all else."""
    picture.load()
    if picture.mode == "1":
        return _black_and_white(picture)
    if picture.mode == "CMYK":
        data = zlib.compress(picture.tobytes(), 9)
        entries = {"ColorSpace": Name.DeviceCMYK, "BitsPerComponent": 8, "Filter": Name.FlateDecode}
        return PictureStream(data, *picture.size, entries)
    file = io.BytesIO()
    plain_picture(picture).save(file, "PNG")
    stream = _png(file.getvalue())
    assert stream is not None  # noqa: S101 (a plain picture has no transparency, and Pillow doesn't interlace)
    return stream


def _black_and_white(picture: Image.Image) -> PictureStream:
    file = io.BytesIO()
    one_strip = {_TIFF_ROWS_PER_STRIP: picture.height}
    picture.save(file, "TIFF", compression="group4", tiffinfo=one_strip)
    with Image.open(file) as written:
        tags: Any = written.tag_v2  # type: ignore[attr-defined]  # a TIFF image has it
        (start,), (length,) = tags[_TIFF_STRIP_OFFSETS], tags[_TIFF_STRIP_BYTES]
        data = file.getvalue()[start : start + length]
        return _fax(data, *picture.size, white_is_zero=tags[_TIFF_PHOTOMETRIC] == 0)


def plain_picture(picture: Image.Image) -> Image.Image:
    """A decoded image in grey or RGB, of 8 or 16 bits; what is transparent shows white paper."""
    if picture.mode in {"L", "RGB", *_DEEP_GREY} and "transparency" not in picture.info:
        return picture
    if picture.mode in {"I", "F"}:
        return picture.convert("F").point(lambda value: value / 257 + 0).convert("L")
    if picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info:
        colours = picture.convert("RGBA")
        paper = Image.new("RGBA", colours.size, "white")
        paper.alpha_composite(colours)
        return paper.convert("L" if picture.mode in {"LA", "La"} else "RGB")
    return picture.convert("RGB")
