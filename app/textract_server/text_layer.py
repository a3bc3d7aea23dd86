"""The text that a born-digital PDF carries itself: words, boxes and lines, where they can be trusted."""

import ctypes
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
from pypdfium2 import raw as pdfium

from app.textract_server.geometry import Box, QuarterTurns, turned, union
from app.textract_server.page_marks import has_filled_annotations, page_marks
from app.textract_server.reading_order import with_order_mended
from app.textract_server.readings import Line, PageReading, ReadBy, Word
from app.textract_server.trust import LayerFacts, is_trustworthy

CONFIDENCE = 99.5
"""What is written needs no guess; a hundred would say that the layer has been checked against the page's looks."""
MOST_CHARACTERS = 60_000
"""A page with more is a bomb, or a drawing: it is read by its looks."""
COLUMN_GAP = 1.5
"""A gap wider than so many times the words' height parts two lines; a narrower one only words."""
WORD_GAP = 1.0
LEVEL_SHARE = 0.3
"""Words of one line overlap in height by so much of the lower one: a comma hangs low."""
LEAST_HEIGHT = 0.008
"""Dashes have no height: a line is taken to be as high as this, as a share of the page."""
UPRIGHT_SHARE = 0.9
_HYPHENS = "\x02\xad\ufffe"
"""What pdfium gives for a hyphen at the end of a line, by its version."""
_LIGATURES = range(0xFB00, 0xFB07)
_FORMATTING = (0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070))
_CLEANED = (
    dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *_FORMATTING, *range(0xD800, 0xE000)))
    | {code: unicodedata.normalize("NFKC", chr(code)) for code in _LIGATURES}
    | dict.fromkeys(map(ord, _HYPHENS), "-")
)
_WORD = re.compile(r"\S+")
_NEWLINE = re.compile(r"[\n\r\f\v\x85\u2028\u2029]")
_MEANINGLESS = re.compile("[\0\ufffd\uffff\ue000-\uf8ff]")
MAPPING_STEP = 4
"""One character in so many is asked whether its font says what it means."""
TELLING_LETTERS = 4
"""A word of so many letters is wider than high, where it stands upright."""
_SCALE = 1 << 20


@dataclass(slots=True)
class _Letters:
    """A page's words, run by run as pdfium tells them, and how many of its characters mean nothing."""

    runs: list[list[Word]]
    bad: int

    def add(self, part: str, box: Box) -> None:
        """Add a word to the last run."""
        if text := part.translate(_CLEANED):
            self.runs[-1].append(Word(text, CONFIDENCE, _clipped(box)))


def layer_reading(document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage) -> PageReading | None:
    """Read a page from its text layer; None where there is none, or none that can be trusted."""
    layer = _layer(document, sheet)
    return layer.reading() if layer is not None and is_trustworthy(layer.facts) else None


def layer_under_annotations(document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage) -> PageReading | None:
    """The text layer of a page that can be trusted but isn't all of it, because of fields and notes; None of other pages."""
    layer = _layer(document, sheet) if has_filled_annotations(document, sheet) else None
    if layer is None or not is_trustworthy(replace(layer.facts, has_filled_annotations=False)):
        return None
    return layer.reading()


@dataclass(frozen=True, slots=True)
class _Layer:
    """A page's own lines as they were drawn, how it must be turned for them, and what tells whether they can be trusted."""

    lines: list[Line]
    turns: QuarterTurns
    facts: LayerFacts

    def reading(self) -> PageReading:
        return PageReading(with_order_mended(self.lines), self.turns, read_by=ReadBy.TEXT_LAYER)


def _layer(document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage) -> _Layer | None:
    width, height = sheet.get_size()
    with closing(sheet.get_textpage()) as text_page:
        count = text_page.count_chars()
        if not 0 < count <= MOST_CHARACTERS:
            return None
        letters = _letters(text_page, count, _Frame.of(sheet))
    turns, agreeing = _direction(letters.runs, width / height)
    aspect = height / width if turns % 2 else width / height
    lines = [line for run in letters.runs for line in _parted(_turned(run, turns), aspect)]
    lines = _joined([line for line in lines if _is_on_page(line)], aspect)
    facts = _facts(document, sheet, lines, letters.bad, is_upright=agreeing >= UPRIGHT_SHARE)
    return None if facts is None else _Layer(lines, turns, facts)


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
        if ay == ux == 0.0 and ax > 0.0 > uy:  # as nearly all pages are shown
            return Box(x + left * ax, y + top * uy, x + right * ax, y + bottom * uy)
        across = (x + left * ax + bottom * ux, x + right * ax + top * ux)
        down = (y + left * ay + bottom * uy, y + right * ay + top * uy)
        return Box(min(across), min(down), max(across), max(down))


def _shown(sheet: pypdfium2.PdfPage, across: float, up: float) -> tuple[float, float]:
    x, y = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(sheet.raw, 0, 0, _SCALE, _SCALE, 0, across, up, x, y)
    return x.value / _SCALE, y.value / _SCALE


def _letters(text_page: pypdfium2.PdfTextPage, count: int, frame: _Frame) -> _Letters:
    text = _text(text_page, count)
    found = _Letters([[]], len(_MEANINGLESS.findall(text)))
    for index in range(0, count, MAPPING_STEP):
        if text[index] not in _HYPHENS and pdfium.FPDFText_HasUnicodeMapError(text_page.raw, index) == 1:
            found.bad += MAPPING_STEP
    before = 0
    for match in _WORD.finditer(text):
        if _NEWLINE.search(text, before, match.start()) and found.runs[-1]:
            found.runs.append([])
        before = match.end()
        for number, (part, box) in enumerate(_parts(text_page, match, frame)):
            if number:
                found.runs.append([])
            found.add(part, box)
    return found


def _text(text_page: pypdfium2.PdfTextPage, count: int) -> str:
    """A page's characters, one for each of pdfium's."""
    text: str = text_page.get_text_range(0, count)
    if len(text) == count:
        return text
    return "".join(chr(pdfium.FPDFText_GetUnicode(text_page.raw, index)) for index in range(count))


def _parts(text_page: pypdfium2.PdfTextPage, match: re.Match[str], frame: _Frame) -> Iterator[tuple[str, Box]]:
    """A word and its box; a word that is parted by a hyphen at the end of a line is two."""
    word, boxes = match.group(), _boxes(text_page, match.start(), match.end(), frame)
    if len(boxes) == 1:
        yield word, boxes[0]
        return
    ends = [index + 1 for index, letter in enumerate(word[:-1]) if letter in _HYPHENS]
    if ends and len(boxes) > 1 and boxes[-1].left < boxes[0].left:
        yield word[: ends[-1]], union(_boxes(text_page, match.start(), match.start() + ends[-1], frame) or boxes[:1])
        yield word[ends[-1] :], union(_boxes(text_page, match.start() + ends[-1], match.end(), frame) or boxes[-1:])
    elif boxes:
        yield word, union(boxes)


def _boxes(text_page: pypdfium2.PdfTextPage, start: int, end: int, frame: _Frame) -> list[Box]:
    left, right, bottom, top = ctypes.c_double(), ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
    raw, boxes = text_page.raw, []
    for index in range(pdfium.FPDFText_CountRects(raw, start, end - start)):
        pdfium.FPDFText_GetRect(raw, index, left, top, right, bottom)
        boxes.append(frame.box(left.value, bottom.value, right.value, top.value))
    return boxes


def _direction(runs: list[list[Word]], aspect: float) -> tuple[QuarterTurns, float]:
    """How the page must be turned for its words to run to the right, and the share of words that say so."""
    votes = Counter[QuarterTurns]()
    for run in runs:
        for first, second in pairwise(run):
            across = (second.box.left + second.box.right - first.box.left - first.box.right) * aspect
            down = second.box.top + second.box.bottom - first.box.top - first.box.bottom
            if abs(across) > abs(down):
                votes[QuarterTurns.NONE if across > 0 else QuarterTurns.TWO] += 1
            else:
                votes[QuarterTurns.THREE if down > 0 else QuarterTurns.ONE] += 1
    if not votes:
        return QuarterTurns.NONE, 1.0
    turns, most = votes.most_common(1)[0]
    return turns, most / votes.total()


def _turned(run: list[Word], turns: QuarterTurns) -> list[Word]:
    return [replace(word, box=turned(word.box, turns)) for word in run] if turns else run


def _parted(words: list[Word], aspect: float) -> Iterator[Line]:
    """Part a run where its words stand too far apart to be one line; `aspect` is the page's width by its height."""
    line: list[Word] = []
    for word in words:
        if line and not (_follows(line[-1].box, word.box, aspect, COLUMN_GAP) or _is_stacked(line, word, aspect)):
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
    level = overlap > LEVEL_SHARE * min(first.bottom - first.top, second.bottom - second.top)
    gap = (second.left - first.right) * aspect
    return level and -height < gap < most * max(height, LEAST_HEIGHT)


def _is_stacked(line: list[Word], word: Word, aspect: float) -> bool:
    """Tell whether a word goes on with a line that runs up or down the page, as stamps in the margin do."""
    first, second = line[-1].box, word.box
    is_sideways = line[0].box.bottom - line[0].box.top > (line[0].box.right - line[0].box.left) * aspect
    overlap = min(first.right, second.right) - max(first.left, second.left)
    narrower = min(first.right - first.left, second.right - second.left)
    return is_sideways and len(line[0].text) >= TELLING_LETTERS and overlap > narrower / 2


def _is_on_page(line: Line) -> bool:
    box = union([word.box for word in line])
    return box.right > box.left and box.bottom > box.top


def _clipped(box: Box) -> Box:
    if box.left >= 0.0 and box.top >= 0.0 and box.right <= 1.0 and box.bottom <= 1.0:
        return box
    left, top, right, bottom = (min(1.0, max(0.0, side)) for side in (box.left, box.top, box.right, box.bottom))
    return Box(left, top, right, bottom)


def _facts(
    document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage, lines: list[Line], bad: int, *, is_upright: bool
) -> LayerFacts | None:
    marks = page_marks(sheet)
    if marks is None:
        return None
    width, height = sheet.get_size()
    return LayerFacts(
        text=" ".join(word.text for line in lines for word in line),
        bad_characters=bad,
        hidden_share=marks.hidden_share,
        image_share=marks.image_points / (width * height),
        curves=marks.curves,
        has_filled_annotations=has_filled_annotations(document, sheet),
        is_upright=is_upright,
    )
