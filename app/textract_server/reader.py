"""Reading a raster with Tesseract: its words in reading order, with their places and how sure the engine is."""

import csv
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import tesserocr  # type: ignore[import-untyped]  # it ships no types, and no stubs exist
from PIL import Image, ImageChops, ImageFilter

from app.textract_server.formats import Raster
from app.textract_server.geometry import Box, QuarterTurns
from app.textract_server.readings import Line, PageReading, Word

SURE_CONFIDENCE = 88.0
"""Pages at or above this mean confidence had few errors: they are taken as they are. Measured over real documents."""
UNCERTAIN_CONFIDENCE = 75.0
"""Below this a page may stand on its side or head, and is worth asking about its orientation."""
FEW_WORDS = 5
"""A page with fewer words may be one whose text wasn't found at all."""
ORIENTATION_CONFIDENCE = 1.0
"""How sure the orientation detector must be before a page is turned."""
ORIENTATION_PIXELS = 2_000_000
SAUVOLA = "2"
OTSU = "0"


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
        """Read a page as it stands; where that reads badly, turned upright, and with its background evened out.

        Orientation is asked about only after a bad reading: asking costs 0.4 s, and nearly all pages stand upright.
        """
        best = self._recognise(raster, QuarterTurns.NONE)
        if best.confidence < UNCERTAIN_CONFIDENCE or best.word_count < FEW_WORDS:
            turns = self._orientation(raster)
            if turns is not QuarterTurns.NONE:
                best = _better(best, self._recognise(raster, turns))
        if best.confidence < SURE_CONFIDENCE or best.word_count < FEW_WORDS:
            if _is_blank(raster.image):
                return best
            best = _better(best, self._recognise(_evened(raster), best.turns))
        return best

    def _recognise(self, raster: Raster, turns: QuarterTurns, thresholding: str = OTSU) -> PageReading:
        image = _turned(raster.image, turns)
        self._engine.SetVariable("thresholding_method", thresholding)
        _hand_over(self._engine, image, raster.dpi)
        self._engine.Recognize()
        lines = _lines(self._engine.GetTSVText(0), image.width, image.height)
        self._engine.Clear()
        return PageReading(lines, turns)

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


def _is_blank(image: Image.Image) -> bool:
    """Tell whether a page is one even tone: then no second reading can find text on it."""
    darkest, lightest = image.reduce(4).getextrema()
    return float(lightest) - float(darkest) < 24  # type: ignore[arg-type]  # noqa: PLR2004 - grey levels; one band has plain numbers


def _evened(raster: Raster) -> Raster:
    """Take shading out of the background and specks out of the foreground."""
    image = raster.image
    small = image.reduce(8)
    background = small.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.GaussianBlur(5))
    paper = background.resize(image.size, Image.Resampling.BILINEAR)
    even = ImageChops.invert(ImageChops.subtract(paper, image))
    return Raster(even.filter(ImageFilter.MedianFilter(3)), raster.dpi)


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
