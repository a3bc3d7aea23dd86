"""The text that a born-digital PDF carries itself: words, boxes and lines, where they can be trusted."""

import ctypes
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
from pypdfium2 import raw as pdfium

from app.textract_server.geometry import Box, union
from app.textract_server.reading_order import with_order_mended
from app.textract_server.readings import Line, PageReading, Word
from app.textract_server.trust import LayerFacts, is_trustworthy

CONFIDENCE = 99.5
"""What is written needs no guess; a hundred would say that the layer has been checked against the page's looks."""
MOST_CHARACTERS = 60_000
"""A page with more is a bomb, or a drawing: it is read by its looks."""
MOST_OBJECTS = 50_000
COLUMN_GAP = 1.5
"""A gap wider than so many times the words' height parts two lines; a narrower one only words."""
WORD_GAP = 1.0
UPRIGHT_SHARE = 0.9
WHITE = 250
"""A colour whose red, green and blue are all at least this can't be told from paper."""
GROUND_POINTS = 6.0
"""A coloured shape so thick may be the ground of white letters."""
FORM_DEPTH = 8
_SILENT_ANNOTATIONS = frozenset(
    {
        pdfium.FPDF_ANNOT_LINK,
        pdfium.FPDF_ANNOT_POPUP,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE,
        pdfium.FPDF_ANNOT_SQUIGGLY,
        pdfium.FPDF_ANNOT_STRIKEOUT,
    }
)
_HYPHENS = frozenset({0x02, 0xAD, 0xFFFE})
"""What pdfium gives for a hyphen at the end of a line, by its version."""
_NEWLINES = frozenset({0x0A, 0x0D, 0x0C, 0x0B, 0x85, 0x2028, 0x2029})
_PRIVATE = range(0xE000, 0xF900)
_LIGATURES = range(0xFB00, 0xFB07)
_SCALE = 1 << 20


@dataclass(slots=True)
class _Letters:
    """A page's words, run by run as pdfium tells them, and the characters among them that mean nothing."""

    runs: list[list[Word]]
    bad: int
    sideways: int
    upright: int


def layer_reading(document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage) -> PageReading | None:
    """Read a page from its text layer; None where there is none, or none that can be trusted."""
    with closing(sheet.get_textpage()) as text_page:
        count = text_page.count_chars()
        if not 0 < count <= MOST_CHARACTERS:
            return None
        letters = _letters(text_page.raw, count, _Frame.of(sheet))
    width, height = sheet.get_size()
    lines = [line for run in letters.runs for line in _parted(run, width / height)]
    lines = _joined([line for line in lines if _is_on_page(line)], width / height)
    facts = _facts(document, sheet, lines, letters)
    return PageReading(with_order_mended(lines)) if facts is not None and is_trustworthy(facts) else None


@dataclass(frozen=True, slots=True)
class _Frame:
    """From a page's own coordinates, in points from the bottom left, to shares of the page as it is shown."""

    origin: tuple[float, float]
    along: tuple[float, float]
    up: tuple[float, float]

    @classmethod
    def of(cls, sheet: pypdfium2.PdfPage) -> "_Frame":
        (x, y), (ax, ay), (ux, uy) = (_shown(sheet, *point) for point in ((0, 0), (1000, 0), (0, 1000)))
        return cls((x, y), ((ax - x) / 1000, (ay - y) / 1000), ((ux - x) / 1000, (uy - y) / 1000))

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        x, y = self.origin
        (ax, ay), (ux, uy) = self.along, self.up
        across = (x + left * ax + bottom * ux, x + right * ax + top * ux)
        down = (y + left * ay + bottom * uy, y + right * ay + top * uy)
        return Box(min(across), min(down), max(across), max(down))


def _shown(sheet: pypdfium2.PdfPage, across: float, up: float) -> tuple[float, float]:
    x, y = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(sheet.raw, 0, 0, _SCALE, _SCALE, 0, across, up, x, y)
    return x.value / _SCALE, y.value / _SCALE


def _letters(text_page: object, count: int, frame: _Frame) -> _Letters:
    found = _Letters([[]], 0, 0, 0)
    text, boxes = "", list[Box]()

    def end_word() -> None:
        nonlocal text, boxes
        if text and boxes:
            found.runs[-1].append(Word(text, CONFIDENCE, _clipped(union(boxes))))
            ahead = boxes[-1].left - boxes[0].left
            if len(text) > 2:  # noqa: PLR2004 - two letters may stand closer than a slanted scan is off
                found.upright += ahead > abs(boxes[-1].bottom - boxes[0].bottom)
                found.sideways += ahead <= abs(boxes[-1].bottom - boxes[0].bottom)
        text, boxes = "", []

    for code, box in _characters(text_page, count):
        letter = _letter(code)
        if letter is None:
            found.bad += 1
        elif letter:
            text += letter
            boxes.append(frame.box(*box))
        elif code not in _CONTROLS:
            end_word()
            if code in _NEWLINES and found.runs[-1]:
                found.runs.append([])
    end_word()
    return found


_CONTROLS = frozenset(range(0x20)) - _NEWLINES - {0x09}


def _characters(text_page: object, count: int) -> Iterator[tuple[int, tuple[float, float, float, float]]]:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    places = ctypes.byref(left), ctypes.byref(right), ctypes.byref(bottom), ctypes.byref(top)
    for index in range(count):
        code = pdfium.FPDFText_GetUnicode(text_page, index)
        pdfium.FPDFText_GetCharBox(text_page, index, *places)
        if code not in _HYPHENS and pdfium.FPDFText_HasUnicodeMapError(text_page, index) == 1:
            code = 0xFFFD
        yield code, (left.value, bottom.value, right.value, top.value)


def _letter(code: int) -> str | None:
    """What a character is in a word: nothing for spaces and controls, None where nobody can tell."""
    if code in _HYPHENS:
        return "-"
    if code in _LIGATURES:
        return unicodedata.normalize("NFKC", chr(code))
    if code in {0, 0xFFFD, 0xFFFF} or code in _PRIVATE:
        return None
    letter = chr(code)
    return "" if letter.isspace() or unicodedata.category(letter) in {"Cc", "Cf", "Cs"} else letter


def _parted(words: list[Word], aspect: float) -> Iterator[Line]:
    """Part a run where its words stand too far apart to be one line; `aspect` is the page's width by its height."""
    line: list[Word] = []
    for word in words:
        if line and not _follows(line[-1].box, word.box, aspect, COLUMN_GAP):
            yield tuple(line)
            line = []
        line.append(word)
    if line:
        yield tuple(line)


def _joined(lines: list[Line], aspect: float) -> list[Line]:
    """Join what pdfium has parted: pieces drawn one after the other, at one height and a space apart."""
    joined: list[Line] = []
    for line in lines:
        if joined and _follows(joined[-1][-1].box, line[0].box, aspect, WORD_GAP):
            joined[-1] = (*joined[-1], *line)
        else:
            joined.append(line)
    return joined


def _follows(first: Box, second: Box, aspect: float, most: float) -> bool:
    height = max(first.bottom - first.top, second.bottom - second.top)
    overlap = min(first.bottom, second.bottom) - max(first.top, second.top)
    level = overlap > 0.3 * min(first.bottom - first.top, second.bottom - second.top)  # noqa: PLR2004 - a comma hangs low
    gap = (second.left - first.right) * aspect
    return level and -height < gap < most * max(height, 0.008)


def _is_on_page(line: Line) -> bool:
    box = union([word.box for word in line])
    return box.right > box.left and box.bottom > box.top


def _clipped(box: Box) -> Box:
    left, top, right, bottom = (min(1.0, max(0.0, side)) for side in (box.left, box.top, box.right, box.bottom))
    return Box(left, top, right, bottom)


def _facts(
    document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage, lines: list[Line], letters: _Letters
) -> LayerFacts | None:
    """Gather what speaks against a layer; None for a page of so many objects that looking at them takes longer than OCR."""
    width, height = sheet.get_size()
    marks = _Marks()
    for count, item in enumerate(sheet.get_objects(max_depth=FORM_DEPTH)):
        if count > MOST_OBJECTS:
            return None
        marks.add(item)
    seen = letters.upright + letters.sideways
    return LayerFacts(
        text=" ".join(word.text for line in lines for word in line),
        bad_characters=letters.bad,
        hidden_share=marks.hidden_share,
        image_share=marks.image_points / (width * height),
        curves=marks.curves,
        has_filled_annotations=_has_filled_annotations(document, sheet),
        is_upright=letters.upright >= UPRIGHT_SHARE * seen,
    )


@dataclass(slots=True)
class _Marks:
    """What is drawn on a page: areas in square points, text in letters, about."""

    image_points: float = 0.0
    letters: float = 0.0
    invisible: float = 0.0
    white: float = 0.0
    curves: int = 0
    has_dark_ground: bool = False

    @property
    def hidden_share(self) -> float:
        hidden = self.invisible + (0.0 if self.has_dark_ground else self.white)
        return hidden / self.letters if self.letters else 0.0

    def add(self, item: pypdfium2.PdfObject) -> None:
        if item.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            self.image_points += _area(item)
        elif item.type == pdfium.FPDF_PAGEOBJ_TEXT:
            self._add_text(item)
        elif item.type == pdfium.FPDF_PAGEOBJ_PATH:
            self.curves += _is_curved(item)
            self.has_dark_ground = self.has_dark_ground or (_thickness(item) > GROUND_POINTS and not _is_white(item))

    def _add_text(self, item: pypdfium2.PdfObject) -> None:
        letters = _ems(item)
        self.letters += letters
        mode = pdfium.FPDFTextObj_GetTextRenderMode(item.raw)
        if mode in {pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP} or _alpha(item) == 0:
            self.invisible += letters
        elif mode not in {pdfium.FPDF_TEXTRENDERMODE_STROKE, pdfium.FPDF_TEXTRENDERMODE_STROKE_CLIP}:
            self.white += letters if _is_white(item) else 0.0


def _sides(item: pypdfium2.PdfObject) -> tuple[float, float]:
    left, bottom, right, top = item.get_bounds()
    return abs(right - left), abs(top - bottom)


def _thickness(item: pypdfium2.PdfObject) -> float:
    return min(_sides(item))


def _area(item: pypdfium2.PdfObject) -> float:
    """The area of an object on the page, in square points; bounds inside a form are in the form's own units."""
    across, up = _sides(item)
    area, container = across * up, item.container
    while container is not None:
        a, b, c, d, _, _ = container.get_matrix().get()
        area, container = area * abs(a * d - b * c), container.container
    return area


def _ems(item: pypdfium2.PdfObject) -> float:
    """About how many letters a piece of text has: its longer side by its shorter."""
    sides = sorted(_sides(item))
    return sides[1] / max(sides[0], 1.0)


def _colour(item: pypdfium2.PdfObject) -> tuple[int, int, int, int] | None:
    red, green, blue, alpha = (ctypes.c_uint(0) for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(item.raw, red, green, blue, alpha):
        return None
    return red.value, green.value, blue.value, alpha.value


def _alpha(item: pypdfium2.PdfObject) -> int:
    colour = _colour(item)
    return WHITE if colour is None else colour[3]


def _is_white(item: pypdfium2.PdfObject) -> bool:
    colour = _colour(item)
    return colour is not None and min(colour[:3]) >= WHITE


def _is_curved(item: pypdfium2.PdfObject) -> bool:
    segments = pdfium.FPDFPath_CountSegments(item.raw)
    kinds = (
        pdfium.FPDFPathSegment_GetType(pdfium.FPDFPath_GetPathSegment(item.raw, index))
        for index in range(min(segments, 12))
    )
    return any(kind == pdfium.FPDF_SEGMENT_BEZIERTO for kind in kinds)


def _has_filled_annotations(document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage) -> bool:
    """Tell whether form fields or notes show text on the page: the layer hasn't got it."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(sheet.raw)):
        note = pdfium.FPDFPage_GetAnnot(sheet.raw, index)
        if not note:
            continue
        try:
            if _is_filled(document, note):
                return True
        finally:
            pdfium.FPDFPage_CloseAnnot(note)
    return False


def _is_filled(document: pypdfium2.PdfDocument, note: object) -> bool:
    kind = pdfium.FPDFAnnot_GetSubtype(note)
    if kind != pdfium.FPDF_ANNOT_WIDGET:
        return kind not in _SILENT_ANNOTATIONS
    form = document.formenv
    if form is None:
        return True
    size = pdfium.FPDFAnnot_GetFormFieldValue(form.raw, note, None, 0)
    value = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFAnnot_GetFormFieldValue(form.raw, note, value, size)
    text = bytes(value).decode("utf-16-le").strip("\0 ")
    return bool(text) and text != "Off"
