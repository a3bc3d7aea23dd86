"""A passage in which each name is one sign, which is what the rules read, and the way back from it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from app.entities.mentions import EntityType
from app.graph.wording import LETTERS


@dataclass(frozen=True, slots=True)
class Masked:
    """A masked text."""

    text: str
    _stops: Sequence[tuple[int, int]]
    """Where each sign begins and ends, in this text and in the one that it was made of; at first, the beginning of both."""

    def place(self, at: int) -> int:
        """Where a place outside of the signs is in the text that this was made of."""
        masked, plain = self._stops[bisect_right(self._stops, at, key=lambda stop: stop[0]) - 1]
        return plain + at - masked


def masked(text: str, names: Sequence[tuple[EntityType, int, int]]) -> Masked:
    """A text with a sign for each name, which are in order; of names that overlap, the first has one."""
    pieces, stops = list[str](), [(0, 0)]
    done = length = 0
    for number, (kind, start, end) in enumerate(names):
        if start < done:
            continue
        sign = f"⟦{LETTERS[kind]}{number}⟧"
        pieces += [text[done:start], sign]
        stops += [(length + start - done, start), (length + start - done + len(sign), end)]
        length += start - done + len(sign)
        done = end
    return Masked("".join([*pieces, text[done:]]), stops)
