"""Where a pattern may match at all: found by its rarest characters, so that it isn't tried at every place of a text.

A pattern that ignores case, or begins with what may be missing, is tried at each character, which takes most of the time of
finding what is rare. What is tried at the right places alone finds the same.
"""

import re
from collections.abc import Iterable, Iterator

_SAME = str.maketrans({"\u017f": "s", "\u212a": "k", "\u0130": "i", "\u0131": "i"})
"""Letters that a pattern which ignores case takes for those of the alphabet."""


def lowered(text: str) -> str:
    """A text in small letters as a pattern that ignores case sees it; of the same length."""
    return (text if text.isascii() else text.translate(_SAME)).lower()


def places(text: str, needles: Iterable[str]) -> Iterator[int]:
    """Where some strings stand in a text, one string after the other."""
    for needle in needles:
        place = text.find(needle)
        while place >= 0:
            yield place
            place = text.find(needle, place + 1)


def matches_at(pattern: re.Pattern[str], text: str, starts: Iterable[int]) -> Iterator[re.Match[str]]:
    """What `finditer` gives, of a pattern that matches nowhere but at some `starts`; these may come in any order."""
    return matches_in_order(pattern, text, sorted(set(starts)))


def matches_from(pattern: re.Pattern[str], begins: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The same for a pattern that matches nowhere but where a simpler one does."""
    return matches_in_order(pattern, text, (match.start() for match in begins.finditer(text)))


def matches_in_order(pattern: re.Pattern[str], text: str, starts: Iterable[int]) -> Iterator[re.Match[str]]:
    """The same for starts that are in order."""
    end = 0
    for start in starts:
        match = pattern.match(text, start) if start >= end else None
        if match is not None:
            yield match
            end = match.end()
