"""Reading a raster with Tesseract: its words in reading order, with their places and how sure the engine is."""

from dataclasses import replace
from types import TracebackType
from typing import Self

import tesserocr  # type: ignore[import-untyped]  # it ships no types, and no stubs exist
from PIL import Image, ImageFilter

from app.textract_server.formats import Raster
from app.textract_server.geometry import Box, QuarterTurns, Tilt, turned
from app.textract_server.languages import language_data
from app.textract_server.limits import ReadingLimits
from app.textract_server.page_image import (
    cells_across,
    evened,
    is_blank,
    levelled,
    lies_on_its_side,
    sized,
    tilt,
    turned_image,
)
from app.textract_server.readings import Line, PageReading, Word

DOUBTFUL_CONFIDENCE = 75.0
"""Pages under this mean confidence (0, where nothing was read) stand on their head, are covered in specks, or are handwriting: measured."""
HOPELESS_CONFIDENCE = 65.0
"""Pages under this one are read once more without their specks; bad receipts are above it."""
FEW_WORDS = 5
"""On a page with fewer words the orientation detector has too little to go by."""
ORIENTATION_CONFIDENCE = 1.0
"""How sure the orientation detector must be to be believed."""
MANY_CELLS = 13
"""A page whose rows have so many cells is read as one column, row by row: a table of 27 columns is read in 5 seconds, not
in 9, nearly half of which went into looking for tables, and with 0.9 % errors, not 1.1 %. Other pages have 9 at most."""
TELLING_LETTERS = 4
"""A word of so many letters is wider than high, where it stands upright."""


class PageReader:
    """Tesseract with its language data loaded. Use as a context manager; not for more than one thread."""

    def __init__(self, limits: ReadingLimits) -> None:
        path = str(language_data(limits.languages, limits.language_data))
        self._engine = tesserocr.PyTessBaseAPI(
            path=path,
            lang=limits.languages,
            psm=tesserocr.PSM.AUTO,
            oem=tesserocr.OEM.LSTM_ONLY,
            # Words that earlier pages had would be preferred: a page's text may not depend on what was read before it.
            variables={"tessedit_enable_doc_dict": "0"},
        )
        self._data_path = path
        self._most_pixels = limits.max_page_pixels
        self._detector: tesserocr.PyTessBaseAPI | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the engine's memory."""
        self._engine.End()
        if self._detector is not None:
            self._detector.End()

    def read(self, raster: Raster) -> PageReading:
        """Read a page as it stands; where that reads badly, turned upright, and where it still does, without its specks.

        Orientation is asked about only where the page looks as if it lay on its side, or was read badly: asking costs
        0.4 s, and nearly all pages stand upright.
        """
        if is_blank(raster.image):
            return PageReading(is_blank=True)
        page = Raster(evened(raster.image), raster.dpi)
        turns = self._orientation(page) if lies_on_its_side(page.image) else QuarterTurns.NONE
        reading = self._read_upright(sized(Raster(turned_image(page.image, turns), page.dpi), self._most_pixels))
        return replace(reading, turns=QuarterTurns((reading.turns + turns) % 4))

    def _read_upright(self, page: Raster) -> PageReading:
        best = self._read_levelled(page, QuarterTurns.NONE)
        if best.confidence < DOUBTFUL_CONFIDENCE:
            for turns in self._likely_turns(page, best):
                best = _better(best, self._read_levelled(page, turns))
        if best.confidence < HOPELESS_CONFIDENCE:
            cleaned = page.image.filter(ImageFilter.MedianFilter(3))
            best = _better(best, self._recognise(Raster(cleaned, page.dpi), best.turns))
        return best

    def _read_levelled(self, page: Raster, turns: QuarterTurns) -> PageReading:
        """Read a page turned upright; where its lines are tilted, from a levelled copy."""
        image = turned_image(page.image, turns)
        degrees = tilt(image)
        if not degrees:
            return self._recognise(page, turns)
        level = levelled(image, degrees)
        reading = self._recognise(Raster(level, page.dpi), QuarterTurns.NONE)
        if reading.turns:
            return self._recognise(page, turns)  # The tilt was that of lines which run up or down the page.
        frame = Tilt(degrees, (level.width, level.height), (image.width, image.height))
        lines = tuple(tuple(replace(word, box=frame.box(word.box)) for word in line) for line in reading.lines)
        return replace(reading, lines=lines, turns=turns)

    def _recognise(self, raster: Raster, turns: QuarterTurns) -> PageReading:
        image = turned_image(raster.image, turns)
        is_wide_table = cells_across(image) >= MANY_CELLS
        self._engine.SetPageSegMode(tesserocr.PSM.SINGLE_COLUMN if is_wide_table else tesserocr.PSM.AUTO)
        _hand_over(self._engine, image, raster.dpi)
        self._engine.Recognize()
        lines = _lines(self._engine.GetIterator(), image.width, image.height)
        self._engine.Clear()
        return _set_upright(PageReading(lines, turns), image.width / image.height)

    def _likely_turns(self, raster: Raster, reading: PageReading) -> list[QuarterTurns]:
        """How the page may have to be turned: what the detector says, or every way where there's too little text for it."""
        detected = self._orientation(raster)
        if detected is not QuarterTurns.NONE:
            return [detected]
        return [] if reading.word_count >= FEW_WORDS else [QuarterTurns.ONE, QuarterTurns.TWO, QuarterTurns.THREE]

    def _orientation(self, raster: Raster) -> QuarterTurns:
        """How the page must be turned to stand upright; NONE where the detector can't tell."""
        if self._detector is None:
            self._detector = tesserocr.PyTessBaseAPI(
                path=self._data_path, lang="osd", psm=tesserocr.PSM.OSD_ONLY, oem=tesserocr.OEM.TESSERACT_ONLY
            )
        _hand_over(self._detector, raster.image, raster.dpi)
        found = self._detector.DetectOrientationScript()
        self._detector.Clear()
        if not found or found["orient_conf"] < ORIENTATION_CONFIDENCE:
            return QuarterTurns.NONE
        return QuarterTurns.from_degrees(-int(found["orient_deg"]))


def _better(first: PageReading, second: PageReading) -> PageReading:
    return second if second.evidence > first.evidence else first


def _hand_over(engine: tesserocr.PyTessBaseAPI, image: Image.Image, dpi: int) -> None:
    engine.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
    engine.SetSourceResolution(dpi)


def _set_upright(reading: PageReading, aspect: float) -> PageReading:
    """Say that a page lies on its side, where Tesseract has noticed and read it so: boxes are of the upright page.

    Its layout analysis finds lines that run down the page by itself, and says nothing of it.
    """
    words = [word.box for line in reading.lines for word in line if len(word.text) >= TELLING_LETTERS]
    tall = sum(box.bottom - box.top > (box.right - box.left) * aspect for box in words)
    if tall * 2 <= len(words):
        return reading
    downwards = sum(1 if line[-1].box.top > line[0].box.top else -1 for line in reading.lines if len(line) > 1)
    lying = QuarterTurns.THREE if downwards >= 0 else QuarterTurns.ONE
    lines = tuple(tuple(replace(word, box=turned(word.box, lying)) for word in line) for line in reading.lines)
    return PageReading(lines, QuarterTurns((reading.turns + lying) % 4))


def _lines(found: tesserocr.PyResultIterator | None, width: int, height: int) -> tuple[Line, ...]:
    """The lines of words that Tesseract has found; None where it has found nothing."""
    lines: list[list[Word]] = []
    # Word by word: Tesseract's own table of them takes more than twice as long to write and to parse.
    for word in () if found is None else tesserocr.iterate_level(found, tesserocr.RIL.WORD):
        if not lines or word.IsAtBeginningOf(tesserocr.RIL.TEXTLINE):
            lines.append([])
        if not word.Empty(tesserocr.RIL.WORD) and (text := word.GetUTF8Text(tesserocr.RIL.WORD).strip()):
            lines[-1].append(_word(text, word, width, height))
    return tuple(tuple(line) for line in lines if line)


def _word(text: str, found: tesserocr.PyResultIterator, width: int, height: int) -> Word:
    left, top, right, bottom = found.BoundingBox(tesserocr.RIL.WORD)
    box = Box(left / width, top / height, min(1.0, right / width), min(1.0, bottom / height))
    return Word(text, min(100.0, max(0.0, found.Confidence(tesserocr.RIL.WORD))), box)
