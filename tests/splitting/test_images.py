"""PNGs and JPEGs larger than a part: scaled no further than needed, and everything stays where it was on the page."""

import io
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from app.documents.intake import MediaType
from app.documents.parts import PartFile
from app.documents.splitting import SplitResult
from app.errors import DocumentCorrupt, PageTooLarge
from tests.splitting.conftest import SMALL, Splitter

MARK = (0.2, 0.6, 0.3, 0.7)
"""Where the mark on a sheet is, as shares of its sides: left, top, right, bottom."""


def sheet(size: tuple[int, int], mode: str = "L", paper: Any = "white", ink: Any = "black") -> Image.Image:
    """Paper with a mark."""
    image = Image.new(mode, size, paper)
    left, top, right, bottom = MARK
    ImageDraw.Draw(image).rectangle(
        (left * size[0], top * size[1], right * size[0] - 1, bottom * size[1] - 1), fill=ink
    )
    return image


def noise(width: int, height: int) -> Image.Image:
    """Pixels that don't compress."""
    return Image.frombytes("RGB", (width, height), random.Random(1).randbytes(width * height * 3))


def saved(image: Image.Image, kind: str, **saving: Any) -> bytes:
    """An image's file."""
    file = io.BytesIO()
    image.save(file, kind, **saving)
    return file.getvalue()


def only_part(result: SplitResult, most_bytes: int = SMALL.image_bytes) -> tuple[PartFile, Image.Image]:
    """The one part of an image, which is under the limits, and what it shows."""
    (part,) = result.parts
    assert (part.first_page, part.page_count) == (1, 1)
    assert Path(part.path).stat().st_size <= most_bytes
    with Image.open(part.path) as image:
        image.load()
        assert MediaType(Image.MIME[image.format or ""]) is part.media_type
        return part, image


def mark_of(image: Image.Image) -> tuple[float, ...]:
    """Where an image's mark is, as shares of its sides."""
    box = image.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
    assert box is not None
    return (box[0] / image.width, box[1] / image.height, box[2] / image.width, box[3] / image.height)


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", MediaType.PNG), ("JPEG", MediaType.JPEG)])
def test_an_image_within_the_limits_is_left_alone(split_up: Splitter, kind: str, media_type: MediaType) -> None:
    """It is read as it is."""
    assert split_up(saved(sheet((1000, 700)), kind), media_type) == SplitResult()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "1"), ("PNG", "L"), ("PNG", "P"), ("PNG", "RGB"), ("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK")],
)
@pytest.mark.parametrize("size", [(1300, 700), (700, 1001), (1000, 4321)])
def test_too_long_a_side_is_scaled(split_up: Splitter, kind: str, mode: str, size: tuple[int, int]) -> None:
    """To the limit, with the image's proportions: boxes, as shares of the page, hold for the original."""
    content = saved(sheet(size, mode, *((0, (255, 255, 255, 255)) if mode == "CMYK" else ("white", "black"))), kind)
    part, image = only_part(split_up(content, MediaType[kind]))
    assert max(image.size) == 1000
    assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.01)
    assert mark_of(image) == pytest.approx(MARK, abs=0.005)
    assert part.media_type is (MediaType.PNG if kind == "PNG" and mode in {"1", "L"} else MediaType.JPEG)


def test_too_many_bytes_cost_quality_before_pixels(split_up: Splitter) -> None:
    """Print bears that better."""
    content = saved(Image.blend(sheet((990, 990), "RGB"), noise(990, 990), 0.1), "JPEG", quality=99)
    assert len(content) > 4 * SMALL.image_bytes
    _, image = only_part(split_up(content, MediaType.JPEG))
    assert image.size == (990, 990)
    assert image.mode == "RGB"
    assert mark_of(image) == pytest.approx(MARK, abs=0.01)


def test_far_too_many_bytes_cost_pixels(split_up: Splitter) -> None:
    """Where no quality is low enough, an image gets smaller until it fits, and no smaller."""
    _, image = only_part(split_up(saved(noise(900, 600), "JPEG", quality=99), MediaType.JPEG))
    assert image.width / image.height == pytest.approx(1.5, rel=0.01)
    assert 300 < image.width < 900


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_carried_out(split_up: Splitter, orientation: int) -> None:
    """Engines say where things are on the upright page, so the part is upright, and says nothing of turns."""
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = sheet((900, 1500))
    stored = upright.transpose(turns[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[274] = orientation
    for kind in ("JPEG", "PNG"):
        _, image = only_part(split_up(saved(stored, kind, exif=exif), MediaType[kind]))
        assert image.size == (600, 1000)
        assert image.getexif().get(274, 1) == 1
        assert mark_of(image) == pytest.approx(MARK, abs=0.005)


@pytest.mark.parametrize(("mode", "clear"), [("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))])
def test_what_is_transparent_shows_paper(split_up: Splitter, mode: str, clear: tuple[int, ...]) -> None:
    """Black that nobody sees doesn't become black that hides the text."""
    ink = (*(0,) * (len(clear) - 1), 255)
    _, image = only_part(split_up(saved(sheet((1500, 1500), mode, clear, ink), "PNG"), MediaType.PNG))
    assert mark_of(image) == pytest.approx(MARK, abs=0.005)


def test_16_bits_keep_their_shades(split_up: Splitter) -> None:
    """They are scaled to 8 bits, not cut off."""
    _, image = only_part(split_up(saved(sheet((1500, 1500), "I;16", 65535, 20_000), "PNG"), MediaType.PNG))
    assert mark_of(image) == pytest.approx(MARK, abs=0.005)
    assert image.getpixel((250, 650)) == pytest.approx(20_000 / 257, abs=2)


def test_resolution_is_scaled_too(split_up: Splitter) -> None:
    """The sheet keeps its size on paper, of which engines learn how large its print is."""
    content = saved(sheet((2000, 1500)), "JPEG", dpi=(600, 600))
    _, image = only_part(split_up(content, MediaType.JPEG))
    assert image.info["dpi"] == pytest.approx((300, 300), abs=1)


def test_bands_meet_without_a_seam(split_up: Splitter) -> None:
    """An image that is scaled in bands looks as if it had been scaled at once."""
    picture = sheet((1500, 3000)).effect_spread(3)
    _, image = only_part(
        split_up(saved(picture, "PNG"), MediaType.PNG, image_bytes=SMALL.bytes, image_pixels_per_side=900)
    )
    at_once = picture.resize((450, 900), Image.Resampling.BICUBIC)
    assert image.tobytes() == at_once.tobytes()


def test_more_pixels_than_memory_are_refused(split_up: Splitter) -> None:
    """Before they are decoded: a small file may claim any number of them."""
    content = saved(Image.new("RGB", (6000, 6000)), "PNG")
    result = split_up(content, MediaType.PNG, memory_bytes=160 * 1024 * 1024)
    assert (result.parts, result.refusal) == ((), PageTooLarge)
    assert result.detail.startswith("The image's 6,000 by 6,000 pixels take more memory")


def test_a_jpeg_with_many_pixels_is_decoded_at_a_fraction(split_up: Splitter) -> None:
    """So it takes less memory than its pixels would."""
    content = saved(sheet((6000, 6000), "RGB"), "JPEG")
    _, image = only_part(split_up(content, MediaType.JPEG, memory_bytes=160 * 1024 * 1024))
    assert image.size == (1000, 1000)
    assert mark_of(image) == pytest.approx(MARK, abs=0.005)


def test_colour_is_given_up_where_memory_is_short(split_up: Splitter) -> None:
    """A grey page can be read; none at all can't."""
    content = saved(sheet((6000, 6000), "RGB"), "JPEG")
    limits = {"image_bytes": SMALL.bytes, "image_pixels_per_side": 5900, "memory_bytes": 160 * 1024 * 1024}
    _, image = only_part(split_up(content, MediaType.JPEG, **limits), SMALL.bytes)
    assert (image.mode, image.size) == ("L", (5900, 5900))


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", MediaType.PNG), ("JPEG", MediaType.JPEG)])
def test_a_cut_off_image_is_refused(split_up: Splitter, kind: str, media_type: MediaType) -> None:
    """Rather than half of it be read as if it were all."""
    content = saved(noise(1200, 200), kind)
    assert split_up(content[: len(content) // 2], media_type).refusal is DocumentCorrupt
