"""Tables without rulings: rows of phrases that keep to the same columns, with figures in them.

Running text, articles in columns, addresses side by side and lists must not look like tables: a column of figures, or
many rows of short texts in at least three columns, is what tells.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from app.textract_server.drafts import DraftCell, DraftTable, is_figure, share_of_figures
from app.textract_server.sheet import Placed, Row, phrase_gap, phrases_of, rows_of
from app.textract_server.side_by_side import parted

FIRST_PITCH = 4.0
"""Text heights from one row to the next, at most, while there is no telling how far apart they are."""
PITCH_STRETCH = 1.75
"""How much farther apart than usual two rows of one table may be."""
WRAPPED_PITCH = 0.72
"""Rows closer than this share of the usual are one row, of two lines."""
COLUMN_MARGIN = 0.3
"""Text heights that a word may stand beside its column."""
NEAREST = 0.6
"""Text heights from which a word that stands in no column begins one of its own."""
CLEAR = 0.4
"""Text heights between two columns."""
INNER_GAP = 3.0
"""Text heights of a gap that no column has within."""
FEWEST_ROWS, FEWEST_TEXT_ROWS = 3, 4
FIGURES_SHARE, PAIR_FIGURES_SHARE = 0.6, 0.7
LEAST_FILLED, LEAST_FILLED_TEXT = 0.45, 0.8
MOST_WORDS, MOST_WORDS_TEXT = 6.0, 3.0
"""Words to a cell in tables with columns of figures, and of texts alone."""
FEWEST_TEXT_COLUMNS = 3
HEADER_LINES = 2
STARTS = 3
"""Rows in a row that a table is tried to begin with."""
CONFIDENCE = (60.0, 92.0)

ENUMERATOR = re.compile(r"\(?\d{1,2}[.)]")
"""What numbers paragraphs: a column of these tells of no table."""

Interval = tuple[float, float]


@dataclass(slots=True)
class _Block:
    """Rows that keep to the same columns, as far as they have been taken in."""

    gap: float
    """Text heights from which words are apart."""
    columns: list[Interval]
    rows: list[list[Row]]
    """By row and by column, the words there; a row that is one phrase across the columns has only that."""
    downs: list[float]
    """Where each row is, from the top."""


def borderless_tables(words: Sequence[Placed]) -> list[DraftTable]:
    """Find the tables among words that stand in no ruled one."""
    rows = rows_of(words)
    gap = phrase_gap(rows)
    tables: list[DraftTable] = []
    tried: dict[int, tuple[DraftTable | None, int]] = {}
    row = 0
    while row < len(rows):
        for first in range(row, min(len(rows), row + STARTS)):
            if first not in tried:
                tried[first] = _table_from(rows, first, gap)
        end = tried[row][1]
        starts = [tried[first] for first in range(row, row + STARTS) if first in tried]
        found = [table for table, its_end in starts if table and its_end == end]
        if found and tried[row][0]:
            tables += parted(max(found, key=_fullness))
            row = end
        else:
            row += 1
    return tables


def _table_from(rows: Sequence[Row], first: int, gap: float) -> tuple[DraftTable | None, int]:
    block, end = _block(rows, first, gap)
    return (_table(block) if block and len(block.rows) >= FEWEST_ROWS else None), end


def _fullness(table: DraftTable) -> float:
    """Rank the tables that begin near each other: a line above a table that only happens to fit empties its columns."""
    filled = sum(bool(cell.words) for cell in table.cells)
    return filled / (table.row_count * table.column_count) * math.sqrt(table.row_count)


def _block(rows: Sequence[Row], first: int, gap: float) -> tuple[_Block | None, int]:
    """Grow a block down from a row; also the row after it."""
    phrases = phrases_of(rows[first], gap)
    if len(phrases) < 2:  # noqa: PLR2004 - a table has at least two columns
        return None, first + 1
    block = _Block(gap, [_reach(phrase) for phrase in phrases], [phrases], [_down(rows[first])])
    row = first + 1
    while row < len(rows) and _is_near(block, rows[row]):
        if _take(block, rows[row]):
            row += 1
        elif row + 1 < len(rows) and _take_with_title(block, rows[row], rows[row + 1]):
            row += 2
        else:
            break
    if row < len(rows) and len(block.rows) >= FEWEST_ROWS and _ends_with(block, rows[row]):
        row += 1
    if len(block.rows) >= FEWEST_ROWS:
        for above in reversed(rows[max(0, first - HEADER_LINES) : first]):
            if not (_is_header_line(block, above) and _take(block, above, above=True)):
                break
    return block, row


def _is_near(block: _Block, row: Row) -> bool:
    downs = block.downs
    pitch = _down(row) - downs[-1]
    if len(downs) < FEWEST_ROWS:
        return pitch < FIRST_PITCH
    return pitch < PITCH_STRETCH * median(below - above for above, below in pairwise(downs))


def _take_with_title(block: _Block, title: Row, row: Row) -> bool:
    """Take in a row that is one phrase within the table, such as a section's title, if the next row goes on with it."""
    inside = title[0].left >= block.columns[0][0] - 1 and title[-1].right <= block.columns[-1][1] + 1
    if not inside or len(phrases_of(title, block.gap)) > 1:
        return False
    over = [_overlap(column, _reach(title)) for column in block.columns]
    block.rows.append([title] if sum(over) != 1 else [title if each else [] for each in over])
    block.downs.append(_down(title))
    if _is_near(block, row) and _take(block, row):
        return True
    block.rows.pop()
    block.downs.pop()
    return False


def _ends_with(block: _Block, row: Row) -> bool:
    """Take in the second line of a last row's cell."""
    over = [_overlap(column, _reach(row)) for column in block.columns]
    usual = median(below - above for above, below in pairwise(block.downs))
    if sum(over) != 1 or _down(row) - block.downs[-1] >= WRAPPED_PITCH * usual:
        return False
    block.rows.append([row if each else [] for each in over])
    block.downs.append(_down(row))
    return True


def _is_header_line(block: _Block, row: Row) -> bool:
    inside = row[0].left > block.columns[0][0] - 1 and row[-1].right < block.columns[-1][1] + 1
    near = block.downs[0] - _down(row) < FIRST_PITCH / 2
    over = sum(any(_overlap(column, _reach([word])) for word in row) for column in block.columns)
    return inside and near and over * 2 > len(block.columns) and not any(is_figure(word.word.text) for word in row[:1])


def _take(block: _Block, row: Row, *, above: bool = False) -> bool:
    """Take a row in, if each of its words keeps to one column, or stands apart from all of them.

    One that goes above the others may not bring columns of its own. A long text may reach into a second column that is
    empty, in a row that has enough others, below rows enough to tell the columns.
    """
    columns = list(block.columns)
    placed: list[Row] = [[] for _ in columns]
    wide: Row = []
    may_be_wide = not above and len(block.rows) >= FEWEST_ROWS
    for phrase in phrases_of(row, COLUMN_MARGIN * 2):
        reach = _reach(phrase)
        over = _columns_of(columns, reach, COLUMN_MARGIN) or _columns_of(columns, reach, NEAREST)[:1]
        if len(over) == 2 and may_be_wide and not wide and not any(placed[number] for number in over):  # noqa: PLR2004
            wide = placed[over[0]]
            wide.extend(phrase)
            continue
        if len(over) > 1 or (not over and above) or (over and placed[over[0]] is wide):
            return False
        if not over:
            number = sum(column[0] < reach[0] for column in columns)
            columns.insert(number, reach)
            placed.insert(number, list(phrase))
            continue
        (number,) = over
        if placed[number] and phrase[0].left - placed[number][-1].right > INNER_GAP:
            return False
        placed[number].extend(phrase)
        columns[number] = (min(columns[number][0], reach[0]), max(columns[number][1], reach[1]))
    if sum(map(bool, placed)) < (4 if wide else 2) or any(
        right + CLEAR > left for (_, right), (left, _) in pairwise(columns)
    ):
        return False
    _accept(block, columns, placed, 0 if above else len(block.rows))
    return True


def _accept(block: _Block, columns: list[Interval], placed: list[Row], at: int) -> None:
    new = [number for number, column in enumerate(columns) if not any(_overlap(column, old) for old in block.columns)]
    for row in block.rows:
        if len(row) == len(block.columns):
            for number in new:
                row.insert(number, [])
    block.columns = columns
    block.rows.insert(at, placed)
    block.downs.insert(at, _down(word for cell in placed for word in cell))


def _down(words: Iterable[Placed]) -> float:
    return fmean([word.down for word in words])


def _reach(phrase: Row) -> Interval:
    return phrase[0].left, max(word.right for word in phrase)


def _columns_of(columns: Sequence[Interval], reach: Interval, margin: float) -> list[int]:
    return [number for number, column in enumerate(columns) if _overlap(column, reach, margin)]


def _overlap(one: Interval, other: Interval, margin: float = COLUMN_MARGIN) -> bool:
    return one[0] - margin < other[1] and other[0] - margin < one[1]


def _table(block: _Block) -> DraftTable | None:
    """Make a table of a block; None where it may be anything else."""
    rows = _unwrapped(block)
    texts = [[" ".join(word.word.text for word in cell) for cell in row] for row in rows if len(row) > 1]
    filled = [text for row in texts for text in row if text]
    share = len(filled) / (len(texts) * len(block.columns))
    words = fmean(len(text.split()) for text in filled)
    columns = _telling(texts)
    figures = _figures(columns)
    if len(texts) < FEWEST_ROWS or not _is_tabular(len(texts), len(columns), figures, share, words):
        return None
    low, high = CONFIDENCE
    confidence = low + (high - low) * min(1.0, share * (0.5 + figures / 2))
    cells = [
        DraftCell(number, column, 1, 1 if len(row) == len(block.columns) else len(block.columns), cell)
        for number, row in enumerate(rows)
        for column, cell in enumerate(row)
    ]
    return DraftTable(_row_edges(rows), _column_edges(block.columns), cells, confidence, is_ruled=False)


def _is_tabular(rows: int, columns: int, figures: float, filled: float, words: float) -> bool:
    if columns == 2:  # noqa: PLR2004 - labels and amounts
        return figures >= PAIR_FIGURES_SHARE and words <= MOST_WORDS
    if figures >= FIGURES_SHARE:
        return filled >= LEAST_FILLED and words <= MOST_WORDS
    enough = rows >= FEWEST_TEXT_ROWS and columns >= FEWEST_TEXT_COLUMNS
    return enough and filled >= LEAST_FILLED_TEXT and words <= MOST_WORDS_TEXT


def _telling(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the columns without their header, and without those that only number paragraphs."""
    columns = [[row[column] for row in texts[1:]] for column in range(len(texts[0]))]
    return [column for column in columns if not all(ENUMERATOR.fullmatch(text) for text in column if text)]


def _figures(columns: Sequence[Sequence[str]]) -> float:
    """Return the largest share of figures in a column that isn't the first and is filled in half of the rows."""
    full = [column for column in columns[1:] if sum(map(bool, column)) * 2 >= len(column)]
    return max((share_of_figures(column) for column in full), default=0.0)


def _unwrapped(block: _Block) -> list[list[Row]]:
    """Join the lines of cells that have several."""
    downs = block.downs
    usual = median([below - above for above, below in pairwise(downs)] or [1.0])
    rows: list[list[Row]] = []
    for number, row in enumerate(block.rows):
        close = number > 0 and downs[number] - downs[number - 1] < WRAPPED_PITCH * usual
        if close and len(rows[-1]) == len(row):
            rows[-1] = [[*above, *cell] for above, cell in zip(rows[-1], row, strict=True)]
        else:
            rows.append(row)
    return rows


def _row_edges(rows: Sequence[Sequence[Row]]) -> list[float]:
    tops = [min(word.top for cell in row for word in cell) for row in rows]
    bottoms = [max(word.bottom for cell in row for word in cell) for row in rows]
    between = [(bottom + top) / 2 for bottom, top in zip(bottoms, tops[1:], strict=False)]
    return _rising([tops[0], *between, bottoms[-1]])


def _column_edges(columns: Sequence[Interval]) -> list[float]:
    return _rising([columns[0][0], *((one[1] + other[0]) / 2 for one, other in pairwise(columns)), columns[-1][1]])


def _rising(edges: Sequence[float]) -> list[float]:
    return list(_highest_so_far(edges))


def _highest_so_far(edges: Sequence[float]) -> Iterator[float]:
    highest = edges[0]
    for edge in edges:
        highest = max(highest, edge)
        yield highest
