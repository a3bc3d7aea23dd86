"""Finding a form's labels and what stands beside them: after a colon or a number sign, in a table's rows, under a header.

Running text has colons as well. A label begins a phrase, is short and begins with a capital; its value is short too.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from app.textract_server.drafts import DraftCell, DraftTable, is_figure
from app.textract_server.readings import KeyValue
from app.textract_server.sheet import Placed, Row, phrase_gap, phrases_of, rows_of

LABEL = re.compile(r"(?!.*, [a-z])[A-Z0-9#*][\w\s/&.,'’()#*%+-]*:?")
MOST_LABEL_WORDS, MOST_VALUE_WORDS = 6, 12
MOST_WORDS = 14
"""Words to a phrase from which it is running text."""
PARAGRAPH_WORDS = 4
"""Words to a line from which it may be a paragraph's."""
BESIDE = 15.0
"""Text heights to the right of a label, at most, that its value begins."""
BELOW, SAME_LEFT = 2.2, 0.8
"""Text heights from line to line below a label, and between their left sides."""
MOST_BELOW_WORDS, MOST_BELOW_LABEL_WORDS, MOST_BELOW_LINES = 8, 3, 6
BLANK, LEADER = re.compile(r"_+"), re.compile(r"[._…·]{3,}")
PAGE_NUMBER_DIGITS = 3
"""Digits at the end of a line of a table of contents."""
AMOUNT = re.compile(r"[$€£]?\d[\d,]*\.\d\d")
DASHES = frozenset({"-", "–", "—"})
MOST_DASH_LABEL_WORDS, MOST_DASH_VALUE_WORDS = 3, 2
SMALL_LABEL = 0.8
"""How high a label in a box is, at most, beside what was filled in below it."""
BY_COLON, BY_RULED_TABLE, BY_COLUMNS, BY_HEADER, BY_SIGN, BY_SMALL_LABEL = 0.95, 0.95, 0.85, 0.85, 0.9, 0.85
"""How sure each kind of pair is, beside how surely its words were read."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A label and its value, as they stand on the straight page."""

    key: Row
    value: Row
    sureness: float

    def finished(self) -> KeyValue:
        """Return the pair as it is told."""
        words = [*self.key, *self.value]
        confidence = self.sureness * fmean(word.word.confidence for word in words)
        return KeyValue(tuple(each.word for each in self.key), tuple(each.word for each in self.value), confidence)


def find_pairs(words: Sequence[Placed], tables: Sequence[DraftTable]) -> list[Pair]:
    """Find the pairs of a page, from the top down."""
    loose = [word for word in words if not any(table.holds(word) for table in tables)]
    pairs = list(_labelled(loose))
    for table in tables:
        found = _of_boxes(table) or list(_of_table(table))
        told = {id(word) for pair in found for word in (*pair.key, *pair.value)}
        cells = [cell.words for cell in table.cells if not any(id(word) in told for word in cell.words)]
        pairs += [*found, *(pair for cell in cells for pair in _labelled(cell))]
    return sorted(pairs, key=lambda pair: (pair.key[0].top, pair.key[0].left))


def _of_table(table: DraftTable) -> Iterator[Pair]:
    """Pair the cells of tables that are lists of labels and values, and headers with the only row below them."""
    headers = [cell for cell in table.cells if cell.is_header]
    body = {cell.column: cell for cell in table.row(table.row_count - 1)}
    if headers and headers[0].row == table.row_count - 2:
        for header in headers:
            below = body.get(header.column)
            if header.words and below and below.words and below.columns == header.columns:
                yield _pair(header.words, below.words, BY_HEADER)
        return
    for row in range(table.row_count):
        cells = table.row(row)
        if len(cells) == 2 and _is_line(table, cells[0], cells[1]) and not (cells[0].is_header or cells[1].is_header):  # noqa: PLR2004
            yield _pair(cells[0].words, cells[1].words, BY_RULED_TABLE if table.is_ruled else BY_COLUMNS)


def _of_boxes(table: DraftTable) -> list[Pair]:
    """Pair within the cells, where most of them have a small label above what was filled in."""
    filled = [rows_of(cell.words) for cell in table.cells if cell.words]
    boxes = [rows for rows in filled if len(rows) > 1 and _has_small_label(rows)]
    if len(boxes) * 2 < len(filled):
        return []
    return [Pair(rows[0], [word for row in rows[1:] for word in row], BY_SMALL_LABEL) for rows in boxes]


def _has_small_label(rows: Sequence[Row]) -> bool:
    is_small = _height(rows[0]) < SMALL_LABEL * min(_height(row) for row in rows[1:])
    return is_small and _is_label(_text(rows[0])) and sum(map(len, rows[1:])) <= MOST_VALUE_WORDS


def _height(row: Row) -> float:
    return max(word.bottom - word.top for word in row)


def _is_line(table: DraftTable, label: DraftCell, value: DraftCell) -> bool:
    """Tell whether the two cells of a row are a label and a value: in a list of them, or a sum below a table."""
    is_list = table.column_count == 2 and not any(cell.is_header for cell in table.cells)  # noqa: PLR2004
    is_sum = label.columns > 1 and is_figure(value.text)
    return (is_list or is_sum) and _is_label(label.text) and bool(value.words)


def _pair(key: Iterable[Placed], value: Iterable[Placed], sureness: float) -> Pair:
    """Pair words that may be in several lines."""
    return Pair(
        [word for row in rows_of(key) for word in row], [word for row in rows_of(value) for word in row], sureness
    )


def _labelled(words: Sequence[Placed]) -> Iterator[Pair]:
    rows = rows_of(word for word in words if not BLANK.fullmatch(word.word.text))
    gap = phrase_gap(rows)
    for number, row in enumerate(rows):
        phrases = phrases_of(row, gap)
        for place, phrase in enumerate(phrases):
            if _is_running(phrase):
                continue
            labels = _labels(phrase)
            if not labels:
                yield from _by_sign(phrase, phrases[place + 1] if place + 1 < len(phrases) else [])
                yield from _at_ends(row, phrases) if place == 0 else ()
            for begin, end, until in labels:
                key, value = phrase[begin:end], _without_leaders(phrase[end:until])
                if not value and end == len(phrase):
                    value = _beside(phrases, place) or (_below(rows[number + 1 :], key, gap) if begin == 0 else [])
                if _is_value(value) and not _runs_on(value, rows[number + 1 :], gap):
                    yield Pair(key, value, BY_COLON)


def _is_value(value: Row) -> bool:
    return len(value) <= MOST_VALUE_WORDS and any(map(str.isalnum, _text(value)))


def _is_running(phrase: Row) -> bool:
    return len(phrase) > MOST_WORDS


def _runs_on(value: Row, below: Sequence[Row], gap: float) -> bool:
    """Tell whether a value is the first line of a paragraph: the line under it has as many words, and no label."""
    if len(value) < PARAGRAPH_WORDS:
        return False
    # What stands in the margin may be a row of its own, between two lines of a paragraph.
    near = [row for row in below[:2] if row[0].down - value[-1].down < BELOW]
    beneath = [phrase for row in near for phrase in phrases_of(row, gap) if phrase[0].left < value[-1].right]
    under = [phrase for phrase in beneath if phrase[-1].right > value[0].left]
    return any(len(phrase) > PARAGRAPH_WORDS and not _labels(phrase) for phrase in under)


def _labels(phrase: Row) -> list[tuple[int, int, int]]:
    """Find the labels in a phrase that end with a colon: where each begins and ends, and where its value ends."""
    ends = [place + 1 for place, word in enumerate(phrase) if word.word.text.endswith(":")]
    if not ends:
        return []
    begins = [0, *(_begin(phrase, earlier, end) for earlier, end in pairwise(ends))]
    untils = [*begins[1:], len(phrase)]
    spans = zip(begins, ends, untils, strict=True)
    return [(begin, end, until) for begin, end, until in spans if _is_label(_text(phrase[begin:end]))]


def _begin(phrase: Row, earlier: int, end: int) -> int:
    """Return where a label begins that follows another's value: after the widest gap."""
    starts = range(earlier + 1, max(earlier + 1, end - 1) + 1)
    possible = [start for start in starts if start < end and phrase[start].word.text[:1].isupper()]
    return max(possible, key=lambda start: phrase[start].left - phrase[start - 1].right, default=end - 1)


def _is_label(text: str) -> bool:
    label = LABEL.fullmatch(text)
    letters = sum(map(str.isalpha, text))
    return bool(label) and letters > 1 and len(text.split()) <= MOST_LABEL_WORDS and not is_figure(text.rstrip(" :"))


def _beside(phrases: Sequence[Row], place: int) -> Row:
    """Return the phrase to the right of a label, unless that is far off, or has a label of its own."""
    if place + 1 == len(phrases):
        return []
    label, value = phrases[place], phrases[place + 1]
    near = value[0].left - label[-1].right < BESIDE
    return value if near and not any(word.word.text.endswith(":") for word in value) else []


def _below(rows: Sequence[Row], key: Row, gap: float) -> Row:
    """Return the lines under a label that stand at its left side: an address, as a rule."""
    if len(key) > MOST_BELOW_LABEL_WORDS:
        return []
    value: Row = []
    down = key[0].down
    for row in rows[:MOST_BELOW_LINES]:
        phrase = next((each for each in phrases_of(row, gap) if abs(each[0].left - key[0].left) < SAME_LEFT), [])
        if not phrase or phrase[0].down - down > BELOW:
            break
        if len(phrase) > MOST_BELOW_WORDS or any(word.word.text.endswith(":") for word in phrase):
            return []
        value += phrase
        down = phrase[0].down
    return value


def _at_ends(row: Row, phrases: Sequence[Row]) -> Iterator[Pair]:
    """Pair what stands at the two ends of a line: with a leader of dots between, or with an amount at the right."""
    leaders = [place for place, word in enumerate(row) if LEADER.fullmatch(word.word.text)]
    if leaders and leaders == list(range(leaders[0], leaders[-1] + 1)):
        key, value = row[: leaders[0]], row[leaders[-1] + 1 :]
        is_page_number = _text(value).isdigit() and len(_text(value)) <= PAGE_NUMBER_DIGITS
        if value and len(value) <= MOST_LABEL_WORDS and not is_page_number and _is_label(_text(key)):
            yield Pair(key, value, BY_COLUMNS)
    elif len(phrases) == 2 and len(phrases[1]) == 1 and AMOUNT.fullmatch(phrases[1][0].word.text):  # noqa: PLR2004
        key, value = phrases
        if _is_label(_text(key)) and value[0].left - key[-1].right < BESIDE:
            yield Pair(key, value, BY_COLUMNS)


def _without_leaders(words: Row) -> Row:
    return [word for word in words if not LEADER.fullmatch(word.word.text)]


def _by_sign(phrase: Row, beside: Row) -> Iterator[Pair]:
    """Pair numbers with the labels before them: `REF # 1234`, `ST# 12 OP# 34`, `TRANS ID - 1234`."""
    if phrase[-1].word.text.endswith("#") and beside and beside[0].left - phrase[-1].right < BESIDE:
        phrase = [*phrase, *beside]
    texts = [word.word.text for word in phrase]
    dash = next((place for place, text in enumerate(texts) if text in DASHES), 0)
    after = len(texts) - dash - 1
    if 0 < dash <= MOST_DASH_LABEL_WORDS and 0 < after <= MOST_DASH_VALUE_WORDS:
        if _text(phrase[:dash]).isupper() and is_figure(texts[-1]):
            yield Pair(phrase[: dash + 1], phrase[dash + 1 :], BY_SIGN)
        return
    begin = 0
    for place, text in enumerate(texts):
        if not text.endswith("#"):
            continue
        end = place + 1
        while end < len(texts) and not texts[end].endswith("#") and _is_number(texts[end]):
            end += 1
        key = phrase[begin : place + 1]
        if end > place + 1 and _is_label(_text(key)):
            yield Pair(key, phrase[place + 1 : end], BY_SIGN)
        begin = end


def _is_number(text: str) -> bool:
    return any(character.isdigit() or character == "*" for character in text)


def _text(words: Iterable[Placed]) -> str:
    return " ".join(word.word.text for word in words)
