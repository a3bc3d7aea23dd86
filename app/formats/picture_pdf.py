"""Images as a PDF of their own: a page for each frame, as large as it is on paper, upright."""

from collections.abc import Iterator
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, ObjectStreamMode, StreamDecodeLevel
from PIL import Image

from app.errors import PageTooLarge
from app.formats.page_sizes import POINTS_PER_INCH
from app.formats.picture_streams import PictureStream, picture_stream
from app.formats.pictures import opened_picture, orientation_of, resolution_of, turned_size

BYTES_AT_ONCE = 64 * 1024 * 1024
"""Encoded images are held in memory until they are written: so many, and then into a file of their own."""
LONGEST_POINTS = 14_400
"""The longest side of a page that readers are held to know (ISO 32000-1, annex C)."""

_UPRIGHT = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
"""How the unit square that an image fills is turned, by EXIF orientation, for it to stand upright."""


def picture_pdf(path: Path, target: Path) -> None:
    """Write an image file as a PDF. Raises `DocumentCorrupt` and `PageTooLarge`."""
    parts = []
    with opened_picture(path) as picture:
        frames = _frames(picture, path)
        for number, batch in enumerate(_batches(frames), 1):
            parts.append(target.with_suffix(f".{number}"))
            _write(batch, parts[-1])
    if len(parts) == 1:
        parts[0].replace(target)
    else:
        _join(parts, target)


def _frames(picture: Image.Image, path: Path) -> Iterator[tuple[PictureStream, tuple[float, float], int]]:
    """Each frame's stream, its size on paper in points, and its orientation."""
    for index in range(getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1):
        picture.seek(index)
        scale = POINTS_PER_INCH / resolution_of(picture)
        width, height = (side * scale for side in turned_size(picture))
        if max(width, height) > LONGEST_POINTS:
            raise PageTooLarge(f"Frame {index + 1} is larger on paper than a page of a PDF can be.")
        yield picture_stream(picture, path), (width, height), orientation_of(picture)


def _batches(
    frames: Iterator[tuple[PictureStream, tuple[float, float], int]],
) -> Iterator[list[tuple[PictureStream, tuple[float, float], int]]]:
    batch, size_bytes = [], 0
    for frame in frames:
        batch.append(frame)
        size_bytes += len(frame[0].data)
        if size_bytes >= BYTES_AT_ONCE:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _write(frames: list[tuple[PictureStream, tuple[float, float], int]], target: Path) -> None:
    with pikepdf.new() as pdf:
        for stream, (width, height), orientation in frames:
            image = pdf.make_stream(
                stream.data, Type=Name.XObject, Subtype=Name.Image, Width=stream.width, Height=stream.height, **stream.entries
            )  # fmt: skip
            across, down, left, up, x, y = _UPRIGHT[orientation]
            matrix = (across * width, down * height, left * width, up * height, x * width, y * height)
            content = f"q {' '.join(f'{each:.4f}' for each in matrix)} cm /Image Do Q\n".encode("ascii")
            page = Dictionary(
                Type=Name.Page,
                MediaBox=Array([0, 0, round(width, 4), round(height, 4)]),
                Resources=Dictionary(XObject=Dictionary(Image=image)),
                Contents=pdf.make_stream(content),
            )
            pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))
        _save(pdf, target)


def _join(parts: list[Path], target: Path) -> None:
    """Put PDFs one after the other; their streams are copied from file to file, one at a time."""
    sources = [pikepdf.open(part, access_mode=pikepdf.AccessMode.stream) for part in parts]
    with pikepdf.new() as pdf:
        for source in sources:
            pdf.pages.extend(source.pages)
        _save(pdf, target)
    for source in sources:
        source.close()


def _save(pdf: pikepdf.Pdf, target: Path) -> None:
    pdf.save(
        target,
        stream_decode_level=StreamDecodeLevel.none,
        object_stream_mode=ObjectStreamMode.generate,
        deterministic_id=True,
    )
