"""Sheets whose words stand where the test has put them, and a look into PDFs by other people's readers."""

import io
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pikepdf
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw

from app.ocr.blocks import PageText

Box = dict[str, float]
Word = dict[str, Any]
LETTER = (612, 792)


def box(left: float, top: float, width: float, height: float) -> Box:
    """A place in shares of its page."""
    return {"left": left, "top": top, "width": width, "height": height}


def word(text: str, place: Box, confidence: float = 95.0) -> Word:
    """A word as pages have them."""
    return {"text": text, "confidence": confidence, "box": place}


def line(*words: Word) -> dict[str, Any]:
    """A line of words, with the box around them."""
    left, top = min(each["box"]["left"] for each in words), min(each["box"]["top"] for each in words)
    right = max(each["box"]["left"] + each["box"]["width"] for each in words)
    bottom = max(each["box"]["top"] + each["box"]["height"] for each in words)
    text = " ".join(each["text"] for each in words)
    return word(text, box(left, top, right - left, bottom - top)) | {"words": list(words)}


def row(text: str, top: float, *, left: float = 0.1, height: float = 0.02, letter: float = 0.012) -> dict[str, Any]:
    """A line of a text's words, each as wide as its letters, from a place on."""
    words = []
    for part in text.split():
        words.append(word(part, box(left, top, letter * len(part), height)))
        left += letter * (len(part) + 1)
    return line(*words)


def page(*lines: dict[str, Any], number: int = 1, rotation: int = 0) -> PageText:
    """A page that was read."""
    return PageText(
        number=number,
        text="\n".join(each["text"] for each in lines),
        lines=list(lines),
        word_count=sum(len(each["words"]) for each in lines),
        confidence=95.0 if lines else None,
        rotation_degrees=rotation,
    )


def page_file(folder: Path, *pages: PageText) -> Path:
    """Pages as makers take them: the JSON of each on a line."""
    names = ("number", "text", "lines", "word_count", "confidence", "rotation_degrees")
    rows = [orjson.dumps({name: getattr(each, name) for name in names} | {"analysis": {}}) for each in pages]
    path = folder / "pages"
    path.write_bytes(b"".join(each + b"\n" for each in rows))
    return path


def drawn_pdf(
    *contents: bytes, rotate: int = 0, crop: Sequence[int] | None = None, resources: Dictionary | None = None
) -> bytes:
    """A PDF with a page of letter size for each content stream."""
    with pikepdf.new() as pdf:
        for content in contents:
            sheet = Dictionary(
                Type=Name.Page,
                MediaBox=Array([0, 0, *LETTER]),
                Rotate=rotate,
                Resources=resources or Dictionary(),
                Contents=pdf.make_stream(content),
            )
            if crop is not None:
                sheet.CropBox = Array(list(crop))
            pdf.pages.append(pikepdf.Page(pdf.make_indirect(sheet)))
        file = io.BytesIO()
        pdf.save(file)
        return file.getvalue()


def scan(*texts: str, kind: str = "JPEG", mode: str = "L", dpi: int = 100, **saving: Any) -> bytes:
    """An image of a letter sheet with some lines of print on it."""
    picture = Image.new("L", (LETTER[0] * dpi // 72, LETTER[1] * dpi // 72), "white")
    for number, text in enumerate(texts):
        ImageDraw.Draw(picture).text((0.1 * picture.width, (0.1 + 0.05 * number) * picture.height), text, fill="black")
    file = io.BytesIO()
    picture.convert(mode).save(file, kind, dpi=(dpi, dpi), **saving)
    return file.getvalue()


def shown(path: Path, number: int = 1, width: int = 300) -> Image.Image:
    """A page as PDFium draws it."""
    with closing(pdfium.PdfDocument(path)) as document, closing(document[number - 1]) as sheet:
        picture: Image.Image = sheet.render(scale=width / sheet.get_width()).to_pil().convert("RGB").copy()
        return picture


def text_of(path: Path, number: int = 1) -> str:
    """A page's words as PDFium finds them, a space apart."""
    with closing(pdfium.PdfDocument(path)) as document, closing(document[number - 1].get_textpage()) as text_page:
        return " ".join(text_page.get_text_range().split())


def letter_boxes(path: Path) -> list[tuple[str, tuple[float, float, float, float]]]:
    """The first page's letters, each with left, bottom, right and top in points of the page's own coordinates."""
    with closing(pdfium.PdfDocument(path)) as document, closing(document[0].get_textpage()) as text_page:
        text = text_page.get_text_range()
        return [(letter, text_page.get_charbox(index)) for index, letter in enumerate(text) if letter.strip()]
