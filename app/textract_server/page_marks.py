"""What a PDF page shows beside its text, and what of its text it doesn't show: the grounds for trusting its text layer."""

import ctypes
from dataclasses import dataclass

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
from pypdfium2 import raw as pdfium

MOST_OBJECTS = 50_000
FORM_DEPTH = 8
WHITE = 250
"""A colour whose red, green and blue are all at least this can't be told from paper."""
GROUND_POINTS = 6.0
"""A coloured shape so thick may be the ground of white letters."""
FIRST_SEGMENTS = 12
POINTS_PER_INCH = 72
WHOLE_SHARE = 0.9
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


def page_marks(sheet: pypdfium2.PdfPage) -> "PageMarks | None":
    """Look at what is drawn on a page; None where there's so much of it that reading by looks is as quick."""
    marks = PageMarks()
    for count, item in enumerate(sheet.get_objects(max_depth=FORM_DEPTH)):
        if count > MOST_OBJECTS:
            return None
        marks.add(item)
    return marks


def scan_dpi(sheet: pypdfium2.PdfPage) -> float | None:
    """The resolution of the one picture that is all of a page; None where there's more on the page, or no such picture."""
    found = None
    for item in sheet.get_objects(max_depth=1):
        if item.type != pdfium.FPDF_PAGEOBJ_IMAGE or found is not None:
            return None
        found = item
    width, height = sheet.get_size()
    if found is None or _area(found) < WHOLE_SHARE * width * height:
        return None
    pixels = pypdfium2.PdfImage.get_px_size(found)
    inches = max(_sides(found)) / POINTS_PER_INCH
    return float(max(pixels)) / inches


@dataclass(slots=True)
class PageMarks:
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
        for index in range(min(segments, FIRST_SEGMENTS))
    )
    return any(kind == pdfium.FPDF_SEGMENT_BEZIERTO for kind in kinds)


def has_filled_annotations(document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage) -> bool:
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
