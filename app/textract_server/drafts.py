"""A table as it is being found: in text heights, on the straight page, with its words in its cells."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.textract_server.sheet import Placed, rows_of

NOTHING = frozenset({"-", "–", "—", "*", "**"})
FIGURE = re.compile(r"[\d.,:/%()$€£+*\-–—\s]*\d[\d.,:/%()$€£+*\-–—\s]*[A-Za-z]{0,3}")
WORDLIKE = 4
"""A text with fewer letters than this, and a digit, is a code rather than a name."""


@dataclass(slots=True)
class DraftCell:
    """A cell: its first row and column, from 0, how many it spans, and the words in it."""

    row: int
    column: int
    rows: int
    columns: int
    words: list[Placed]
    is_header: bool = False

    @property
    def text(self) -> str:
        """Its words, row by row."""
        return " ".join(word.word.text for row in rows_of(self.words) for word in row)


@dataclass(slots=True)
class DraftTable:
    """A table: its edges in text heights, from the top and from the left, and its cells by row and column."""

    row_edges: list[float]
    column_edges: list[float]
    cells: list[DraftCell]
    confidence: float
    is_ruled: bool

    @property
    def row_count(self) -> int:
        """How many rows it has."""
        return len(self.row_edges) - 1

    @property
    def column_count(self) -> int:
        """How many columns it has."""
        return len(self.column_edges) - 1

    def row(self, number: int) -> list[DraftCell]:
        """The cells that begin in a row, counted from 0."""
        return [cell for cell in self.cells if cell.row == number]

    def holds(self, word: Placed) -> bool:
        """Tell whether a word's middle is in the table."""
        return (
            self.column_edges[0] <= word.across <= self.column_edges[-1]
            and self.row_edges[0] <= word.down <= self.row_edges[-1]
        )


def is_figure(text: str) -> bool:
    """Tell whether a text is a number, an amount, a date, a short code, or a table's word for nothing."""
    if text in NOTHING or FIGURE.fullmatch(text):
        return True
    letters, digits = sum(map(str.isalpha, text)), sum(map(str.isdigit, text))
    return digits > letters and letters < WORDLIKE


def share_of_figures(texts: Iterable[str]) -> float:
    """Return how many of some texts are figures, from 0 to 1; empty ones don't count."""
    told = [is_figure(text) for text in texts if text]
    return sum(told) / len(told) if told else 0.0


def mark_header(table: DraftTable) -> None:
    """Mark the first row under the table's title, where it names the columns."""
    first = next((row for row in range(table.row_count) if _is_divided(table, row)), table.row_count)
    cells = table.row(first)
    body = [cell for cell in table.cells if cell.row > first]
    named = [cell for cell in cells if cell.text]
    if first >= table.row_count - 1 or any(is_figure(cell.text) for cell in named):
        return
    names_most = len(named) >= max(2, table.column_count - 1) or len(named) == len(cells)
    last = [cell.text for cell in body if cell.column + cell.columns == table.column_count]
    if names_most and (table.column_count > 2 or share_of_figures(last) > 0.5):  # noqa: PLR2004 - two columns are often a label and a value
        for cell in cells:
            cell.is_header = True


def _is_divided(table: DraftTable, row: int) -> bool:
    return len(table.row(row)) > 1
