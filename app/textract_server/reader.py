"""Reading a raster with Tesseract: its words in reading order, with their places and how sure the engine is."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import tesserocr  # type: ignore[import-untyped]  # it ships no types, and no stubs exist
from PIL import Image, ImageChops, ImageFilter

from app.textract_server.formats import Raster
from app.textract_server.geometry import Box, QuarterTurns, turned
from app.textract_server.readings import Line, PageReading, Word

DOUBTFUL_CONFIDENCE = 75.0
"""Pages under this mean confidence (0, where nothing was read) stand on their head, are covered in specks, or are handwriting: measured."""
UNSURE_CONFIDENCE = 88.0
"""Pages under this mean confidence have small print, or are bad receipts: enlarged, small print reads far better."""
ENLARGED = 1.5
ENLARGED_PIXELS = 16_000_000
"""A page that would have more pixels than this isn't enlarged."""
FEW_WORDS = 5
"""On a page with fewer words the orientation detector has too little to go by."""
ORIENTATION_CONFIDENCE = 1.0
"""How sure the orientation detector must be to be believed."""
EVEN_TONES = 24
"""Paper whose grey levels differ by less is even. Beyond that, Tesseract loses whole halves of shaded pages without
losing confidence in the rest."""
TELLING_LETTERS = 4
"""A word of so many letters is wider than high, where it stands upright."""


class PageReader:
    """Tesseract with its language data loaded. Use as a context manager; not for more than one thread."""

    def __init__(self, languages: str) -> None:
        path = str(_language_data())
        self._engine = tesserocr.PyTessBaseAPI(
            path=path, lang=languages, psm=tesserocr.PSM.AUTO, oem=tesserocr.OEM.LSTM_ONLY
        )
        self._data_path = path
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

        Orientation is asked about only after a bad reading: asking costs 0.4 s, and nearly all pages stand upright.
        One that is not bad, and not good either, is read once more, enlarged.
        """
        if _is_even(raster.image):
            return PageReading()
        page = Raster(_evened(raster.image), raster.dpi)
        best = self._recognise(page, QuarterTurns.NONE)
        if _is_doubtful(best):
            for turns in self._likely_turns(page, best):
                best = _better(best, self._recognise(page, turns))
        if best.confidence < UNSURE_CONFIDENCE and (large := _enlarged(page)) is not None:
            best = _better(best, self._recognise(large, best.turns))
        if _is_doubtful(best):
            for image in (raster.image, page.image.filter(ImageFilter.MedianFilter(3))):
                if image is not page.image:
                    best = _better(best, self._recognise(Raster(image, raster.dpi), best.turns))
        return best

    def _recognise(self, raster: Raster, turns: QuarterTurns) -> PageReading:
        image = _turned(raster.image, turns)
        _hand_over(self._engine, image, raster.dpi)
        self._engine.Recognize()
        lines = _lines(self._engine.GetTSVText(0), image.width, image.height)
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


def _language_data() -> Path:
    """Where the environment's packages have put Tesseract's data."""
    return Path(sys.prefix) / "share" / "tessdata"


def _hand_over(engine: tesserocr.PyTessBaseAPI, image: Image.Image, dpi: int) -> None:
    engine.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
    engine.SetSourceResolution(dpi)


def _turned(image: Image.Image, turns: QuarterTurns) -> Image.Image:
    """Turn an image clockwise by quarter turns."""
    methods = {
        QuarterTurns.ONE: Image.Transpose.ROTATE_270,
        QuarterTurns.TWO: Image.Transpose.ROTATE_180,
        QuarterTurns.THREE: Image.Transpose.ROTATE_90,
    }
    return image.transpose(methods[turns]) if turns in methods else image


def _is_doubtful(reading: PageReading) -> bool:
    return reading.confidence < DOUBTFUL_CONFIDENCE


def _spread(image: Image.Image) -> float:
    darkest, lightest = image.getextrema()
    return float(lightest) - float(darkest)  # type: ignore[arg-type]  # one band has plain numbers


def _is_even(image: Image.Image) -> bool:
    """Tell whether a page is blank: one tone all over."""
    return _spread(image.reduce(2)) < EVEN_TONES


def _evened(image: Image.Image) -> Image.Image:
    """Take shading and stains out of the paper, where there are any."""
    paper = image.reduce(8).filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.MedianFilter(5))
    if _spread(paper) < EVEN_TONES:
        return image
    smooth = paper.filter(ImageFilter.GaussianBlur(5)).resize(image.size, Image.Resampling.BILINEAR)
    return ImageChops.invert(ImageChops.subtract(smooth, image))


def _enlarged(page: Raster) -> Raster | None:
    """Enlarge a page for its small print; None where that would take too many pixels."""
    size = (round(page.image.width * ENLARGED), round(page.image.height * ENLARGED))
    if size[0] * size[1] > ENLARGED_PIXELS:
        return None
    return Raster(page.image.resize(size, Image.Resampling.BICUBIC), round(page.dpi * ENLARGED))


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


def _lines(table: str, width: int, height: int) -> tuple[Line, ...]:
    """Parse Tesseract's table of words; a line is one block, paragraph and line number."""
    rows = csv.reader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = [row for row in rows if len(row) == 12 and row[0] == "5" and row[11].strip()]  # noqa: PLR2004 - level 5 is a word
    return tuple(
        tuple(_word(row, width, height) for row in group) for _, group in groupby(words, key=lambda row: row[2:5])
    )


def _word(row: Sequence[str], width: int, height: int) -> Word:
    left, top, across, down = (int(value) for value in row[6:10])
    box = Box(left / width, top / height, min(1.0, (left + across) / width), min(1.0, (top + down) / height))
    return Word(row[11].strip(), min(100.0, max(0.0, float(row[10]))), box)
