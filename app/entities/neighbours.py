"""Short passages that follow each other, read as one: a caption's lines, a signature with the address below it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.entities.mentions import Passage

SHORT = 300
"""A passage of fewer characters may be a line that only its neighbours explain."""

LONGEST = 3000
"""So many characters are read as one at most."""

WIDEST_GAP = 80
"""What lies between neighbours at most: line breaks, and what is kept apart, as a page's number."""


def neighbourhoods(passages: Sequence[Passage]) -> Iterator[tuple[Passage, range]]:
    """Passages, short neighbours made one, each with the numbers of those that it is made of.

    What lay between two of them is a line break and blanks, so that positions stay those in the document.
    """
    first = 0
    while first < len(passages):
        last = first + 1
        while last < len(passages) and _are_near(passages[first], passages[last - 1], passages[last]):
            last += 1
        yield _one(passages[first:last]), range(first, last)
        first = last


def _are_near(first: Passage, before: Passage, after: Passage) -> bool:
    gap = after.start - before.start - len(before.text)
    return (
        0 < gap <= WIDEST_GAP
        and max(len(before.text), len(after.text)) < SHORT
        and after.page == first.page
        and after.start + len(after.text) - first.start <= LONGEST
    )


def _one(passages: Sequence[Passage]) -> Passage:
    pieces = [passages[0].text]
    for before, after in pairwise(passages):
        gap = after.start - before.start - len(before.text)
        pieces += ["\n", " " * (gap - 1), after.text]
    return Passage("".join(pieces), passages[0].start, passages[0].page)
