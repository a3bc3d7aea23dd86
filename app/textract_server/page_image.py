"""Making a page's pixels fit for Tesseract: even paper, letters of the size that its models know, and level lines."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from app.textract_server.formats import Raster
from app.textract_server.geometry import QuarterTurns

EVEN_TONES = 24
"""Paper whose grey levels differ by less is even. Beyond that, Tesseract loses whole halves of shaded pages without
losing confidence in the rest."""
SMALL_PRINT_PIXELS = 13.5
"""Print whose letters are lower than this is enlarged, as measured on receipts, a dense table and a scan at 100 dpi."""
LARGE_PRINT_PIXELS = 24.0
"""Print higher than this is shrunk: it reads as well, and sooner."""
GOOD_PRINT_PIXELS = 20.0
LETTER_PIXELS = range(6, 81)
"""Runs of ink lower than these are specks and rules, and higher ones are pictures."""
FEW_RUNS = 20
MOST_ENLARGED = 2.5
SMEAR_PIXELS = 16
INK_TONES = 30
SIDEWAYS_SHARE = 1.1
"""Upright pages have a share of 0.2 to 1.0, and pages on their sides of 0.9 to 5."""
CELL_GAP_PIXELS = 32
"""A gap wider than this in a row is no space: print of the size that reads well has spaces of ten pixels."""
LEVEL_DEGREES = 1.0
"""Lines tilted by less are read as they are: Tesseract follows them by itself."""
STEEPEST_DEGREES = 6.0
CLEARLY_LEVELLER = 1.15
"""How much sharper the rows of a page must stand out when it is turned, for its lines to be taken for tilted."""


def is_blank(image: Image.Image) -> bool:
    """Tell whether a page is one tone all over."""
    return _spread(image.reduce(2)) < EVEN_TONES


def evened(image: Image.Image) -> Image.Image:
    """Take shading and stains out of the paper, where there are any."""
    paper = image.reduce(8).filter(ImageFilter.MaxFilter(3))
    if _spread(paper) < EVEN_TONES:
        return image
    paper = paper.filter(ImageFilter.MedianFilter(5))
    if _spread(paper) < EVEN_TONES:
        return image
    smooth = paper.filter(ImageFilter.GaussianBlur(5)).resize(image.size, Image.Resampling.BILINEAR)
    return ImageChops.invert(ImageChops.subtract(smooth, image))


def sized(page: Raster, most_pixels: int) -> Raster:
    """Enlarge small print and shrink large print; the page gets no more than `most_pixels` by it."""
    height = print_height(page.image)
    if height is None or SMALL_PRINT_PIXELS <= height <= LARGE_PRINT_PIXELS:
        return page
    pixels = page.image.width * page.image.height
    scale = min(GOOD_PRINT_PIXELS / height, MOST_ENLARGED, math.sqrt(max(most_pixels, pixels) / pixels))
    size = (max(1, round(page.image.width * scale)), max(1, round(page.image.height * scale)))
    method = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.HAMMING
    return Raster(page.image.resize(size, method), max(70, round(page.dpi * scale)))


def print_height(image: Image.Image) -> float | None:
    """How high a page's letters are in pixels, about; None where there are too few to tell.

    Ink is smeared along the lines, and the heights of what that gives are runs down the page: their median, weighted by
    themselves, lies between the height of small letters and that of capitals, and doesn't mind specks.
    """
    smeared = np.asarray(image.reduce((SMEAR_PIXELS, 1)), dtype=np.int16)
    ink = np.pad(smeared < _paper_tone(smeared) - INK_TONES, ((1, 1), (0, 0)))
    steps = np.diff(ink.astype(np.int8), axis=0).T
    runs = np.argwhere(steps == -1)[:, 1] - np.argwhere(steps == 1)[:, 1]
    runs = np.sort(runs[(runs >= LETTER_PIXELS.start) & (runs < LETTER_PIXELS.stop)])
    if len(runs) < FEW_RUNS:
        return None
    weight = np.cumsum(runs)
    return float(runs[np.searchsorted(weight, weight[-1] / 2)])


def tilt(image: Image.Image) -> float:
    """By how many degrees a page's lines fall to the right; 0.0 where they are level, or nearly, or can't be told."""
    small = np.asarray(image.reduce(4), dtype=np.int16)
    down, across = np.nonzero(small < _paper_tone(small) - INK_TONES)
    if len(down) < FEW_RUNS:
        return 0.0

    def sharpness(degrees: float) -> float:
        rows = (down - across * math.tan(math.radians(degrees))).astype(np.int64)
        counts = np.bincount(rows - rows.min()).astype(np.float64)
        return float(np.square(counts).sum())

    coarse = max(np.arange(-STEEPEST_DEGREES, STEEPEST_DEGREES + 0.5, 0.5), key=sharpness)
    best = float(max(np.arange(coarse - 0.4, coarse + 0.5, 0.1), key=sharpness))
    return best if abs(best) > LEVEL_DEGREES and sharpness(best) > CLEARLY_LEVELLER * sharpness(0.0) else 0.0


def lies_on_its_side(image: Image.Image) -> bool:
    """Tell whether ink comes and goes faster across the page than down it, as it does where lines run up or down."""
    small = np.asarray(image.reduce(4), dtype=np.int16)
    ink = small < _paper_tone(small) - INK_TONES
    rows, columns = (ink.sum(axis=axis, dtype=np.int64) for axis in (1, 0))
    if len(rows) < FEW_RUNS or len(columns) < FEW_RUNS or not ink.any():
        return False
    changes = [float(np.abs(np.diff(each)).mean() / each.mean()) for each in (rows, columns)]
    return changes[1] > SIDEWAYS_SHARE * changes[0]


def cells_across(image: Image.Image) -> int:
    """How many pieces, wide gaps apart, a page's rows of ink have in the median: 1 on a page of text, 27 on a table of so many columns."""
    small = np.asarray(image.reduce(4), dtype=np.int16)[::2]
    down, across = np.nonzero(small < _paper_tone(small) - INK_TONES)
    if len(down) < FEW_RUNS:
        return 1
    is_gap = (np.diff(down) == 0) & (np.diff(across) > CELL_GAP_PIXELS // 4)
    gaps = np.bincount(down[1:][is_gap], minlength=len(small))[np.unique(down)]
    return int(np.median(gaps)) + 1


def levelled(image: Image.Image, degrees: float) -> Image.Image:
    """Turn a page so that lines which fall by so many degrees are level; the page's middle stays where it is."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def turned_image(image: Image.Image, turns: QuarterTurns) -> Image.Image:
    """Turn an image clockwise by quarter turns."""
    methods = {
        QuarterTurns.ONE: Image.Transpose.ROTATE_270,
        QuarterTurns.TWO: Image.Transpose.ROTATE_180,
        QuarterTurns.THREE: Image.Transpose.ROTATE_90,
    }
    return image.transpose(methods[turns]) if turns in methods else image


def _paper_tone(pixels: NDArray[np.int16]) -> float:
    return float(np.percentile(pixels[::7], 90))


def _spread(image: Image.Image) -> float:
    darkest, lightest = image.getextrema()
    return float(lightest) - float(darkest)  # type: ignore[arg-type]  # one band has plain numbers
