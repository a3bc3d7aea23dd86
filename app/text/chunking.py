"""Cutting a document's body into chunks of so many tokens, along its own structure, each overlapping the one before.

Headings, and sections whose title stands in their first line, begin a chunk wherever the one before it is long enough; paragraphs, list items and table rows stay whole where
they fit, and are cut between sentences, then between words, where they don't. Headers, footers, page and line numbers are
left out. The same elements give the same chunks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from app.text.elements import BODY, Box, Element, Kind
from app.text.markers import marker_of, run_in_title
from app.text.sentences import Atom, atoms_of, tail_of

CountTokens = Callable[[str], int]
"""Counts a text's tokens, as the embedder that is to take the chunks does."""

SEPARATORS = {Kind.LIST_ITEM: "\n", Kind.TABLE_ROW: "\n"}
"""What parts two elements of the same kind; all else is parted by an empty line."""
HEADING_PATH = " > "
MOST_SKIPPED = 5
"""A section that goes on with the numbers of the last heading is so many further on at most: those between may have no title."""
HALF = 0.5


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """How long chunks are, in tokens. Raises `ValueError` where the limits leave no room for text."""

    max_tokens: int = 400
    """No chunk has more."""
    overlap_tokens: int = 50
    """A chunk begins with at most so many of the last ones of the chunk before it, but for those that a heading begins."""
    min_tokens: int = 100
    """A chunk with fewer isn't ended by a heading, or by a paragraph that would fit into the next one; the last may have fewer."""

    def __post_init__(self) -> None:
        if not (0 <= self.overlap_tokens <= self.max_tokens // 2 and 0 < self.min_tokens <= self.max_tokens):
            raise ValueError(
                "The overlap may be half of the most tokens at most, and the fewest no more than the most."
            )


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of the document, with where it stands."""

    number: int
    """From 1, in the document's order."""
    text: str
    token_count: int
    first_page: int
    last_page: int
    start: int
    end: int
    boxes: list[Box]
    """One for each line that it touches."""
    heading: str | None
    """The headings that most of it stands under, the outermost first, parted by ` > `."""


def chunk(elements: Iterable[Element], limits: ChunkLimits, count: CountTokens) -> Iterator[Chunk]:
    """Cut a document's elements into chunks, as they come; no more than a chunk is held in memory."""
    chunker = Chunker(limits)
    for element in elements:
        yield from chunker.add(element, count)
    yield from chunker.finish(count)


Path = tuple[str, ...]
"""Headings, the outermost first."""


@dataclass(slots=True)
class Chunker:
    """Takes elements in as they come, and gives chunks out as soon as they are full.

    It can be pickled between any two calls, to go on in another process.
    """

    limits: ChunkLimits
    _number: int = 0
    _atoms: list[Atom] = field(default_factory=list)
    _paths: list[Path] = field(default_factory=list)
    """The headings over each of the atoms."""
    _overlap: int = 0
    """How many of the atoms are the last of the chunk before."""
    _headings: list[tuple[int, str]] = field(default_factory=list)
    """Those in force, each with its level."""

    def add(self, element: Element, count: CountTokens) -> Iterator[Chunk]:
        """Take an element in; yields the chunks that it completed."""
        if element.kind not in BODY:
            return
        heading = self._heading_of(element)
        if heading is not None:
            if self._own_tokens() >= self.limits.min_tokens:
                yield from self._close(count, overlap=False)
            self._enter(*heading)
        atoms = atoms_of(element, self.limits.max_tokens, count)
        yield from self._make_room(sum(atom.tokens for atom in atoms), count)
        path = tuple(text for _, text in self._headings)
        for atom in atoms:
            while self._own() and self._tokens() + atom.tokens > self.limits.max_tokens:
                yield from self._close(count, overlap=True)
            self._atoms.append(atom)
            self._paths.append(path)

    def finish(self, count: CountTokens) -> Iterator[Chunk]:
        """The last chunks, once no more elements come."""
        while self._own():
            yield from self._close(count, overlap=False)

    def _make_room(self, tokens: int, count: CountTokens) -> Iterator[Chunk]:
        """End the chunk before an element that fits into the next one whole."""
        full = self._tokens() + tokens > self.limits.max_tokens
        fits = tokens + self.limits.overlap_tokens <= self.limits.max_tokens
        if full and fits and self._own_tokens() >= self.limits.min_tokens:
            yield from self._close(count, overlap=True)

    def _heading_of(self, element: Element) -> tuple[int, str] | None:
        """The level and the text of the heading that an element is, or that its own text begins with."""
        if element.kind is Kind.HEADING:
            return element.level, element.text.replace("\n", " ")
        if element.kind is Kind.TABLE_ROW or element.level > 1 or (marker := marker_of(element.text)) is None:
            return None
        if (title := run_in_title(element.text, marker)) is None:
            return None
        alike = ((level, each) for level, text in self._headings[::-1] if (each := marker_of(text)))
        level, last = next((found for found in alike if found[1].style == marker.style), (0, None))
        if last is None or not (marker.place and last.place and marker.place[:-1] == last.place[:-1]):
            return None
        goes_on = 0 < marker.place[-1] - last.place[-1] <= MOST_SKIPPED
        return (level, title.replace("\n", " ")) if goes_on else None

    def _enter(self, level: int, heading: str) -> None:
        self._headings = [each for each in self._headings if each[0] < level]
        self._headings.append((level, heading))

    def _own(self) -> list[Atom]:
        return self._atoms[self._overlap :]

    def _own_tokens(self) -> int:
        return sum(atom.tokens for atom in self._own())

    def _tokens(self) -> int:
        return sum(atom.tokens for atom in self._atoms)

    def _close(self, count: CountTokens, *, overlap: bool) -> Iterator[Chunk]:
        """Give the chunk out, and begin the next one: with what had no room in it, or a heading that would have ended it."""
        atoms, left = list(self._atoms), list[Atom]()
        while len(atoms) > self._overlap + 1 and atoms[-1].element.kind is Kind.HEADING and overlap:
            left.insert(0, atoms.pop())
        text = text_of(atoms)
        tokens, paths = count(text), self._paths[self._overlap :]
        while tokens > self.limits.max_tokens and len(atoms) > 1:
            if len(atoms) > self._overlap + 1:
                left.insert(0, atoms.pop())
            else:
                atoms, self._overlap = atoms[1:], self._overlap - 1
            text = text_of(atoms)
            tokens = count(text)
        self._number += 1
        yield _chunk(self._number, text, tokens, atoms, _path_over(atoms[self._overlap :], paths))
        begins_anew = bool(left) and left[0].element.kind is Kind.HEADING and left[0].start == 0
        again = [] if begins_anew or not (overlap or left) else tail_of(atoms, self.limits.overlap_tokens, count)
        self._atoms, self._overlap = [*again, *left], len(again)
        self._paths = [*[()] * len(again), *paths[len(paths) - len(left) :]]


def text_of(atoms: Iterable[Atom]) -> str:
    """The text of atoms in a row: those of one element as they stand in it, elements parted by line breaks."""
    parts: list[str] = []
    last: Atom | None = None
    for atom in atoms:
        if last is not None and last.element is atom.element:
            parts.append(atom.element.text[last.end : atom.end])
        else:
            alike = last is not None and last.element.kind is atom.element.kind
            separator = "" if last is None else SEPARATORS.get(atom.element.kind, "\n\n") if alike else "\n\n"
            parts.append(separator + atom.text)
        last = atom
    return "".join(parts)


def _path_over(atoms: Sequence[Atom], paths: Sequence[Path]) -> str | None:
    """The headings, from the outermost in, that each stand over more than half of what a chunk says."""
    if len(set(paths[: len(atoms)])) == 1:
        return HEADING_PATH.join(paths[0]) or None
    weights = Counter[Path]()
    for atom, path in zip(atoms, paths, strict=False):
        for depth in range(1, len(path) + 1):
            weights[path[:depth]] += atom.tokens
    most = HALF * sum(atom.tokens for atom in atoms)
    # Each of them is under the one before it.
    found = [path for path, weight in weights.items() if weight > most]
    return HEADING_PATH.join(found[-1]) if found else None


def _chunk(number: int, text: str, tokens: int, atoms: list[Atom], heading: str | None) -> Chunk:
    pieces = [piece for atom in atoms for piece in atom.element.touched(atom.start, atom.end)]
    boxes: list[Box] = []
    for piece in pieces:
        if not boxes or boxes[-1] != piece.box:
            boxes.append(piece.box)
    return Chunk(
        number=number,
        text=text,
        token_count=tokens,
        first_page=min(box["page"] for box in boxes),
        last_page=max(box["page"] for box in boxes),
        start=min(piece.start for piece in pieces),
        end=max(piece.end for piece in pieces),
        boxes=boxes,
        heading=heading,
    )
