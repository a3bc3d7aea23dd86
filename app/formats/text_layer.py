"""A page's invisible text layer: the drawing operators that put each word where it stands, turned as it is turned."""

from collections.abc import Iterator
from statistics import median

from app.formats.existing_text import ExistingText
from app.formats.invisible_font import ADVANCE, InvisibleFont
from app.formats.lines import Box, Line, turn_of, words_of
from app.formats.page_frame import PageFrame
from app.ocr.blocks import PageText

LEVEL_SHARE = 1.8
"""A line that is higher than so many of its words is not level: its words stand by their own boxes."""


def text_layer(page: PageText, frame: PageFrame, font: InvisibleFont, font_name: str, existing: ExistingText) -> bytes:
    """The operators for the words of a page that it has no text for yet; nothing where there are none.

    The font's faces are called `font_name`, and that with 1, 2 and so on.
    """
    if frame.is_flat:
        return b""
    words = [
        _shown(matrix, font.encoded(f"{text} "), font_name)
        for line in page.lines
        for text, matrix in _line(line, page, frame, existing)
    ]
    if not words:
        return b""
    return b"\n".join([b"q BT 3 Tr", _face(font_name, 0), *words, b"ET Q", b""])


def face_name(font_name: str, face: int) -> str:
    """What a face of the font is called."""
    return f"{font_name}{face or ''}"


def _shown(matrix: str, runs: list[tuple[int, bytes]], font_name: str) -> bytes:
    """A word's operators; it begins and ends in the font's first face."""
    parts, present = [f"{matrix} Tm".encode("ascii")], 0
    for face, codes in runs:
        if face != present:
            parts.append(_face(font_name, face))
            present = face
        parts.append(b"(" + codes + b")Tj")
    return b" ".join(parts)


def _face(font_name: str, face: int) -> bytes:
    return f"{face_name(font_name, face)} 1 Tf".encode("ascii")


def _line(line: Line, page: PageText, frame: PageFrame, existing: ExistingText) -> Iterator[tuple[str, str]]:
    """A line's words that are to be written, each with its text matrix."""
    words = [word for word in words_of(line) if not existing.covers(word["box"])]
    if not words:
        return
    turn = turn_of({**line, "words": words}, page)
    for word, box in zip(words, _aligned(line, words, turn), strict=True):
        text = " ".join(word["text"].split())
        yield text, _matrix(box, turn, len(text), frame)


def _aligned(line: Line, words: list[Line], turn: int) -> list[Box]:
    """The words' boxes, each as high as the line where that is level: readers then see one line, not steps."""
    start, size = ("top", "height") if turn % 180 == 0 else ("left", "width")
    boxes = [word["box"] for word in words]
    if line["box"][size] > LEVEL_SHARE * median(box[size] for box in boxes):
        return boxes
    return [{**box, start: line["box"][start], size: line["box"][size]} for box in boxes]


def _matrix(box: Box, turn: int, letters: int, frame: PageFrame) -> str:
    """The text matrix that fits so many letters of a font of size 1 into a box, on a baseline at the text's own bottom."""
    left, top, width, height = (box[side] for side in ("left", "top", "width", "height"))
    start, along, up = {
        0: ((left, top + height), (width, 0.0), (0.0, -height)),
        90: ((left, top), (0.0, height), (width, 0.0)),
        180: ((left + width, top), (-width, 0.0), (0.0, height)),
        270: ((left + width, top + height), (0.0, -height), (-width, 0.0)),
    }[turn]
    stretch = 1 / (letters * ADVANCE)
    ax, ay = frame.vector(*along)
    return " ".join(map(_number, (ax * stretch, ay * stretch, *frame.vector(*up), *frame.point(*start))))


def _number(value: float) -> str:
    """A decimal of a point is finer than any print, and each more would cost a tenth of the layer; PDF has no exponents."""
    return f"{value:.1f}".removesuffix(".0")
