"""Damaged PDFs: those of which all is there are read, those that have lost something are refused, and say so."""

import io
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image
from reportlab.lib.pagesizes import LETTER  # type: ignore[import-untyped]  # it ships no types
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types

from app.documents.inspection import Inspection
from app.documents.intake import MediaType
from app.errors import DocumentCorrupt
from tests.documents import letter
from tests.splitting.test_inspection import look

PAGES = 3


@cache
def whole(*, linear: bool = False) -> bytes:
    """A PDF of three pages with a picture on each; its objects stand one after the other, as they do in most."""
    made, file = io.BytesIO(), io.BytesIO()
    canvas = Canvas(made, pagesize=LETTER)
    for page in range(PAGES):
        canvas.drawString(72, 700, f"Page {page}")
        canvas.drawImage(ImageReader(Image.effect_noise((90, 90), 60 + page)), 72, 300)
        canvas.showPage()
    canvas.save()
    with pikepdf.open(made) as document:
        document.save(file, linearize=linear, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return file.getvalue()


def without(content: bytes, mark: bytes) -> bytes:
    """A file cut off where it says this for the first time."""
    return content[: content.index(mark)]


def renamed(content: bytes, number: int) -> bytes:
    """A file in which an object isn't found, and that lacks its end."""
    return without(content, b"startxref").replace(b"\n%d 0 obj" % number, b"\n%d 0 xyz" % number)


def without_content() -> bytes:
    """A document with a page that is blank because nothing was ever drawn on it."""
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(letter("One", "Two", "Three"))) as document:
        del document.pages[1].obj.Contents
        document.save(file)
    return file.getvalue()


def stamped() -> tuple[bytes, int]:
    """A document with a stamp on its last page, and the number of the object that says how the stamp looks."""
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(whole())) as document:
        look_of_it = document.make_stream(b"0 0 9 9 re f", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 9, 9])
        stamp = Dictionary(Type=Name.Annot, Subtype=Name.Stamp, Rect=[9, 9, 99, 99], AP=Dictionary(N=look_of_it))
        document.pages[2].obj.Annots = Array([document.make_indirect(stamp)])
        document.save(file, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    with pikepdf.open(file) as document:
        return file.getvalue(), document.pages[2].obj.Annots[0].AP.N.objgen[0]


HARMLESS = {
    "no %%EOF": lambda: whole().rstrip()[:-5],
    "no end at all": lambda: without(whole(), b"startxref"),
    "no table and no trailer": lambda: without(whole(), b"0 15\n"),
    "a wrong startxref": lambda: whole().replace(b"startxref\n", b"startxref\n9"),
    "junk before it": lambda: b"junk\n" * 20 + whole(),
    "junk after it": lambda: whole() + bytes(3000),
    "linear, no %%EOF": lambda: whole(linear=True).rstrip()[:-5],
    "a page without content": lambda: without(without_content(), b"startxref"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_lacks_nothing_is_read(process: ProcessPoolExecutor, tmp_path: Path, name: str) -> None:
    """However its ends look, and though a page of it may be blank."""
    assert look(process, tmp_path, HARMLESS[name](), MediaType.PDF, None) == Inspection(PAGES)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("linear", [False, True])
def test_what_was_cut_off_is_refused(
    process: ProcessPoolExecutor, tmp_path: Path, share: float, *, linear: bool
) -> None:
    """Never read as the pages that can be put together from what is left, with nothing on them."""
    content = whole(linear=linear)
    found = look(process, tmp_path, content[: int(share * len(content))], MediaType.PDF, None)
    assert (found.page_count, found.refusal) == (0, DocumentCorrupt)


def test_what_is_missing_is_said(process: ProcessPoolExecutor, tmp_path: Path) -> None:
    """A page itself, what is drawn on it, its picture, or the look of a stamp; whoever submitted it can do something about it."""
    with pikepdf.open(io.BytesIO(whole())) as document:
        page, second = document.pages[2].obj.objgen[0], document.pages[1].obj
        content, picture = (each.objgen[0] for each in (second.Contents, *second.Resources.XObject.values()))
    stamp_document, stamp = stamped()
    for damaged, missing in (
        (renamed(whole(), page), "pages of it"),
        (renamed(whole(), content), "parts of page 2"),
        (renamed(whole(), picture), "parts of page 2"),
        (renamed(stamp_document, stamp), "parts of page 3"),
    ):
        found = look(process, tmp_path, damaged, MediaType.PDF, None)
        assert (found.refusal, missing in found.detail) == (DocumentCorrupt, True)
