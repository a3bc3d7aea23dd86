"""Checkboxes: small squares before a phrase, with all four sides drawn and nothing that goes on beyond them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.textract_server.geometry import Box
from app.textract_server.readings import KeyValue, Selection, Word
from app.textract_server.sheet import Placed, Row, Sheet, phrase_gap, phrases_of, rows_of

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LEFT, RIGHT, ABOVE = 5.5, 0.3, 1.2
"""Text heights around a phrase's beginning in which its checkbox is looked for; one may have been read as a word."""
SMALLEST, LARGEST = 0.65, 2.8
"""Text heights of a checkbox's sides."""
SQUARE, LEVEL = 0.25, 0.2
"""How much its height may differ from its width, as a share, and its sides in height, in text heights."""
DRAWN = 0.95
"""How much of a side has to be dark."""
CONTRAST = 50
"""How much darker than the paper a side is, of 255 levels."""
INSET = 0.22
"""How much of a checkbox, at each side, is not its inside."""
TICKED, BLANK = 0.07, 0.02
"""How much of the inside is dark from which a box is ticked, and up to which it is not; what lies between is doubtful."""
MOST_LABEL_WORDS = 8
MOST_CHARACTERS = 3
"""Characters that Tesseract takes a checkbox for, at most: what stands in a longer word is a letter."""
WIDEST = 1.8
"""How much wider than the checkbox such a word may be."""
SURE, DOUBTFUL = 90.0, 60.0


@dataclass(frozen=True, slots=True)
class _Square:
    """A square in pixels: its sides, and how dark its inside is, from 0 to 1."""

    left: int
    top: int
    right: int
    bottom: int
    darkness: float


def find_checkboxes(image: Image.Image, words: Sequence[Placed], sheet: Sheet) -> list[KeyValue]:
    """Find the checkboxes that stand before a phrase, each with the phrase as its key."""
    pixels = np.asarray(image)
    rows = rows_of(words)
    gap = phrase_gap(rows)
    found: list[KeyValue] = []
    taken: set[tuple[int, int]] = set()
    for phrase in (phrase for row in rows for phrase in phrases_of(row, gap)):
        has_text = any(character.isalpha() for each in phrase for character in each.word.text)
        if not has_text or len(phrase) > MOST_LABEL_WORDS + 1:
            continue
        square = next(_squares(pixels, phrase, sheet), None)
        if square is None or (square.right, square.bottom) in taken or _is_letter(square, words, sheet):
            continue
        label = _label(phrase, square, sheet)
        if label:
            taken.add((square.right, square.bottom))
            found.append(KeyValue(label, (), _sureness(square), _selection(square, sheet)))
    return found


def _squares(pixels: Grey, phrase: Row, sheet: Sheet) -> Iterator[_Square]:
    """Look for squares near a phrase's beginning, from the right."""
    box, unit = phrase[0].word.box, sheet.text_height
    left = max(0, int(box.left * sheet.width - LEFT * unit))
    right = min(sheet.width, int(box.right * sheet.width + RIGHT * unit))
    top = max(0, int(box.top * sheet.height - ABOVE * unit))
    window = pixels[top : int(box.bottom * sheet.height + ABOVE * unit), left:right]
    if window.size == 0:
        return
    dark = window < max(0, int(np.percentile(window, 90)) - CONTRAST)
    for one, other in sorted(combinations(_sides(dark, unit), 2), key=lambda pair: -pair[0][0]):
        square = _square(dark, one, other, unit)
        if square is not None:
            x, y = left, top
            yield _Square(square.left + x, square.top + y, square.right + x, square.bottom + y, square.darkness)


def _sides(dark: Mask, unit: float) -> list[tuple[int, int, int]]:
    """Find the upright strokes that are as long as a checkbox's side: column, top and bottom; the longest of neighbours."""
    padded = np.zeros((dark.shape[1], dark.shape[0] + 2), dtype=np.int8)
    padded[:, 1:-1] = dark.T
    steps = np.diff(padded, axis=1)
    columns, tops = np.nonzero(steps == 1)
    bottoms = np.nonzero(steps == -1)[1]
    fits = (bottoms - tops >= SMALLEST * unit) & (bottoms - tops <= LARGEST * unit)
    sides: list[tuple[int, int, int]] = []
    for column, top, bottom in zip(columns[fits].tolist(), tops[fits].tolist(), bottoms[fits].tolist(), strict=True):
        if sides and column - sides[-1][0] == 1 and bottom - top <= sides[-1][2] - sides[-1][1]:
            continue
        if sides and column - sides[-1][0] == 1:
            sides.pop()
        sides.append((column, top, bottom))
    return sides


def _square(dark: Mask, one: tuple[int, int, int], other: tuple[int, int, int], unit: float) -> _Square | None:
    """Make a square of two upright strokes, if strokes above and below join them and end there."""
    (left, top, bottom), (right, other_top, other_bottom) = one, other
    width, height = right - left, bottom - top
    if not SMALLEST * unit <= width <= LARGEST * unit or abs(width - height) > SQUARE * width + 1:
        return None
    if max(abs(top - other_top), abs(bottom - other_bottom)) > max(2.0, LEVEL * unit):
        return None
    slack, beyond = max(1, round(0.06 * unit)), max(3, round(0.35 * unit))
    for row in (top, bottom - 1):
        band = dark[max(0, row - slack) : row + slack + 1]
        if not _is_drawn(band[:, left : right + 1]):
            return None
        outside = (
            band[:, max(0, left - beyond - slack) : max(0, left - slack)],
            band[:, right + slack + 1 : right + slack + beyond],
        )
        if any(each.size and _is_drawn(each) for each in outside):
            return None
    across, down = round(INSET * width) + 1, round(INSET * height) + 1
    inside = dark[top + down : bottom - down, left + across : right - across + 1]
    return _Square(left, top, right, bottom, float(inside.mean())) if inside.size else None


def _is_drawn(band: Mask) -> bool:
    return bool(band.any(axis=0).mean() >= DRAWN)


def _label(phrase: Row, square: _Square, sheet: Sheet) -> tuple[Word, ...]:
    """Return the words to the right of a square; none where it stands within the text, or the text is no label."""
    middles = [(each.word.box.left + each.word.box.right) / 2 * sheet.width for each in phrase]
    label = tuple(each.word for each, middle in zip(phrase, middles, strict=True) if middle > square.right)
    is_text = any(character.isalpha() for word in label for character in word.text)
    return label if len(phrase) - len(label) <= 1 and is_text and len(label) <= MOST_LABEL_WORDS else ()


def _is_letter(square: _Square, words: Sequence[Placed], sheet: Sheet) -> bool:
    """Tell whether a square is part of a word, other than of what Tesseract took the square itself for."""
    for word in words:
        box = word.word.box
        left, right = box.left * sheet.width, box.right * sheet.width
        top, bottom = box.top * sheet.height, box.bottom * sheet.height
        if left < square.right and square.left < right and top < square.bottom and square.top < bottom:
            is_word = len(word.word.text) > MOST_CHARACTERS or right - left > WIDEST * (square.right - square.left)
            if is_word or (word.word.text.isalpha() and word.word.confidence > SURE):
                return True
    return False


def _sureness(square: _Square) -> float:
    return DOUBTFUL if BLANK < square.darkness < TICKED else SURE


def _selection(square: _Square, sheet: Sheet) -> Selection:
    box = Box(
        square.left / sheet.width, square.top / sheet.height, square.right / sheet.width, square.bottom / sheet.height
    )
    return Selection(box, square.darkness >= TICKED, _sureness(square))
