"""TIFFs larger than a part: every page comes out once, in order, with its data as it was."""

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest
import tifftools  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageDraw

from app.documents.intake import MediaType
from app.documents.splitting import SplitResult
from app.errors import DocumentCorrupt, PageTooLarge
from tests.splitting.conftest import SMALL, Splitter
from tests.splitting.looks import TiffPage, page_numbers, sizes, tiff_pages


def tiff(pages: list[Image.Image], compression: str | None = None, **saving: Any) -> bytes:
    """A TIFF of these pages."""
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], compression=compression, **saving)
    return file.getvalue()


def sheets(count: int, mode: str = "1", size: tuple[int, int] = (200, 260)) -> list[Image.Image]:
    """Pages that say their numbers."""
    pages = []
    for number in range(1, count + 1):
        page = Image.new(mode, size, "white")
        ImageDraw.Draw(page).text((20, 20), f"Page {number}", fill="black", font_size=30)
        pages.append(page)
    return pages


def noise(side: int) -> Image.Image:
    """A square of so many pixels, a byte each, that don't compress."""
    return Image.frombytes("L", (side, side), random.Random(side).randbytes(side * side))


def looks(result: SplitResult) -> list[TiffPage]:
    """The pages of all parts, one after the other."""
    return [page for part in result.parts for page in tiff_pages(Path(part.path))]


def test_a_document_within_the_limits_is_not_split(split_up: Splitter) -> None:
    """It is read as it is."""
    assert split_up(tiff(sheets(3)), MediaType.TIFF) == SplitResult()


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        ("1", "group4"),
        ("1", None),
        ("L", "tiff_lzw"),
        ("RGB", "jpeg"),
        ("RGB", "tiff_adobe_deflate"),
        ("P", "packbits"),
    ],
)
def test_pages_keep_their_pixels_and_their_compression(split_up: Splitter, mode: str, compression: str | None) -> None:
    """Their data is copied, not encoded anew: even a JPEG's pixels stay as they were."""
    content = tiff(sheets(8, mode), compression, dpi=(300, 300))
    result = split_up(content, MediaType.TIFF)
    assert [(part.first_page, part.page_count) for part in result.parts] == [(1, 3), (4, 3), (7, 2)]
    assert looks(result) == tiff_pages(content)


def test_large_offsets(split_up: Splitter) -> None:
    """BigTIFF is split into plain TIFFs, which every reader knows."""
    content = tiff(sheets(5, "L"), big_tiff=True)
    assert content.startswith(b"II+\0")
    result = split_up(content, MediaType.TIFF)
    assert {Path(part.path).read_bytes()[:4] for part in result.parts} == {b"II*\0"}
    assert looks(result) == tiff_pages(content)


def test_the_other_byte_order(split_up: Splitter, tmp_path: Path) -> None:
    """It stays as it is: samples of 16 bits are written in it."""
    (tmp_path / "little").write_bytes(tiff([page.convert("I;16") for page in sheets(5, "L")]))
    info = tifftools.read_tiff(str(tmp_path / "little"))
    tifftools.write_tiff(info, str(tmp_path / "big"), bigEndian=True)
    result = split_up(tmp_path / "big", MediaType.TIFF)
    assert {Path(part.path).read_bytes()[:4] for part in result.parts} == {b"MM\0*"}
    assert looks(result) == tiff_pages(tmp_path / "big")


def test_pages_are_split_by_size(split_up: Splitter) -> None:
    """Every part is under the limit, however unevenly the bytes are spread."""
    content = tiff([noise(side) for side in (300, 310, 900, 320, 330, 890, 340, 350, 360)])
    result = split_up(content, MediaType.TIFF, pages=100)
    assert max(sizes(result.parts)) <= SMALL.bytes
    assert [part.first_page for part in result.parts] == [1, 4, 6, 8]
    assert looks(result) == tiff_pages(content)


def test_a_part_may_be_filled_to_the_last_byte(split_up: Splitter) -> None:
    """What is counted before a part is written is never less than what is written."""
    content = tiff([noise(100 + side) for side in range(30)], "tiff_lzw")
    for most in range(60_000, 60_400, 20):
        result = split_up(content, MediaType.TIFF, pages=100, bytes=most)
        assert result.refusal is None
        assert max(sizes(result.parts)) <= most
        assert page_numbers(result.parts) == list(range(1, 31))
        for part in result.parts:
            Path(part.path).unlink()


def test_a_page_that_is_too_large_by_itself_is_named(split_up: Splitter) -> None:
    """No splitting helps it."""
    result = split_up(tiff([noise(300), noise(990), noise(310)]), MediaType.TIFF, bytes=900_000)
    assert (result.parts, result.refusal) == ((), PageTooLarge)
    assert result.detail.startswith("Page 2 takes 980,")


@pytest.mark.parametrize(("mode", "compression"), [("1", "group4"), ("L", "tiff_lzw"), ("RGB", "jpeg")])
def test_only_pages_with_too_long_a_side_are_scaled(split_up: Splitter, mode: str, compression: str) -> None:
    """They keep their proportions, their place on paper and their kind; the others stay as they are."""
    pages = [*sheets(1, mode), *sheets(1, mode, (1200, 3000)), *sheets(1, mode)]
    content = tiff(pages, compression, dpi=(600, 600))
    result = split_up(content, MediaType.TIFF)
    assert [part.page_count for part in result.parts] == [3]
    before, after = tiff_pages(content), looks(result)
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1].size == (400, 1000)
    assert after[1].mode == mode
    assert after[1].dpi == pytest.approx((200, 200), abs=0.01)
    assert [each.name for each in Path(result.parts[0].path).parent.iterdir()] == ["part-00001.tiff"]


def test_thin_strokes_of_a_bilevel_page_stay(split_up: Splitter) -> None:
    """A line of one pixel is still one when the page has a third of its width."""
    page = Image.new("1", (3000, 3000), "white")
    ImageDraw.Draw(page).line((0, 1500, 2999, 1500), fill="black", width=2)
    result = split_up(tiff([page], "group4"), MediaType.TIFF)
    with Image.open(result.parts[0].path) as scaled:
        column = [scaled.getpixel((500, row)) for row in range(495, 505)]
    assert column.count(0) in {1, 2}


def test_a_turned_page_is_scaled_upright(split_up: Splitter) -> None:
    """As it is shown."""
    result = split_up(tiff(sheets(1, "L", (3000, 1200)), tiffinfo={274: 6}), MediaType.TIFF)
    assert looks(result)[0].size == (400, 1000)


def test_pages_that_share_their_data_do_not_outgrow_the_document(split_up: Splitter) -> None:
    """A small file may claim the same bytes for each of thousands of pages."""
    content = bytearray(tiff([noise(900), *sheets(20, "L", (10, 10))]))
    (first,) = struct.unpack_from("<L", content, 4)
    (count,) = struct.unpack_from("<H", content, first)
    directory, offset = content[first : first + 2 + 12 * count], first
    for _ in range(20):
        (following,) = struct.unpack_from("<L", content, offset + 2 + 12 * count)
        struct.pack_into("<L", content, offset + 2 + 12 * count, len(content))
        offset = len(content)
        content += directory + struct.pack("<L", following)
    result = split_up(bytes(content), MediaType.TIFF)
    assert (result.parts, result.refusal) == ((), PageTooLarge)
    assert "share so much" in result.detail


def test_a_circle_of_pages_ends(split_up: Splitter) -> None:
    """Each page is read once, where the last one names the first as its next."""
    content = bytearray(tiff(sheets(5, "L")))
    (first,) = offset = struct.unpack_from("<L", content, 4)
    place = 0
    while offset[0]:
        (count,) = struct.unpack_from("<H", content, offset[0])
        place = offset[0] + 2 + 12 * count
        offset = struct.unpack_from("<L", content, place)
    struct.pack_into("<L", content, place, first)
    assert page_numbers(split_up(bytes(content), MediaType.TIFF).parts) == [1, 2, 3, 4, 5]


def test_what_cannot_be_read_is_refused(split_up: Splitter) -> None:
    """With the same error as at inspection."""
    result = split_up(b"II*\0" + bytes(2_000_000), MediaType.TIFF)
    assert (result.parts, result.refusal) == ((), DocumentCorrupt)


@pytest.mark.corpus
@pytest.mark.parametrize("limits", [{}, {"pages": 100, "bytes": 150_000}])
def test_a_real_fax(split_up: Splitter, corpus: Path, limits: dict[str, int]) -> None:
    """By pages and by bytes, every page is as it was, to the bit."""
    path = corpus / "documents/multipage_tiff/ca5_10p_g4_300dpi.tiff"
    result = split_up(path, MediaType.TIFF, image_pixels_per_side=10_000, **limits)
    assert max(sizes(result.parts)) <= limits.get("bytes", SMALL.bytes)
    assert page_numbers(result.parts) == list(range(1, 11))
    assert looks(result) == tiff_pages(path)


@pytest.mark.corpus
def test_a_real_fax_scaled(split_up: Splitter, corpus: Path) -> None:
    """Pages over the limit come out smaller, and in fewer bytes than they had."""
    path = corpus / "documents/multipage_tiff/ca5_10p_g4_300dpi.tiff"
    result = split_up(path, MediaType.TIFF, pages=100, image_pixels_per_side=2500)
    assert [max(page.size) for page in looks(result)] == [2500] * 10
    assert sum(sizes(result.parts)) < path.stat().st_size
