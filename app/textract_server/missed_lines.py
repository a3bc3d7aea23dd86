"""Lines that a page's own text has and its looks didn't give, as where somebody signed across them."""

from dataclasses import replace

import numpy as np
from PIL import Image

from app.textract_server.geometry import Box, union
from app.textract_server.page_image import turned_image
from app.textract_server.reading_order import in_reading_order
from app.textract_server.readings import Line, PageReading

LIGHT = 160
"""Paper under letters is lighter than this, of 255; a line that was blackened stands on none."""
INK_TONES = 60
LEAST_INK = 0.08
"""The share of ink in a line of letters, at least; a line that was painted over shows less."""
MIDDLE = (0.3, 0.7)
"""The part of a line's height that is looked at: the edges of what covers it would be ink above and below."""


def with_missed_lines(reading: PageReading, layer: PageReading, image: Image.Image) -> PageReading:
    """Add a trusted layer's lines to what was read by looks: those in whose place nothing was read, and that can be seen."""
    if layer.turns != reading.turns:
        return reading
    upright = turned_image(image, reading.turns)
    read = [word.box for line in reading.lines for word in line]
    missed = [line for line in layer.lines if _is_missed(line, read) and _is_in_sight(upright, line)]
    lines, ordered = list(reading.lines), in_reading_order([*reading.lines, *missed])
    for number, line in enumerate(ordered):
        if any(line is each for each in missed):
            lines.insert(lines.index(ordered[number - 1]) + 1 if number else 0, line)
    return replace(reading, lines=tuple(lines))


def _is_missed(line: Line, read: list[Box]) -> bool:
    says_something = any(letter.isalnum() for word in line for letter in word.text)
    return says_something and not any(_overlap(word.box, box) for word in line for box in read)


def _overlap(one: Box, other: Box) -> bool:
    across = min(one.right, other.right) > max(one.left, other.left)
    return across and min(one.bottom, other.bottom) > max(one.top, other.top)


def _is_in_sight(image: Image.Image, line: Line) -> bool:
    box = union([word.box for word in line])
    top, bottom = (box.top + share * (box.bottom - box.top) for share in MIDDLE)
    sides = (box.left * image.width, top * image.height, box.right * image.width, bottom * image.height)
    pixels = np.asarray(image.crop((round(sides[0]), round(sides[1]), round(sides[2]) + 1, round(sides[3]) + 1)))
    paper = float(np.median(pixels))
    return paper > LIGHT and float(np.mean(pixels < paper - INK_TONES)) >= LEAST_INK
