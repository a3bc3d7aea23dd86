"""Documents that the tests make: pages of known text, as PDFs and images."""

import io
from collections.abc import Sequence
from typing import Any

import pikepdf
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import letter  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types

SENTENCES = (
    "The court finds that the motion was filed in time",
    "and that the parties have agreed to extend the schedule",
    "Counsel shall submit a written statement before Friday",
    "A hearing is set for the second Monday of the month",
    "No further extension will be granted without good cause",
)


def pdf(*sheets: Sequence[str]) -> bytes:
    """Make a PDF with one page for each sheet of lines."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=letter)
    for lines in sheets:
        canvas.setFont("Helvetica", 13)
        for number, line in enumerate(lines):
            canvas.drawString(72, 700 - 22 * number, line)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def dense_pdf(pages: int) -> bytes:
    """Make a PDF whose pages take about a second each to read."""
    return pdf(*([f"Page {page} of the record", *SENTENCES * 5] for page in range(1, pages + 1)))


def turned_by_entry(content: bytes, degrees_clockwise: int) -> bytes:
    """Have a PDF's pages shown turned, by their /Rotate."""
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as document:
        for page in document.pages:
            page.rotate(degrees_clockwise, relative=False)
        document.save(stream)
    return stream.getvalue()


def encrypted(content: bytes) -> bytes:
    """Protect a PDF by a password."""
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as document:
        document.save(stream, encryption=pikepdf.Encryption(user="secret", owner="secret"))
    return stream.getvalue()


def picture(lines: Sequence[str] = SENTENCES, size: tuple[int, int] = (1700, 1100)) -> Image.Image:
    """Draw lines on white paper, as a scan at 200 dpi would show them."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(42)
    for number, line in enumerate(lines):
        draw.text((120, 120 + 80 * number), line, fill=0, font=font)
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode an image in one of Pillow's formats."""
    stream = io.BytesIO()
    image.save(stream, kind, dpi=(200, 200), **options)
    return stream.getvalue()


def turned(image: Image.Image, degrees_clockwise: int) -> Image.Image:
    """Turn an image clockwise."""
    return image.rotate(-degrees_clockwise, expand=True)
