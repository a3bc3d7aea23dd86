"""What reading a page gave, and what is said about it between the processes. Nothing here needs the engine."""

from dataclasses import dataclass
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


Line = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class PageReading:
    """The lines of a page in reading order, and how the page has to be turned, clockwise, to stand upright."""

    lines: tuple[Line, ...] = ()
    turns: QuarterTurns = QuarterTurns.NONE

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
    """What opening a document told: the file to read pages from (a repaired copy, maybe) and how many there are."""

    file: DocumentFile
    page_count: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page to be read; `numbered` blocks carry their page, as asynchronous results do."""

    file: DocumentFile
    page: int
    numbered: bool
    limits: ReadingLimits


@dataclass(frozen=True, slots=True)
class PageBlocks:
    """The blocks of one page as compressed JSON lines, so that the parent holds and stores them without parsing."""

    packed: bytes
    block_count: int
