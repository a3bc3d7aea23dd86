"""Small documents that the tests make for themselves."""

import io
from functools import cache

from PIL import Image
from reportlab.lib.pagesizes import LETTER  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types


def letter(*pages: str) -> bytes:
    """A PDF with a page for each text, its lines in a size that is easily read."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=LETTER)
    for text in pages:
        canvas.setFont("Helvetica", 18)
        for number, line in enumerate(text.splitlines()):
            canvas.drawString(72, 700 - 30 * number, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


@cache
def picture(kind: str) -> bytes:
    """A small white image: PNG, JPEG or TIFF."""
    file = io.BytesIO()
    Image.new("L", (60, 40), "white").save(file, kind)
    return file.getvalue()


def padded(content: bytes, size_bytes: int) -> bytes:
    """The same document with so many bytes in all: what follows a PDF's end is nobody's business."""
    return content + bytes(size_bytes - len(content))
