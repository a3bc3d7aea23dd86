"""The labelled filings as the pipeline has them: their pages read from the document, and cut into its own passages.

A label stands wherever its words stand in what the engine read. The stretch that is labelled is told by its lines, so that it is
found again where the engine reads lines in another order, or a letter wrong.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import orjson

from app.entities.mentions import EntityType, Mention, Passage
from app.ocr.blocks import PageAssembler, PageText
from app.text.lines import PageContent
from app.text.passages import PassageReader
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.reading import inspect_document, read_page
from app.textract_server.readings import DocumentFile, PageRequest
from benchmarks.entity_labels import Label, Labelled, public_filings

_WORD = re.compile(r"\w+")
TELLING = 3
"""A line of so many words is of the stretch if half of its pairs of words are; a shorter one if all its words are in a row there."""
HALF = 0.5
BESIDE = -0.1
"""What a character of another line costs, where one of the stretch counts for one: a filled form's lines are among others."""

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Filing:
    """A filing as the pipeline reads it."""

    labelled: Labelled
    """Its whole text, with the labels that were found again."""
    passages: tuple[Passage, ...]
    stretch: tuple[Range, ...]
    """The ranges of its lines that are labelled: of the rest, nothing is counted."""
    not_read: int
    """How many labels stand in what the pipeline keeps apart: headers, footers, stamps."""
    not_there: int
    """How many labels' words don't stand in its text so."""

    def of_stretch(self, mentions: Sequence[Mention]) -> list[Mention]:
        """The mentions that count."""
        return [each for each in mentions if any(start <= each.start < end for start, end in self.stretch)]


def pipeline_filings(corpus: Path) -> Iterator[Filing]:
    """The filings of the labelled set; those that are scanned are read by the engine."""
    for labelled in public_filings(corpus):
        yield filing_of(labelled, _pages(corpus / "documents" / "legal" / labelled.name))


def _pages(path: Path) -> list[PageContent]:
    found = inspect_document(DocumentFile(path, DocumentKind.PDF))
    assembler = PageAssembler()
    pages: list[PageText] = []
    for number in range(1, found.page_count + 1):
        packed = read_page(PageRequest(found.file, number, numbered=True, limits=ReadingLimits())).packed
        pages += assembler.add([orjson.loads(row) for row in zlib.decompress(packed).split(b"\n")])
    return [
        PageContent(page.number, page.text, page.lines, rotation_degrees=page.rotation_degrees)
        for page in [*pages, *assembler.finish()]
    ]


def filing_of(labelled: Labelled, pages: Sequence[PageContent]) -> Filing:
    """A labelled stretch, found again on the pages of its document."""
    text = "\n".join(page.text for page in pages)
    reader = PassageReader()
    stretches = [*(each for page in pages for each in reader.add(page)), *reader.finish()]
    passages = tuple(Passage(each.text, each.start, each.page) for each in stretches)
    stretch = tuple(_stretch(text, labelled.text))
    labels = tuple(_labels(labelled, text, stretch))
    return Filing(
        labelled=replace(labelled, text=text, labels=labels),
        passages=passages,
        stretch=stretch,
        not_read=sum(not _is_read(label, passages) for label in labels),
        not_there=max(len(labelled.labels) - len(labels), 0),
    )


def _stretch(text: str, labelled: str) -> Iterator[Range]:
    """The lines of a text that are those of a labelled stretch, where most of them stand together."""
    words = _words(labelled)
    left, run = Counter(pairwise(words)), f" {' '.join(words)} "
    lines = [match.span() for match in re.finditer(r"[^\n]*\w[^\n]*", text)]
    found = [_is_left(_words(text[start:end]), left, run) for start, end in lines]
    first, last = _densest(
        [(end - start) * (1 if of_it else BESIDE) for of_it, (start, end) in zip(found, lines, strict=True)]
    )
    yield from (line for of_it, line in zip(found[first:last], lines[first:last], strict=True) if of_it)


def _is_left(words: Sequence[str], left: Counter[tuple[str, str]], run: str) -> bool:
    """Whether a line is in the stretch, and not yet taken: a stamp that is there once doesn't stand for every page's."""
    pairs = Counter(pairwise(words))
    there = pairs & left
    if len(words) < TELLING:
        return f" {' '.join(words)} " in run and there == pairs
    if there.total() < HALF * pairs.total():
        return False
    left.subtract(there)
    return True


def _densest(gains: Sequence[float]) -> Range:
    """The run of lines whose gains sum up to the most."""
    best, total, first, found = 0.0, 0.0, 0, (0, 0)
    for number, gain in enumerate(gains):
        if total <= 0:
            total, first = 0.0, number
        total += gain
        if total > best:
            best, found = total, (first, number + 1)
    return found


def _labels(labelled: Labelled, text: str, stretch: Sequence[Range]) -> Iterator[Label]:
    """Each label's words wherever they stand in the stretch, and no longer label's cover them."""
    written: Mapping[tuple[str, EntityType], None] = dict.fromkeys(
        (labelled.text[label.start : label.end], label.type) for label in labelled.labels
    )
    taken: list[Label] = []
    for words, kind in sorted(written, key=lambda each: -len(each[0])):
        for match in _pattern(words).finditer(text):
            start, end = match.span()
            of_stretch = any(first <= start < last for first, last in stretch)
            if of_stretch and all(end <= other.start or start >= other.end for other in taken):
                taken.append(Label(kind, start, end))
    return iter(sorted(taken, key=lambda label: label.start))


def _pattern(words: str) -> re.Pattern[str]:
    """Words in a row, whatever marks, breaks and numbers in the margin are between; a sign of currency and a closing
    bracket are of them.
    """
    sign = re.escape(words[0]) if words[0] in "$(" else ""
    end = r"\)" if words.endswith(")") else ""
    between = r"[^\w$]{1,8}?(?:(?<=\n)\d{1,2}\n){0,3}".join(map(re.escape, _WORD.findall(words)))
    return re.compile(rf"(?<![\w$]){sign}{between}{end}(?!\w)")


def _is_read(label: Label, passages: Sequence[Passage]) -> bool:
    return any(
        each.start <= label.start < each.start + len(each.text) and each.text[label.start - each.start].strip()
        for each in passages
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
