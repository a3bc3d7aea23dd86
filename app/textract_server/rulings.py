"""The lines that are ruled on a page: long, thin, along its sides, and darker than the paper on both sides of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.textract_server.geometry import Box

Mask = NDArray[np.bool_]
Grey = NDArray[np.uint8]
Extents = NDArray[np.float64]

SHRUNK_TEXT_PIXELS = 14
"""Pages are reduced until their text is so high: thin rulings survive that, and it bounds the work."""
MAX_PIXELS = 6_000_000
CONTRAST = 18
"""How much darker than the paper beside it a ruling is, of 255 levels: light grey and light blue ones are by 20 to 30."""
BESIDE = 0.3
"""How far beside a ruling its paper is looked at, in text heights; thicker bars are no rulings."""
GROUP = 0.3
"""Text heights of pixels that have to be dark together: that breaks up letters, not rulings."""
SHORTEST = (3.0, 1.6)
"""Text heights that a horizontal and a vertical ruling must be long."""
MAX_RUNS = 6000
"""A page with more pieces of lines than this is a picture; the longest are looked at."""
MAX_RULINGS = 600
"""Rulings of one direction that are told of a page; the longest are."""
NEIGHBOURS = 2
"""Rows of pixels between two runs of one, slanting, ruling."""
SAME_LINE, SAME_LINE_GAP = 0.25, 1.2
"""Text heights across and along between two pieces of one ruling, where text or a speck breaks it."""
TELLING_LENGTH = 10.0
"""Text heights from which a ruling tells how far the page is askew."""
MIN_SLOPE, MAX_SLOPE = 0.005, 0.05
"""Pages less askew than this are straight, and what slants more is no line of the page."""

LARGEST_WORDS = 4.0
"""Text heights from which a word is a stamp's or a watermark's, which stands across rulings."""
IN_WORDS = 0.5
"""The share of a ruling's length that lies in words, from which it is a row of strokes of their letters."""


@dataclass(slots=True)
class Ruling:
    """A ruling in text heights: where it lies, `at`, from where to where it goes, and how much it slants."""

    at: float
    begin: float
    end: float
    slope: float = 0.0

    @property
    def length(self) -> float:
        """How long it is."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Rulings:
    """A page's rulings, once it has been set straight, and how far it was askew (rise by run, clockwise)."""

    horizontal: tuple[Ruling, ...] = ()
    vertical: tuple[Ruling, ...] = ()
    slope: float = 0.0


def find_rulings(image: Image.Image, text_height: float, words: Sequence[Box] = ()) -> Rulings:
    """Find the rulings of an upright page in grey, whose words stand in these places and are so many pixels high."""
    factor = max(1, int(text_height // SHRUNK_TEXT_PIXELS))
    while image.width * image.height > MAX_PIXELS * factor * factor:
        factor += 1
    pixels = np.asarray(image.reduce(factor) if factor > 1 else image)
    unit = text_height / factor
    scale = np.array((image.width, image.height) * 2) / text_height
    sides = np.array([box.sides() for box in words]).reshape(-1, 4) * scale
    lefts, tops, rights, bottoms = sides[sides[:, 3] - sides[:, 1] < LARGEST_WORDS].T
    across = _between(_rulings(pixels, unit, SHORTEST[0]), tops, bottoms, lefts, rights)
    down = _between(_rulings(np.ascontiguousarray(pixels.T), unit, SHORTEST[1]), lefts, rights, tops, bottoms)
    slope = _page_slope(across, down)
    return Rulings(
        _joined(_straight(ruling, slope) for ruling in across),
        _joined(_straight(ruling, -slope) for ruling in down),
        slope,
    )


def _rulings(pixels: Grey, unit: float, shortest: float) -> list[Ruling]:
    """Find the horizontal rulings, in no order."""
    beside = max(3, round(BESIDE * unit))
    group = max(3, round(GROUP * unit))
    if pixels.shape[0] <= 2 * beside or pixels.shape[1] < group:
        return []
    starts, ends, rows = _runs(_dark_groups(pixels, beside, group), max(1, int(shortest * unit / group)))
    lines: list[list[tuple[int, int, int]]] = []
    growing: list[list[tuple[int, int, int]]] = []
    for row, begin, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        growing = [line for line in growing if row - line[-1][0] <= NEIGHBOURS]
        line = next((each for each in growing if _goes_down(each, row, begin, end)), None)
        if line is None:
            line = []
            lines.append(line)
            growing.append(line)
        line.append((row, begin, end))
    return [_ruling(line, beside, group / unit, 1 / unit) for line in lines]


def _goes_down(line: list[tuple[int, int, int]], row: int, begin: int, end: int) -> bool:
    """Tell whether a run goes on with a line: a row of it may be broken, as where it is crossed, into several runs."""
    above = takewhile(lambda run: row - run[0] <= NEIGHBOURS, reversed(line))
    return any(begin < run[2] and end > run[1] for run in above)


def _dark_groups(pixels: Grey, beside: int, group: int) -> Mask:
    """Tell where a group of pixels is darker than the paper above and below; the first row is `beside` of the page."""
    here = pixels[beside:-beside]
    # Text may stand where the paper is looked at: beside a thin ruling it is looked at nearer by as well.
    step = beside - max(2, beside // 2)
    nearer = np.minimum(pixels[step : -2 * beside + step], pixels[2 * beside - step : len(pixels) - step])
    paper = np.minimum(pixels[: -2 * beside], pixels[2 * beside :])
    np.maximum(paper, nearer, out=paper)
    np.maximum(paper, CONTRAST, out=paper)
    paper -= CONTRAST
    dark = paper > here
    # A slanting line steps from row to row: each row takes in its neighbours, so that its runs stay long.
    dark[1:-1] |= dark[:-2] | dark[2:]
    width = dark.shape[1] // group * group
    groups: Mask = np.logical_and.reduce([dark[:, place:width:group] for place in range(group)])
    groups[:, 1:-1] |= groups[:, :-2] & groups[:, 2:]
    return groups


def _runs(groups: Mask, shortest: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Find starts, ends and rows of the runs that are long enough, from the top row down."""
    padded = np.zeros((groups.shape[0], groups.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = groups
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    lengths = ends - starts
    long = lengths >= shortest
    if np.count_nonzero(long) > MAX_RUNS:
        long &= lengths > np.partition(lengths, -MAX_RUNS)[-MAX_RUNS]
    return starts[long], ends[long], rows[long]


def _ruling(line: list[tuple[int, int, int]], beside: int, across: float, down: float) -> Ruling:
    """Fit a ruling through its runs; `across` and `down` are the text heights of a group and of a row."""
    rows, begins, ends = (np.array(each, dtype=float) for each in zip(*line, strict=True))
    rows, begins, ends = (rows + beside + 0.5) * down, begins * across, ends * across
    weights, middles = ends - begins, (begins + ends) / 2
    apart = middles - np.average(middles, weights=weights)
    # As of all their pixels: of a thick line whose last row is a piece at one end, the middles alone would say that it slants.
    spread = float(np.sum(weights * (apart * apart + weights * weights / 12)))
    slope = float(np.sum(weights * apart * rows)) / spread if spread > 0.0 else 0.0
    return Ruling(float(np.average(rows, weights=weights)), float(begins.min()), float(ends.max()), slope)


def _between(rulings: list[Ruling], low: Extents, high: Extents, first: Extents, last: Extents) -> list[Ruling]:
    """Leave out what runs through words, each from `low` to `high` across rulings and from `first` to `last` along them.

    Letters that stand side by side, or under each other, look like rulings where they are larger than most of a page's: they
    would part cells, and say that the page is askew.
    """
    middles = (first + last) / 2
    found = []
    for ruling in rulings:
        at = ruling.at + ruling.slope * (middles - (ruling.begin + ruling.end) / 2)
        shared = np.minimum(last, ruling.end) - np.maximum(first, ruling.begin)
        if float(shared[(low < at) & (at < high) & (shared > 0.0)].sum()) < IN_WORDS * ruling.length:
            found.append(ruling)
    return found


def _page_slope(across: list[Ruling], down: list[Ruling]) -> float:
    """Return the slope that half of the length of all long rulings stays under."""
    told = [(ruling.slope, ruling.length) for ruling in across if ruling.length > TELLING_LENGTH]
    told += [(-ruling.slope, ruling.length) for ruling in down if ruling.length > TELLING_LENGTH]
    told = sorted((slope, length) for slope, length in told if abs(slope) < MAX_SLOPE)
    passed, half = 0.0, sum(length for _, length in told) / 2
    for slope, length in told:
        passed += length
        if passed >= half:
            return slope if abs(slope) > MIN_SLOPE else 0.0
    return 0.0


def _straight(ruling: Ruling, slope: float) -> Ruling:
    """Turn a ruling with its page, by a small slope."""
    middle, shift = (ruling.begin + ruling.end) / 2, slope * ruling.at
    return Ruling(ruling.at - slope * middle, ruling.begin + shift, ruling.end + shift)


def _joined(rulings: Iterable[Ruling]) -> tuple[Ruling, ...]:
    """Put the pieces of rulings together."""
    by_place: dict[int, list[Ruling]] = {}
    for piece in sorted(rulings, key=lambda ruling: (ruling.begin, ruling.at)):
        place = round(piece.at / SAME_LINE)
        near = (each for nearby in (place, place - 1, place + 1) for each in by_place.get(nearby, ()))
        before = next((each for each in near if _goes_on(each, piece)), None)
        if before is None:
            by_place.setdefault(place, []).append(piece)
        else:
            before.at = fmean((before.at, piece.at), (before.length, piece.length))
            before.end = max(before.end, piece.end)
    whole = (ruling for pieces in by_place.values() for ruling in pieces)
    return tuple(sorted(whole, key=lambda ruling: -ruling.length)[:MAX_RULINGS])


def _goes_on(ruling: Ruling, piece: Ruling) -> bool:
    return abs(ruling.at - piece.at) < SAME_LINE and piece.begin - ruling.end < SAME_LINE_GAP
