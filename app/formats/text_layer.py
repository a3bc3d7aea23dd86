"""A page's invisible text layer: the drawing operators that put each word where it stands, turned as it is turned.

The words of a level line go on from where the last one ended, with a gap and a stretch where they need it: to place each
by a matrix takes twice as many bytes. Each is followed by a blank, and ends clear of the next one: readers that tell words
by their distance find the same ones as those that tell them by blanks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from math import hypot
from statistics import median

from app.formats.existing_text import ExistingText
from app.formats.invisible_font import InvisibleFont
from app.formats.lines import Box, Line, turn_of, words_of
from app.formats.page_frame import PageFrame, Point
from app.ocr.blocks import PageText

LEVEL_SHARE = 1.8
"""A line that is higher than so many of its words is not level: its words stand by their own boxes."""
STRETCHES = (20.0, 1000.0)
"""Per cent of a letter's width that can be told in whole numbers without a word's end being off; and what readers bear."""
UNSTRETCHED = 100
NEARLY = 0.12
"""Words share a stretch where the width of each comes out wrong by no more than this share."""
CLEAR = 0.1
"""Words end so much of their height before the next one: Poppler takes what is nearer than 0.03 for one word."""
NARROWEST = 0.5
"""A word that stands into the next one is made no narrower than this share of its width."""
OFF = 0.12
"""Words start no further from their place than this share of their height: about a point in print of ten points."""
GAP_STEP = 50
"""Thousandths of the font's size that gaps are told in: half a point in print of ten points."""
SPACING_STEP = 5
"""Hundredths of the font's size that the width of a row's blanks is told in."""
LEAST_POINTS = 1.0
"""Letters lower than this have no height in the decimals of the file that others could be counted in."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word in points of the page's own coordinates: where it starts, its way along, and its way up."""

    text: str
    width: float
    """In the font, by its size."""
    start: Point
    along: Point
    up: Point

    @property
    def stretch(self) -> float:
        """How wide its letters are, in per cent of those of the font at its height; 0 where it has none."""
        height = hypot(*self.up)
        return 100 * hypot(*self.along) / (self.width * height) if height and self.width else 0.0

    def before(self, following: "_Word") -> "_Word":
        """The word, narrowed where it would not end clear of the one that follows on its line."""
        length, height = hypot(*self.along), hypot(*self.up)
        across, up = following.start[0] - self.start[0], following.start[1] - self.start[1]
        room = (across * self.along[0] + up * self.along[1]) / length - CLEAR * height if length else 0.0
        if not 0 < room < length:
            return self
        share = max(room / length, NARROWEST)
        return replace(self, along=(self.along[0] * share, self.along[1] * share))


@dataclass(frozen=True, slots=True)
class _Spot:
    """A word of a row: its place along it, and its width there and in the font; by the size of the row's letters."""

    text: str
    place: float
    length: float
    width: float

    def stretches(self, following: "_Spot | None") -> tuple[float, float]:
        """Between which stretches, in per cent, it has about its length, and ends clear of the word that follows."""
        slack = max(NEARLY * self.length, OFF)
        least, most = self.length - slack, self.length + slack
        if following is not None and following.place > self.place:
            most = max(min(most, following.place - CLEAR - self.place), self.length)
        return UNSTRETCHED * least / self.width, UNSTRETCHED * most / self.width


def text_layer(page: PageText, frame: PageFrame, font: InvisibleFont, font_name: str, existing: ExistingText) -> bytes:
    """The operators for the words of a page that it has no text for yet; nothing where there are none.

    The font's faces are called `font_name`, and that with 1, 2 and so on.
    """
    if frame.is_flat:
        return b""
    writer = _Writer(font, font_name)
    for line in page.lines:
        words = _words(line, page, frame, existing, font)
        if _is_one_row(words):
            writer.row(words)
        else:
            for word in words:
                writer.alone(word)
    if not writer.operators:
        return b""
    return b"\n".join([b"q BT 3 Tr", _face(font_name, 0), *writer.operators, b"ET Q", b""])


def face_name(font_name: str, face: int) -> str:
    """What a face of the font is called."""
    return f"{font_name}{face or ''}"


class _Writer:
    """Writes words. It begins in the font's first face, unstretched."""

    def __init__(self, font: InvisibleFont, font_name: str) -> None:
        self._font, self._font_name = font, font_name
        self._stretch, self._face = UNSTRETCHED, 0
        self._spacing = 0
        self._shown: list[bytes] = []
        self._parts: list[bytes] = []

    @property
    def operators(self) -> list[bytes]:
        """All that was written."""
        return [*self._parts, *self._waiting()]

    def alone(self, word: _Word) -> None:
        """Write a word by a matrix that fits it into its box."""
        size = 1 / (word.width or 1)
        if " " in word.text:
            self._space(0.0, 0.0)
        self._matrix((word.along[0] * size, word.along[1] * size), word.up, word.start)
        self._show(word.text, UNSTRETCHED, 0)

    def row(self, words: list[_Word]) -> None:
        """Write words that stand on one level, one after the other."""
        first = words[0]
        scale = hypot(*first.up) / hypot(*first.along)
        # As the file will say it: what is rounded here would add up to points at the end of the line.
        unit = (float(_number(first.along[0] * scale)), float(_number(first.along[1] * scale)))
        self._matrix(unit, first.up, first.start)
        spots = [_spot(word, first, unit) for word in words]
        usual = round(UNSTRETCHED * sum(spot.length for spot in spots) / sum(spot.width for spot in spots))
        if any(" " in spot.text for spot in spots):
            self._space(0.0, 0.0)
        else:
            self._space(_blank_of(spots, usual / UNSTRETCHED) - self._font.width(" "), OFF / 2)
        blank = self._font.width(" ") + self._spacing / 100
        pen, end = 0.0, 0.0
        for index, (spot, following) in enumerate(zip_longest(spots, spots[1:])):
            stretch = self._fitting(usual, *spot.stretches(following))
            place = max(spot.place, end + CLEAR) if spot.place > spots[index - 1].place else spot.place
            is_near = abs(pen - place) <= OFF and pen >= end + CLEAR
            gap = 0 if is_near else GAP_STEP * round((pen - place) * 1000 * UNSTRETCHED / stretch / GAP_STEP)
            self._show(spot.text, stretch, gap)
            end = pen + (spot.width - gap / 1000) * stretch / UNSTRETCHED
            pen = end + blank * stretch / UNSTRETCHED

    def _fitting(self, usual: int, least: float, most: float) -> int:
        """The usual stretch of a row where it fits, or that which is set."""
        for stretch in (usual, self._stretch):
            if least <= stretch <= most:
                return stretch
        return max(1, int((least + most) / 2))

    def _space(self, wanted: float, slack: float) -> None:
        """Set what is added to each blank, where what is set is too far from it."""
        if abs(wanted - self._spacing / 100) > slack:
            self._spacing = SPACING_STEP * round(wanted * 100 / SPACING_STEP)
            self._set(f"{self._spacing / 100:g} Tw".encode("ascii"))

    def _matrix(self, along: Point, up: Point, start: Point) -> None:
        self._set(f"{' '.join(map(_number, (*along, *up, *start)))} Tm".encode("ascii"))

    def _show(self, text: str, stretch: int, gap: int) -> None:
        if stretch != self._stretch:
            self._set(b"%d Tz" % stretch)
            self._stretch = stretch
        if gap:
            self._shown.append(b"%d" % gap)
        for face, codes in self._font.encoded(f"{text} "):
            if face != self._face:
                self._set(_face(self._font_name, face))
                self._face = face
            if self._shown and self._shown[-1].endswith(b")"):
                self._shown[-1] = b"%b%b)" % (self._shown[-1][:-1], codes)
            else:
                self._shown.append(b"(%b)" % codes)

    def _set(self, operator: bytes) -> None:
        """Change how text is shown, for what comes after that which is waiting."""
        self._parts += [*self._waiting(), operator]
        self._shown.clear()

    def _waiting(self) -> list[bytes]:
        return [b"[%b]TJ" % b"".join(self._shown)] if self._shown else []


def _face(font_name: str, face: int) -> bytes:
    return f"{face_name(font_name, face)} 1 Tf".encode("ascii")


def _blank_of(spots: Sequence[_Spot], stretch: float) -> float:
    """How wide the blanks of a row are, by the size of its letters before they are stretched."""
    blanks = [(following.place - spot.place) / stretch - spot.width for spot, following in pairwise(spots)]
    return median(blanks) if blanks else 0.3


def _spot(word: _Word, first: _Word, unit: Point) -> _Spot:
    size = hypot(*unit)
    across, up = word.start[0] - first.start[0], word.start[1] - first.start[1]
    return _Spot(word.text, (across * unit[0] + up * unit[1]) / size**2, hypot(*word.along) / size, word.width)


def _words(line: Line, page: PageText, frame: PageFrame, existing: ExistingText, font: InvisibleFont) -> list[_Word]:
    """A line's words that are to be written."""
    words = [word for word in words_of(line) if not existing.covers(word["box"])]
    if not words:
        return []
    turn = turn_of({**line, "words": words}, page)
    placed = [
        _placed(" ".join(word["text"].split()), box, turn, frame, font)
        for word, box in zip(words, _aligned(line, words, turn), strict=True)
    ]
    return [*(word.before(following) for word, following in pairwise(placed)), placed[-1]]


def _is_one_row(words: list[_Word]) -> bool:
    """Whether words stand on one level, and none is so narrow or wide that it takes a matrix of its own."""
    if not all(STRETCHES[0] <= word.stretch <= STRETCHES[1] for word in words):
        return False
    return bool(words) and hypot(*words[0].up) >= LEAST_POINTS and all(_is_level(words[0], word) for word in words)


def _is_level(first: _Word, word: _Word) -> bool:
    """Whether a word has the height of another and stands on the same line, to less than can be told in the file."""
    across, up = word.start[0] - first.start[0], word.start[1] - first.start[1]
    off = abs(across * first.up[0] + up * first.up[1]) / hypot(*first.up)
    return off < 0.05 and abs(hypot(*word.up) - hypot(*first.up)) < 0.05  # noqa: PLR2004 - half of the last decimal


def _aligned(line: Line, words: list[Line], turn: int) -> list[Box]:
    """The words' boxes, each as high as the line where that is level: readers then see one line, not steps."""
    start, size = ("top", "height") if turn % 180 == 0 else ("left", "width")
    boxes = [word["box"] for word in words]
    if line["box"][size] > LEVEL_SHARE * median(box[size] for box in boxes):
        return boxes
    return [{**box, start: line["box"][start], size: line["box"][size]} for box in boxes]


def _placed(text: str, box: Box, turn: int, frame: PageFrame, font: InvisibleFont) -> _Word:
    """A word from the bottom left of its box, as it is turned."""
    left, top, width, height = (box[side] for side in ("left", "top", "width", "height"))
    start, along, up = {
        0: ((left, top + height), (width, 0.0), (0.0, -height)),
        90: ((left, top), (0.0, height), (width, 0.0)),
        180: ((left + width, top), (-width, 0.0), (0.0, height)),
        270: ((left + width, top + height), (0.0, -height), (-width, 0.0)),
    }[turn]
    return _Word(text, font.width(text), frame.point(*start), frame.vector(*along), frame.vector(*up))


def _number(value: float) -> str:
    """A decimal of a point is finer than any print, and each more would cost a tenth of the layer; PDF has no exponents."""
    return f"{value:.1f}".removesuffix(".0")
