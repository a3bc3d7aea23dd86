"""Made-up results that keep every invariant of real ones, made once for each page and stamped with the job's own ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from app.textract_server.blocks import page_blocks
from app.textract_server.geometry import Box
from app.textract_server.readings import Cell, KeyValue, Line, PageReading, Table, Word
from app.textract_server.results import Portion

WORDS = ("seven", "heavy", "crates", "of", "amber", "tiles", "were", "shipped")
KEY_AND_VALUE_WORDS = 4
CONFIDENCE = 99.5
STAMP = b"@@@@@@@@-@@@@"
"""Stands in a made page for the first part of every id, which is the job's."""


@dataclass(frozen=True, slots=True)
class SimulatedWork:
    """What every document is taken for, and how long its pages take, one after the other."""

    seconds_per_page: float
    page_count: int
    lines_per_page: int
    text: tuple[str, ...] = ()
    """The lines of every page, in place of so many that are made up."""


@dataclass(frozen=True, slots=True)
class SyntheticPages:
    """Pages with so many lines of eight words each, or those given, and a table and a key with its value if asked for."""

    line_count: int
    features: frozenset[str]
    text: tuple[str, ...] = ()

    def portion(self, job_id: str, page_count: int, missing: frozenset[int], offset: int, limit: int) -> Portion:
        """`limit` blocks of a job's result from `offset` on; a missing page has no block but its PAGE."""
        whole = len(_made(1, self._lines(1), self.features))
        chosen: list[bytes] = []
        before = 0
        for page in range(1, page_count + 1):
            block_count = 1 if page in missing else whole
            if before + block_count > offset and len(chosen) < limit:
                first = max(0, offset - before)
                lines = () if page in missing else self._lines(page)
                chosen += _made(page, lines, self.features)[first : first + limit - len(chosen)]
            before += block_count
        return Portion(_stamped(chosen, job_id), before > offset + limit)

    def unnumbered(self, document_id: str) -> Portion:
        """The blocks of a document that is read at once: they don't name their page."""
        return Portion(_stamped(_made(None, self._lines(1), self.features), document_id), has_more=False)

    def _lines(self, page: int) -> tuple[str, ...]:
        made_up = (" ".join(("Page", str(page), *WORDS[2:])), *(" ".join(WORDS),) * (self.line_count - 1))
        return self.text or made_up[: self.line_count]


def _stamped(blocks: Iterable[bytes], document_id: str) -> orjson.Fragment:
    prefix = f"{document_id[:8]}-{document_id[8:12]}".encode()
    return orjson.Fragment(b"[" + b",".join(blocks).replace(STAMP, prefix) + b"]")


@lru_cache(maxsize=64)
def _made(page: int | None, text: tuple[str, ...], features: frozenset[str]) -> tuple[bytes, ...]:
    blocks = page_blocks(_reading(text, features), page)
    made = b"\n".join(orjson.dumps(block) for block in blocks)
    for number, block in enumerate(blocks):
        own_id = STAMP + b"-%04x-8000-%012x" % (page or 0, number)
        made = made.replace(block["Id"].encode(), own_id)
    return tuple(made.split(b"\n"))


def _reading(text: tuple[str, ...], features: frozenset[str]) -> PageReading:
    lines = tuple(_line(said.split(), number, len(text)) for number, said in enumerate(text))
    if len(lines) < len(WORDS) or min(map(len, lines[1:4])) < KEY_AND_VALUE_WORDS:
        return PageReading(lines)
    return PageReading(
        lines,
        tables=(_table(lines),) if "TABLES" in features else (),
        key_values=(KeyValue(lines[3][:2], lines[3][2:4], CONFIDENCE),) if "FORMS" in features else (),
    )


def _line(texts: Sequence[str], number: int, line_count: int) -> Line:
    """Words beside each other, over nine tenths of the page's width at most."""
    height = 0.9 / line_count
    top = 0.05 + number * height
    pitch = min(0.1, 0.88 / max(1, len(texts)))
    return tuple(
        Word(text, CONFIDENCE, Box(0.1 + pitch * place, top, 0.1 + pitch * (place + 0.8), top + 0.7 * height))
        for place, text in enumerate(texts)
    )


def _table(lines: tuple[Line, ...]) -> Table:
    """Two rows of two words each: those that begin the second line and the third."""
    corner = [line[:2] for line in lines[1:3]]
    cells = tuple(
        Cell(row, column, 1, 1, (word,))
        for row, words in enumerate(corner, start=1)
        for column, word in enumerate(words, start=1)
    )
    above, below = corner[0][0].box, corner[1][1].box
    return Table(
        row_edges=(above.top, corner[1][0].box.top, below.bottom),
        column_edges=(above.left, below.left, below.right),
        cells=cells,
        confidence=CONFIDENCE,
    )
