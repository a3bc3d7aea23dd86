"""What is on a page beside its text: tables and forms, out of its words and its rulings."""

from collections.abc import Callable
from dataclasses import replace

from PIL import Image

from app.textract_server.checkboxes import find_checkboxes
from app.textract_server.formats import Raster
from app.textract_server.forms import find_pairs
from app.textract_server.geometry import QuarterTurns
from app.textract_server.readings import PageReading, Selection, Table, Word
from app.textract_server.rulings import find_rulings
from app.textract_server.sheet import Sheet, text_height
from app.textract_server.tables import find_tables, finished

TABLES, FORMS = "TABLES", "FORMS"
LOWEST_TEXT = 4.0
"""Pixels of text height below which nothing is told of a page."""


def analysed(reading: PageReading, render: Callable[[], Raster], features: frozenset[str]) -> PageReading:
    """Add the tables and the key-values that were asked for to a reading; `render` gives the page as it stands."""
    if not features & {TABLES, FORMS} or not reading.lines:
        return reading
    image = _upright(render().image, reading.turns)
    height = text_height(reading.lines, image.height)
    if height < LOWEST_TEXT:
        return reading
    rulings = find_rulings(image, height, [word.box for line in reading.lines for word in line if _is_of_letters(word)])
    sheet = Sheet(image.width, image.height, height, rulings.slope)
    words = [sheet.placed(word) for line in reading.lines for word in line]
    tables = find_tables(words, rulings)
    boxes = find_checkboxes(image, words, sheet)
    told = tuple(finished(table, sheet) for table in tables) if TABLES in features else ()
    pairs = (*(pair.finished() for pair in find_pairs(words, tables)), *boxes) if FORMS in features else ()
    selections = (each.selection for each in boxes if each.selection is not None)
    # Checkboxes beside tables are a form's: Textract tells of them where it was asked for forms.
    wanted = (each for each in selections if FORMS in features or any(_holds(table, each) for table in told))
    return replace(reading, tables=told, key_values=pairs, selections=tuple(wanted))


def _is_of_letters(word: Word) -> bool:
    """Tell a word from dashes, and from one that a ruling was read into."""
    return "|" not in word.text and any(map(str.isalnum, word.text))


def _holds(table: Table, selection: Selection) -> bool:
    place, box = table.box(), selection.box
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return place.left < across < place.right and place.top < down < place.bottom


def _upright(image: Image.Image, turns: QuarterTurns) -> Image.Image:
    """Turn an image clockwise."""
    methods = {
        QuarterTurns.ONE: Image.Transpose.ROTATE_270,
        QuarterTurns.TWO: Image.Transpose.ROTATE_180,
        QuarterTurns.THREE: Image.Transpose.ROTATE_90,
    }
    return image.transpose(methods[turns]) if turns in methods else image
