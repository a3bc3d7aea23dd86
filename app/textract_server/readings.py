"""What reading a page gave, and what is said about it between the processes. Nothing here needs the engine."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.textract_server.geometry import Box, QuarterTurns
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits


@dataclass(frozen=True, slots=True)
class Word:
    """One word, its confidence from 0 to 100, and its box in the upright page from 0 to 1."""

    text: str
    confidence: float
    box: Box
    handwritten: bool = False


class ReadBy(StrEnum):
    """How a page was read: from its own text, or by its looks, and then by which engine."""

    TEXT_LAYER = "text_layer"
    TESSERACT = "tesseract"
    SECOND_OPINION = "second_opinion"


Line = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; rows and columns count from 1, and words are those of the page's lines that stand in it."""

    row: int
    column: int
    row_span: int
    column_span: int
    words: tuple[Word, ...]
    is_header: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its edges in the upright page from 0 to 1, from the top and from the left, and its cells by row and column.

    `confidence` says how sure it is that it is a table, from 0 to 100.
    """

    row_edges: tuple[float, ...]
    column_edges: tuple[float, ...]
    cells: tuple[Cell, ...]
    confidence: float

    def box(self) -> Box:
        """Where the table stands."""
        return self.place(1, 1, len(self.row_edges) - 1, len(self.column_edges) - 1)

    def place(self, row: int, column: int, row_span: int = 1, column_span: int = 1) -> Box:
        """Where a cell stands; rows and columns count from 1."""
        top, bottom = self.row_edges[row - 1], self.row_edges[row - 1 + row_span]
        return Box(self.column_edges[column - 1], top, self.column_edges[column - 1 + column_span], bottom)


@dataclass(frozen=True, slots=True)
class Selection:
    """A checkbox, whether it is ticked, and how sure that is, from 0 to 100."""

    box: Box
    is_selected: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A label of a form and what stands beside it, words or a checkbox; confidence from 0 to 100."""

    key: tuple[Word, ...]
    value: tuple[Word, ...]
    confidence: float
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class PageReading:
    """The lines of a page in reading order, and how the page has to be turned, clockwise, to stand upright.

    Tables and key-values are there only where they were asked for; their words are those of the lines, the same objects.
    """

    lines: tuple[Line, ...] = ()
    turns: QuarterTurns = QuarterTurns.NONE
    tables: tuple[Table, ...] = ()
    key_values: tuple[KeyValue, ...] = ()
    selections: tuple[Selection, ...] = ()
    read_by: ReadBy = ReadBy.TESSERACT
    is_blank: bool = False

    @property
    def facts(self) -> "ReadingFacts":
        """What is said about the reading without its words."""
        return ReadingFacts(self.read_by, self.confidence, self.evidence, self.turns, self.is_blank)

    @property
    def word_count(self) -> int:
        """How many words were read."""
        return sum(map(len, self.lines))

    @property
    def confidence(self) -> float:
        """Mean confidence over the text's characters: long words count for more than specks. 0 for an empty page."""
        characters = sum(len(word.text) for line in self.lines for word in line)
        total = sum(word.confidence * len(word.text) for line in self.lines for word in line)
        return total / characters if characters else 0.0

    @property
    def evidence(self) -> float:
        """How much was read with confidence: the measure by which two readings of one page are compared."""
        return sum(len(word.text) * (word.confidence - 50) for line in self.lines for word in line)


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A document on the local disk."""

    path: Path
    kind: DocumentKind


@dataclass(frozen=True, slots=True)
class Inspection:
    """What opening a document told: the file to read pages from (a repaired copy, maybe) and how many there are.

    `pages` are the first ones, where they were read at once.
    """

    file: DocumentFile
    page_count: int
    pages: tuple["PageBlocks", ...] = ()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page to be read; `numbered` blocks carry their page, as asynchronous results do.

    `features` are those of Textract's that are wanted beside the text: `TABLES`, `FORMS`. With a `count` above one the
    pages that follow may be read too.
    """

    file: DocumentFile
    page: int
    numbered: bool
    limits: ReadingLimits
    features: frozenset[str] = frozenset()
    count: int = 1


@dataclass(frozen=True, slots=True)
class ReadingFacts:
    """How a page was read and how well, for those who don't see its words; as the members of `PageReading` of the same names."""

    read_by: ReadBy
    confidence: float
    evidence: float
    turns: QuarterTurns
    is_blank: bool


@dataclass(frozen=True, slots=True)
class PageBlocks:
    """The blocks of one page as compressed JSON lines, so that the parent holds and stores them without parsing.

    `seconds` is how long the page process took.
    """

    packed: bytes
    block_count: int
    facts: ReadingFacts | None = None
    seconds: float = 0.0
