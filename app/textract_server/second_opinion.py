"""A second reading of pages that Tesseract is unsure of, by RapidOCR: bad receipts, and handwriting.

RapidOCR brings its models in its own package and loads them from there. Measured: a page costs two to five seconds of one
core, and the process 700 MB at most with these settings (1.6 GB with RapidOCR's own).
"""

from functools import lru_cache
from typing import Any

import numpy as np

from app.textract_server.formats import Raster
from app.textract_server.geometry import Box
from app.textract_server.page_image import turned_image
from app.textract_server.reading_order import in_reading_order
from app.textract_server.readings import Line, PageReading, ReadBy, ReadingFacts, Word

LONGEST_SIDE_PIXELS = 1600
"""Larger pages are searched for lines at this size; more takes memory, and finds no more on letter paper."""
HANDWRITTEN_CONFIDENCE = 60.0
"""What Tesseract reads with less than this, and RapidOCR reads better, is taken for handwriting; bad print is above it."""


def second_reading(raster: Raster, first: ReadingFacts) -> PageReading | None:
    """Read a page again, turned as it was read first; None where this is no better than the first reading."""
    image = turned_image(raster.image, first.turns)
    found = _engine()(np.asarray(image.convert("RGB")), use_cls=False, return_word_box=True)
    handwritten = first.confidence < HANDWRITTEN_CONFIDENCE
    rows = (_line(row, image.size, handwritten=handwritten) for row in found.word_results or ())
    reading = PageReading(in_reading_order([row for row in rows if row]), first.turns, read_by=ReadBy.SECOND_OPINION)
    return reading if reading.evidence > first.evidence else None


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR  # noqa: PLC0415 - an extra, and 80 MB

    return RapidOCR(
        params={
            "Global.use_cls": False,  # It turns upright lines of court print upside down.
            "Global.log_level": "error",
            "Det.limit_side_len": LONGEST_SIDE_PIXELS,
            "Det.limit_type": "max",
            "Rec.rec_batch_num": 1,
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _line(row: Any, size: tuple[int, int], *, handwritten: bool) -> Line:
    words = (_word(text, score, corners, size, handwritten=handwritten) for text, score, corners in row if corners)
    return tuple(word for word in words if word.text)


def _word(text: str, score: float, corners: Any, size: tuple[int, int], *, handwritten: bool) -> Word:
    across, down = zip(*corners, strict=True)
    left, right = (min(1.0, max(0.0, side / size[0])) for side in (min(across), max(across)))
    top, bottom = (min(1.0, max(0.0, side / size[1])) for side in (min(down), max(down)))
    return Word(text.strip(), 100.0 * min(1.0, max(0.0, score)), Box(left, top, right, bottom), handwritten)
