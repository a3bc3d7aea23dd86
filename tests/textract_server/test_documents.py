"""Documents of every format, whole and damaged, upright and turned."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image, ImageChops

from tests.textract_server import sheets
from tests.textract_server.invariants import check_detection
from tests.textract_server.running import TextractServer, text_of

TEXT = "\n".join(sheets.SENTENCES)
CORNERS = {0: (0, 0), 90: (1, 0), 180: (1, 1), 270: (0, 1)}


def detect(server: TextractServer, content: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = server.textract().detect_document_text(Document={"Bytes": content})
    answer.pop("ResponseMetadata")
    check_detection(answer, numbered=False)
    return answer


def refusal(server: TextractServer, content: bytes) -> str:
    with pytest.raises(ClientError) as error:
        server.textract().detect_document_text(Document={"Bytes": content})
    return str(error.value.response["Error"]["Code"])


def first_line_at(result: dict[str, Any]) -> tuple[float, float]:
    box = next(block for block in result["Blocks"] if block["BlockType"] == "LINE")["Geometry"]["BoundingBox"]
    return box["Left"] + box["Width"] / 2, box["Top"] + box["Height"] / 2


MADE: dict[str, Callable[[], bytes]] = {
    "pdf": lambda: sheets.pdf(sheets.SENTENCES),
    "pdf after junk": lambda: b"junk before the header\n" + sheets.pdf(sheets.SENTENCES),
    "png": lambda: sheets.encoded(sheets.picture(), "PNG"),
    "transparent png": lambda: sheets.encoded(transparent(), "PNG"),
    "jpeg": lambda: sheets.encoded(sheets.picture(), "JPEG", quality=90),
    "small png": lambda: sheets.encoded(sheets.picture().resize((850, 550), Image.Resampling.LANCZOS), "PNG"),
    "colour tiff": lambda: sheets.encoded(sheets.picture().convert("RGB"), "TIFF", compression="tiff_lzw"),
    "bilevel tiff": lambda: sheets.encoded(sheets.picture().convert("1"), "TIFF", compression="group4"),
    "16 bit png": lambda: sheets.encoded(sheets.picture().convert("I").point(lambda v: v * 257).convert("I;16"), "PNG"),
}


def transparent() -> Image.Image:
    ink = sheets.picture()
    image = Image.new("RGBA", ink.size, (0, 0, 0, 0))
    image.putalpha(ink.point(lambda value: 255 - value))
    return image


@pytest.mark.parametrize("name", MADE)
def test_every_format_is_read(server: TextractServer, name: str) -> None:
    assert text_of(detect(server, MADE[name]())) == TEXT


def test_a_document_may_lie_in_s3_for_the_synchronous_call_too(server: TextractServer) -> None:
    document = {"S3Object": server.upload(sheets.encoded(sheets.picture(), "PNG"))}
    assert text_of(server.textract().detect_document_text(Document=document)) == TEXT


@pytest.mark.parametrize("degrees", CORNERS)
def test_a_turned_page_is_read_upright_and_told_as_it_lies(server: TextractServer, degrees: int) -> None:
    image = sheets.turned(sheets.picture(sheets.SENTENCES * 2, (1700, 1200)), degrees)
    result = detect(server, sheets.encoded(image, "PNG"))
    assert text_of(result) == f"{TEXT}\n{TEXT}"
    first = result["Blocks"][0]["Geometry"]["Polygon"][0]
    assert (first["X"], first["Y"]) == CORNERS[degrees]
    for block in result["Blocks"]:
        start, end = block["Geometry"]["Polygon"][:2]
        angle = math.degrees(math.atan2(end["Y"] - start["Y"], end["X"] - start["X"])) % 360
        assert round(angle) == degrees


@pytest.mark.parametrize("degrees", CORNERS)
def test_a_pdf_page_lies_as_its_rotate_entry_says(server: TextractServer, degrees: int) -> None:
    result = detect(server, sheets.turned_by_entry(sheets.pdf(sheets.SENTENCES * 2), degrees))
    assert text_of(result) == f"{TEXT}\n{TEXT}"
    first = result["Blocks"][0]["Geometry"]["Polygon"][0]
    assert (first["X"], first["Y"]) == CORNERS[degrees]


@pytest.mark.parametrize("shade", ["slope", "stain"])
def test_a_shaded_page_is_read_to_its_end(server: TextractServer, shade: str) -> None:
    """Without its paper evened out, the darker part of such a page is lost."""
    image = sheets.picture(sheets.SENTENCES * 2, (1700, 1100))
    slope = Image.linear_gradient("L") if shade == "slope" else Image.radial_gradient("L")
    shadow = slope.resize(image.size).point(lambda value: 90 + value * 165 // 255)
    shaded = ImageChops.multiply(image, shadow)
    assert text_of(detect(server, sheets.encoded(shaded, "PNG"))) == f"{TEXT}\n{TEXT}"


def test_exif_orientation_is_applied(server: TextractServer) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # To be shown turned by 90 degrees clockwise.
    stored = sheets.turned(sheets.picture(), 270)
    result = detect(server, sheets.encoded(stored, "JPEG", quality=90, exif=exif))
    upright = detect(server, sheets.encoded(sheets.picture(), "JPEG", quality=90))
    assert text_of(result) == TEXT
    assert first_line_at(result) == pytest.approx(first_line_at(upright), abs=0.01)


@pytest.mark.parametrize("compression", ["group4", "tiff_lzw"])
def test_a_tiff_has_as_many_pages_as_frames(server: TextractServer, compression: str) -> None:
    frames = [sheets.picture([f"Frame number {number}"], (1700, 500)).convert("1") for number in (1, 2, 3)]
    content = sheets.encoded(frames[0], "TIFF", compression=compression, save_all=True, append_images=frames[1:])
    result = server.read(content)
    check_detection(result, numbered=True)
    assert text_of(result).splitlines() == ["Frame number 1", "Frame number 2", "Frame number 3"]
    assert refusal(server, content) == "UnsupportedDocumentException"


def test_a_pdf_of_two_pages_is_too_many_for_the_synchronous_call(server: TextractServer) -> None:
    assert refusal(server, sheets.pdf(["One"], ["Two"])) == "UnsupportedDocumentException"


def test_a_blank_page_is_a_page_and_nothing_else(server: TextractServer) -> None:
    (sheet,) = detect(server, sheets.pdf([]))["Blocks"]
    assert "Relationships" not in sheet


def test_a_truncated_pdf_is_repaired(server: TextractServer) -> None:
    whole = sheets.pdf(sheets.SENTENCES)
    without_its_end = whole[: whole.rindex(b"xref")]
    assert text_of(server.read(without_its_end)) == TEXT


UNREADABLE = {
    "encrypted": lambda: sheets.encrypted(sheets.pdf(["Secret"])),
    "corrupt pdf": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "corrupt tiff": lambda: b"II*\x00" + bytes(range(256)) * 20,
    "truncated png": lambda: sheets.encoded(sheets.picture(), "PNG")[:200],
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_fails_with_a_reason(server: TextractServer, name: str) -> None:
    content = UNREADABLE[name]()
    result = server.read(content)
    assert result["JobStatus"] == "FAILED"
    assert result["StatusMessage"]
    assert refusal(server, content) == "BadDocumentException"


def test_an_image_with_too_long_a_side_is_too_large(server: TextractServer) -> None:
    content = sheets.encoded(Image.new("1", (10_001, 40), 1), "PNG")
    assert refusal(server, content) == "DocumentTooLargeException"
    result = server.read(content)
    assert result["Warnings"] == [{"ErrorCode": "PAGE_SIZE_EXCEEDED", "Pages": [1]}]
    assert result["JobStatus"] == "FAILED"


def test_a_hundred_megapixels_are_read_in_bounded_memory(server: TextractServer) -> None:
    assert len(detect(server, sheets.encoded(Image.new("1", (10_000, 10_000), 1), "PNG"))["Blocks"]) == 1
