"""The text that a PDF page has already, as a reader would find it: what is there is not written a second time."""

import ctypes
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
from pypdfium2 import raw as pdfium

from app.formats.lines import Box
from app.formats.page_frame import PageFrame
from app.ocr.blocks import PageText

ENOUGH_SHARE = 0.8
"""A page with so much of the letters that were read on it is written, not scanned, and keeps its own text alone."""
MOST_CHARACTERS = 200_000
MAPPING_STEP = 8
"""One character in so many is asked whether its font says what it means."""
MEANINGLESS_SHARE = 0.5
MARGIN = 0.003
"""How far beyond existing text, as a share of the page, a word may stand and still be the same."""

Rect = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ExistingText:
    """Where a page has text: left, top, right and bottom, in shares of the page as it is shown."""

    letters: int = 0
    places: Sequence[Rect] = ()

    def covers(self, box: Box) -> bool:
        """Whether a word's middle is where text is already."""
        across, down = box["left"] + box["width"] / 2, box["top"] + box["height"] / 2
        return any(
            left - MARGIN <= across <= right + MARGIN and top - MARGIN <= down <= bottom + MARGIN
            for left, top, right, bottom in self.places
        )

    def is_all_of(self, page: PageText) -> bool:
        """Whether a page was written with its text, so that there is nothing to add."""
        return self.letters > 0 and self.letters >= ENOUGH_SHARE * sum(map(len, page.text.split()))


def existing_text(sheet: pypdfium2.PdfPage, frame: PageFrame) -> ExistingText:
    """The text of an open page; none where its fonts don't say what their characters mean."""
    with closing(sheet.get_textpage()) as text_page:
        count = min(text_page.count_chars(), MOST_CHARACTERS)
        if count <= 0 or frame.is_flat or not _has_meaning(text_page, count):
            return ExistingText()
        letters = sum(map(len, text_page.get_text_range(0, count).split()))
        return ExistingText(letters, _places(text_page, count, frame)) if letters else ExistingText()


def _has_meaning(text_page: pypdfium2.PdfTextPage, count: int) -> bool:
    asked = range(0, count, MAPPING_STEP)
    unknown: int = sum(pdfium.FPDFText_HasUnicodeMapError(text_page.raw, index) == 1 for index in asked)
    return unknown < MEANINGLESS_SHARE * len(asked)


def _places(text_page: pypdfium2.PdfTextPage, count: int, frame: PageFrame) -> list[Rect]:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    places = []
    for index in range(pdfium.FPDFText_CountRects(text_page.raw, 0, count)):
        pdfium.FPDFText_GetRect(text_page.raw, index, left, top, right, bottom)
        (ax, ay), (bx, by) = frame.share(left.value, top.value), frame.share(right.value, bottom.value)
        places.append((min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)))
    return places
