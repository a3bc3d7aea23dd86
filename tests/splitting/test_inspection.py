"""What inspection says of splitting, and that it refuses what no splitting helps."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from app.documents.inspection import Inspection, PageLimits, inspect
from app.documents.intake import MediaType
from app.documents.parts import PartLimits
from app.errors import DocumentCorrupt, PageTooLarge, TooManyPages
from tests.documents import letter, padded
from tests.splitting.conftest import SMALL
from tests.splitting.test_images import noise, saved, sheet
from tests.splitting.test_tiff import sheets, tiff

WHOLE = PageLimits(pages=10, image_pixels_per_side=3000, page_points_per_side=9000, memory_bytes=1024 * 1024 * 1024)
TWO_PAGES = letter("One", "Two")


def look(
    process: ProcessPoolExecutor, folder: Path, content: bytes, media_type: MediaType, parts: PartLimits | None = SMALL
) -> Inspection:
    """Inspect a document as the pipeline does."""
    path = folder / "document"
    path.write_bytes(content)
    return process.submit(inspect, str(path), media_type, WHOLE, parts).result()


@pytest.mark.parametrize(
    ("content", "media_type", "page_count", "needs_splitting"),
    [
        (TWO_PAGES, MediaType.PDF, 2, False),
        (padded(TWO_PAGES, SMALL.bytes), MediaType.PDF, 2, False),
        (padded(TWO_PAGES, SMALL.bytes + 1), MediaType.PDF, 2, True),
        (letter(*"abc"), MediaType.PDF, 3, False),
        (letter(*"abcd"), MediaType.PDF, 4, True),
        (tiff(sheets(3)), MediaType.TIFF, 3, False),
        (tiff(sheets(4)), MediaType.TIFF, 4, True),
        (padded(tiff(sheets(1)), SMALL.bytes + 1), MediaType.TIFF, 1, True),
        (tiff([*sheets(1), *sheets(1, "1", (10, 1001))]), MediaType.TIFF, 2, True),
        (saved(sheet((1000, 1000)), "PNG"), MediaType.PNG, 1, False),
        (saved(sheet((1001, 10)), "PNG"), MediaType.PNG, 1, True),
        (saved(sheet((10, 1001)), "JPEG"), MediaType.JPEG, 1, True),
        (padded(saved(sheet((10, 10)), "JPEG"), SMALL.image_bytes), MediaType.JPEG, 1, False),
        (padded(saved(sheet((10, 10)), "JPEG"), SMALL.image_bytes + 1), MediaType.JPEG, 1, True),
    ],
)
def test_larger_than_a_part(
    process: ProcessPoolExecutor,
    tmp_path: Path,
    content: bytes,
    media_type: MediaType,
    page_count: int,
    needs_splitting: bool,
) -> None:
    """Bytes, pages and pixels over a part's limits, each by itself; and nothing of it where nobody asked."""
    found = look(process, tmp_path, content, media_type)
    assert found == Inspection(page_count, needs_splitting=needs_splitting)
    assert look(process, tmp_path, content, media_type, None) == Inspection(page_count)


def test_what_a_whole_document_may_not_have_is_refused(process: ProcessPoolExecutor, tmp_path: Path) -> None:
    """Splitting and scaling have their limits too."""
    assert look(process, tmp_path, letter(*"abcdefghijk"), MediaType.PDF).refusal is TooManyPages
    assert look(process, tmp_path, saved(Image.new("1", (3001, 1)), "PNG"), MediaType.PNG).refusal is PageTooLarge


def test_an_image_that_is_read_as_it_is_is_decoded_once(process: ProcessPoolExecutor, tmp_path: Path) -> None:
    """A cut off image is found out; where it is to be scaled, scaling finds out."""
    cut = saved(noise(150, 150), "JPEG")[:5000]
    assert look(process, tmp_path, cut, MediaType.JPEG).refusal is DocumentCorrupt
    cut = saved(noise(1200, 200), "JPEG")[:5000]
    assert look(process, tmp_path, cut, MediaType.JPEG) == Inspection(1, needs_splitting=True)


def test_a_smaller_bound_of_memory_can_be_raised_again(process: ProcessPoolExecutor, tmp_path: Path) -> None:
    """Inspection and splitting share processes, and may be given different amounts."""
    path = tmp_path / "document"
    path.write_bytes(TWO_PAGES)
    for megabytes in (300, 200, 400):
        limits = PageLimits(10, 3000, 9000, megabytes * 1024 * 1024)
        assert process.submit(inspect, str(path), MediaType.PDF, limits).result().page_count == 2
