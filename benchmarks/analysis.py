"""Tables and key-values that the Textract-compatible server finds, against Textract's own answers for the same documents.

A table counts as found where its box and the real one's share at least half of what they cover together. Cells and keys
are compared by their letters and digits, without case. The pages are read in this process.
"""

import asyncio
import os
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.ocr.blocks import PageAssembler, PageText
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.page_process import read_pages
from app.textract_server.readings import DocumentFile, PageRequest
from benchmarks.running import RunningStack

FEATURES = frozenset({"TABLES", "FORMS"})
SAME_PLACE = 0.5
KINDS = {
    ".pdf": DocumentKind.PDF,
    ".png": DocumentKind.PNG,
    ".jpg": DocumentKind.JPEG,
}
PAIRS = {
    "financial-document.png": "financial-document-response.json",
    "in-table-title.png": "test_detect_no_duplicate_words_in-table-title.png.json",
    "paystub_tables.png": "test_detect_no_duplicate_words_paystub_tables.png.json",
    "reading_order.pdf": "test_detect_no_duplicate_words_reading_order.pdf.json",
    "receipt.jpg": "test_detect_no_duplicate_words_receipt.jpg.json",
    "sample-invoice.pdf": "test_detect_no_duplicate_words_sample-invoice.pdf.json",
    "textractor-multipage-doc.pdf": "test_textractor_start_document_analysis_multipage_pdf_s3.json",
}
WITHOUT_FORMS = frozenset({"financial-document.png"})
"""Documents whose real answers were not asked for key-values."""

Element = dict[str, Any]


@dataclass(slots=True)
class Score:
    """What was found of what there is."""

    tables: int = 0
    real_tables: int = 0
    tables_told: int = 0
    cells: int = 0
    real_cells: int = 0
    keys: int = 0
    values: int = 0
    real_keys: int = 0
    keys_told: int = 0

    def add(self, other: "Score") -> None:
        """Count another document's in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        return (
            f"tables {self.tables}/{self.real_tables} ({self.tables_told} told)   "
            f"cells {self.cells}/{self.real_cells}   "
            f"keys {self.keys}/{self.real_keys} ({self.keys_told} told), {self.values} of them with the same value"
        )


async def run(_stack: RunningStack | None = None) -> None:
    """Read the documents that have real answers, and compare."""
    print("\ntables and key-values against Textract's own answers")
    corpus = os.environ.get("QUIRE_CORPUS")
    if corpus is None:
        print("  skipped: it needs QUIRE_CORPUS")
        return
    await asyncio.to_thread(_compare, Path(corpus) / "textract" / "pairs")


def _compare(folder: Path) -> None:
    total = Score()
    for document, answer in PAIRS.items():
        began = time.process_time()
        ours = list(_ours(folder / document))
        seconds = time.process_time() - began
        score = _score(ours, _real(folder / answer), forms=document not in WITHOUT_FORMS)
        total.add(score)
        print(f"  {document:30} {score}   {seconds:.1f} s of CPU")
    print(f"  {'together':30} {total}")


def _real(answer: Path) -> list[PageText]:
    answers = orjson.loads(answer.read_bytes())
    return _pages((answers[0] if isinstance(answers, list) else answers)["Blocks"])


def _ours(document: Path) -> Iterator[PageText]:
    file = DocumentFile(document, KINDS[document.suffix])
    pages = 2 if "multipage" in document.name else 1
    for page in range(1, pages + 1):
        packed = read_pages(PageRequest(file, page, numbered=True, limits=ReadingLimits(), features=FEATURES))[0].packed
        yield from _pages([orjson.loads(row) for row in zlib.decompress(packed).split(b"\n")])


def _pages(blocks: list[Element]) -> list[PageText]:
    assembler = PageAssembler()
    return [*assembler.add(blocks), *assembler.finish()]


def _score(ours: Sequence[PageText], real: Sequence[PageText], *, forms: bool) -> Score:
    score = Score()
    for mine, theirs in zip(ours, real, strict=True):
        score.real_tables += len(theirs.tables)
        score.tables_told += len(mine.tables)
        for table in theirs.tables:
            there = [each for each in mine.tables if _shared(each["box"], table["box"]) >= SAME_PLACE]
            texts = _texts(table)
            score.real_cells += texts.total()
            for same in there[:1]:
                score.tables += 1
                score.cells += (texts & _texts(same)).total()
        if forms:
            keys, told = _pairs(theirs), _pairs(mine)
            score.real_keys += len(keys)
            score.keys_told += len(told)
            found = Counter(key for key, _ in keys) & Counter(key for key, _ in told)
            score.keys += found.total()
            score.values += (Counter(keys) & Counter(told)).total()
    return score


def _texts(table: Element) -> Counter[str]:
    return Counter(text for cell in table["cells"] if (text := _letters(cell["text"])))


def _pairs(page: PageText) -> list[tuple[str, str]]:
    return [(_letters(each["key"]), _letters(each["value"])) for each in page.key_values]


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _shared(one: Element, other: Element) -> float:
    """How much two boxes share of what they cover together."""
    across = min(one["left"] + one["width"], other["left"] + other["width"]) - max(one["left"], other["left"])
    down = min(one["top"] + one["height"], other["top"] + other["height"]) - max(one["top"], other["top"])
    both = max(0.0, across) * max(0.0, down)
    return float(both / (one["width"] * one["height"] + other["width"] * other["height"] - both))
