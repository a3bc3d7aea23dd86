"""Pages that are drawn word by word, so that a test knows what stands where without an engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from PIL import Image, ImageDraw, ImageFont

from app.textract_server.analysis import analysed
from app.textract_server.formats import Raster
from app.textract_server.geometry import Box, QuarterTurns
from app.textract_server.readings import PageReading, Table, Word

WIDTH, HEIGHT = 1700, 2200
BOTH = frozenset({"TABLES", "FORMS"})
CONFIDENCE = 90.0


@dataclass
class Drawing:
    """A sheet of letter paper at 200 dpi, and the words that were written on it."""

    size: int = 30
    image: Image.Image = field(default_factory=lambda: Image.new("L", (WIDTH, HEIGHT), 255))
    lines: list[tuple[Word, ...]] = field(default_factory=list)

    def text(self, left: float, top: float, text: str, *, shade: int = 0) -> None:
        """Write one line; its words are one line of the reading."""
        font, draw = ImageFont.load_default(self.size), ImageDraw.Draw(self.image)
        words = []
        for word in text.split():
            draw.text((left, top), word, fill=shade, font=font, anchor="ls")
            right = left + draw.textlength(word, font=font)
            box = Box(left / WIDTH, (top - 0.7 * self.size) / HEIGHT, right / WIDTH, top / HEIGHT)
            words.append(Word(word, CONFIDENCE, box))
            left = right + draw.textlength(" ", font=font)
        self.lines.append(tuple(words))

    def rule(self, left: float, top: float, right: float, bottom: float, *, shade: int = 0, width: int = 3) -> None:
        """Draw a line."""
        ImageDraw.Draw(self.image).line((left, top, right, bottom), fill=shade, width=width)

    def grid(self, rows: Sequence[float], columns: Sequence[float], *, shade: int = 0, lean: float = 0.0) -> None:
        """Rule a grid, which may lean: so far down for each pixel to the right."""
        for row in rows:
            self.rule(columns[0], row, columns[-1], row + lean * (columns[-1] - columns[0]), shade=shade)
        for column in columns:
            down = lean * (column - columns[0])
            across = -lean * (rows[-1] - rows[0])
            self.rule(column, rows[0] + down, column + across, rows[-1] + down, shade=shade)

    def fill(
        self, rows: Sequence[float], columns: Sequence[float], texts: Sequence[Sequence[str]], *, lean: float = 0.0
    ) -> None:
        """Write texts into the cells of a grid."""
        for row, line in enumerate(texts):
            for column, text in enumerate(line):
                down = lean * (columns[column] - columns[0])
                across = -lean * (rows[row] - rows[0])
                self.text(columns[column] + 15 + across, rows[row] + 45 + down, text)

    def analysed(self, features: frozenset[str] = BOTH, turns: QuarterTurns = QuarterTurns.NONE) -> PageReading:
        """Analyse the page; it may lie in the document so that it has to be turned to stand upright."""
        back = self.image.rotate(90 * turns, expand=True)
        reading = PageReading(tuple(line for line in self.lines if line), turns)
        return analysed(reading, lambda: Raster(back, 200), features)


def rows_of(table: Table) -> list[list[str]]:
    """A table's texts, row by row; a cell is told where it begins."""
    rows: list[list[str]] = [[] for _ in table.row_edges[1:]]
    for cell in table.cells:
        rows[cell.row - 1].append(" ".join(word.text for word in cell.words))
    return rows


def spans_of(table: Table) -> dict[tuple[int, int], tuple[int, int]]:
    """How many rows and columns a table's cells span, where it is more than one."""
    cells = {(cell.row, cell.column): (cell.row_span, cell.column_span) for cell in table.cells}
    return {place: span for place, span in cells.items() if span != (1, 1)}


def pairs_of(reading: PageReading) -> dict[str, str]:
    """The keys and values of a page."""
    return {
        " ".join(word.text for word in pair.key): " ".join(word.text for word in pair.value)
        for pair in reading.key_values
    }


def without_features(reading: PageReading) -> PageReading:
    return replace(reading, tables=(), key_values=(), selections=())
