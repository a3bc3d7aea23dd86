"""Small documents that the tests make for themselves."""

import io

from reportlab.lib.pagesizes import LETTER
from reportlab.pdfgen.canvas import Canvas


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
