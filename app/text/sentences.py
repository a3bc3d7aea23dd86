"""Where a text may be cut: after its sentences, else between words, and where a word is endless, within it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.text.elements import Element

_END = re.compile(
    r"""[.?!…\n](?:(?<=\n)\n*+|(?<!\n)(?<![.?!…]{2})[.?!…]*+["”’')\]*†‡0-9]{0,4}\s++(?=["“‘'(\[§]*[A-Z0-9À-Þ§]))"""
)
"""What may end a sentence: a mark, quotes, brackets or a note's number after it, and a capital or a figure that begins the next.

One set of signs comes first, which is looked for faster than one thing or another. Of marks in a row only the first begins
an end, and nothing is given back: a page of dot leaders would be gone through once for each dot.
"""
_SHORT = re.compile(
    r"""(?:^|[\s("“\[])(?:
        [A-Z]|(?:[A-Z]\.)+[A-Z]?|[a-z]|(?:[a-z]\.)+[a-z]|
        Mr|Mrs|Ms|Dr|Prof|Hon|Rev|Jr|Sr|St|Messrs|
        No|Nos|Art|Sec|Secs|Fig|Vol|Ch|Cl|Ex|Exh|Dkt|Doc|Pt|Para|Rule|Tit|Ed|
        vs|v|cf|Cf|viz|al|etc|approx|ca|pp|p|para|sec|art|no|nos|fn|n|id|
        Inc|Corp|Co|Cos|Ltd|Bros|Assn|Dept|Div|Dist|Cir|Ct|App|Supp|Crim|Civ|Proc|Evid|Stat|Const|Rev|Cal|Tex|Fla|Mo|Ill|
        Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Ave|Blvd|Rd|Ste|Apt
    )\.$""",
    re.VERBOSE,
)
"""What ends in a full stop without ending a sentence: initials, titles, courts' and reporters' abbreviations, months."""
LONGEST_SHORT = 12
_GAP = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Atom:
    """A stretch of an element that is cut no further, without the blanks around it; ranges are in the element's text."""

    element: Element
    start: int
    end: int
    tokens: int

    @property
    def text(self) -> str:
        """What it says."""
        return self.element.text[self.start : self.end]


def sentence_ranges(text: str) -> Iterator[tuple[int, int]]:
    """The ranges of a text's sentences, in order, without the blanks between them; lines that were broken off end one."""
    start = 0
    for match in _END.finditer(text):
        if match.group()[0] == "." and _SHORT.search(text[max(0, match.start() - LONGEST_SHORT) : match.start() + 1]):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def atoms_of(element: Element, max_tokens: int, count: Callable[[str], int]) -> list[Atom]:
    """Cut an element into sentences, and what is longer than a chunk may be into runs of words."""
    text = element.text
    if 0 < (tokens := count(text)) <= max_tokens and tokens < SHORT_TOKENS:
        return [Atom(element, start, end, tokens) for start, end in _trimmed(text, 0, len(text))]
    atoms: list[Atom] = []
    for start, end in sentence_ranges(text):
        tokens = count(text[start:end])
        if tokens <= max_tokens:
            atoms.append(Atom(element, start, end, tokens))
        else:
            atoms += _runs(element, start, end, max_tokens, count)
    return atoms


def tail_of(atoms: list[Atom], most_tokens: int, count: Callable[[str], int]) -> list[Atom]:
    """The last atoms that have at most so many tokens; where not even the last one fits, as many of its words as do."""
    tail: list[Atom] = []
    room = most_tokens
    for atom in reversed(atoms):
        if atom.tokens > room:
            break
        tail.insert(0, atom)
        room -= atom.tokens
    if tail or not atoms or not most_tokens:
        return tail
    last = atoms[-1]
    starts = [match.end() for match in _GAP.finditer(last.element.text, last.start, last.end)]
    return [
        Atom(last.element, start, last.end, tokens)
        for start, tokens in _first_fitting(starts, lambda at: count(last.element.text[at : last.end]), most_tokens)
    ]


def _first_fitting(starts: list[int], tokens_from: Callable[[int], int], most: int) -> list[tuple[int, int]]:
    """The first of the starts from which there are few enough tokens, with their number; empty where there is none."""
    low, high = 0, len(starts)
    found: list[tuple[int, int]] = []
    while low < high:
        middle = (low + high) // 2
        tokens = tokens_from(starts[middle])
        if tokens <= most:
            found, high = [(starts[middle], tokens)], middle
        else:
            low = middle + 1
    return found


def _runs(element: Element, start: int, end: int, max_tokens: int, count: Callable[[str], int]) -> Iterator[Atom]:
    """A stretch cut in the middle, at the blank that is nearest to it, until each part is short enough."""
    text = element.text
    tokens = count(text[start:end])
    if tokens <= max_tokens or end - start == 1:
        yield Atom(element, start, end, tokens)
        return
    middle = (start + end) // 2
    gaps = [match.span() for match in _GAP.finditer(text, start, end)]
    first, second = min(gaps, key=lambda gap: abs(gap[0] - middle), default=(middle, middle))
    yield from _runs(element, start, first, max_tokens, count)
    yield from _runs(element, second, end, max_tokens, count)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The range without the blanks at its ends; nothing where it is all blanks."""
    stretch = text[start:end]
    if stretch.strip():
        yield start + len(stretch) - len(stretch.lstrip()), end - len(stretch) + len(stretch.rstrip())


SHORT_TOKENS = 40
"""An element that has fewer is not cut into sentences: an overlap may well take it whole."""
