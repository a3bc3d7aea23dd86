"""Whether a line at a page's edge says what one on another page says: its page's number aside, and what was misread.

Words must be the same, but for a letter in a long one. A number that is told as the page's (`Page 3 of 9`) says nothing; any other
one must be the same, or grow with the pages, as numbers do that are stamped on page after page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from rapidfuzz.distance import Levenshtein

MOST_KNOWN = 40
"""So many different lines are remembered, those that were seen last."""
MOST_CACHED = 256
"""So many are not told again: lines are compared to those of several pages, and more than once."""
FURNITURE_LETTERS, SAME_LETTERS = 4, 6
"""In so many letters of a word one may be misread: where a line comes again on the page nearby anyway, and where it is left out
because it was there before."""
MOST_OFFSET = 20
"""A page's printed number is off its count by no more, where nothing but its place tells that it is one."""
FEWEST_WORDS = 2
"""So many words stand beside a page's bare number; `Invoice 3` is a name."""
MOST_FIGURES = 15

_MARK = re.compile(
    r"\b(?:page\s?id|pages?|pg|p\.|seite)[\s.:#]*(?:no\b[\s.:#]*)?(?:\d{1,9}|[ivxl]{1,7}\b)(?:\s*(?:o?[o0]f|/|von|to|-|–)\s*\d{1,6})?",
    re.IGNORECASE,
)
_MISREAD = re.compile(r"(?<![a-z])[lio|]+(?=\d)|(?<=\d)[lio|]+(?![a-z])")
_MEANT = str.maketrans("lio|", "1101")
_FIGURES = re.compile(r"\d+")
_DATE = re.compile(r"#([/.-])#\1#")
_ROMAN = re.compile(r"[ivxl]{1,7}")
_SIGNS = "-–—|[](){}.,:;#~_ "
_MONTHS = frozenset(
    "january february march april may june july august september october november december "  # noqa: SIM905 (words read as words)
    "jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
_NAMING = _MONTHS | frozenset(
    "annex appendix article attachment bill case chapter claim count docket exhibit form invoice item lot no nos number order "  # noqa: SIM905 (words read as words)
    "part receipt schedule sec section tab title vol volume".split()
)
"""A number after one of these is no page's."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What a line says: its words, with `#` for each number, and the numbers, but for those that are told as its page's."""

    words: tuple[str, ...]
    figures: tuple[str, ...]

    @classmethod
    @lru_cache(maxsize=MOST_CACHED)
    def of(cls, text: str, page: int | None = None) -> "Saying":
        """Of a line's text; by its page's count, a bare number at either end is told as the page's, too."""
        plain = _MISREAD.sub(lambda match: match.group().translate(_MEANT), _MARK.sub(" ", text.casefold()))
        plain = plain.replace("#", " ")
        words = [word for each in plain.split() if (word := each.strip(_SIGNS))]
        if page is not None:
            words = _without_number(words, page)
        figures: list[str] = []
        for index, word in enumerate(words):
            if index in {0, len(words) - 1} and _ROMAN.fullmatch(word):
                figures.append(word)
                words[index] = "#"
            elif found := _FIGURES.findall(word):
                figures += found
                words[index] = _FIGURES.sub("#", word)
        return cls(tuple(words), tuple(figures))

    def comes_again_as(self, other: "Saying", pages_on: int) -> bool:
        """Whether it is what stands on another page, so many pages further on: its numbers may have grown with the pages."""
        if len(self.figures) != len(other.figures) or not _alike(self.words, other.words, FURNITURE_LETTERS):
            return False
        return all(
            one == two or (may_grow and _in_step(one, two, pages_on))
            for may_grow, one, two in zip(self._growing(), self.figures, other.figures, strict=True)
        )

    def _growing(self) -> Iterator[bool]:
        """Of each number whether it may grow with the pages: those of dates, and of what is named by its number, don't."""
        for index, word in enumerate(self.words):
            before, after = self.words[max(0, index - 1) : index], self.words[index + 1 : index + 2]
            is_name = _DATE.fullmatch(word) or not (_NAMING.isdisjoint(before) and _MONTHS.isdisjoint(after))
            yield from [not is_name] * word.count("#")

    def says_the_same(self, other: "Saying") -> bool:
        """Whether nothing in one is new beside the other."""
        return self.figures == other.figures and _alike(self.words, other.words, SAME_LETTERS)


@dataclass(slots=True)
class Known:
    """What has stood at the edges of pages: the lines that were seen last."""

    _sayings: list[Saying] = field(default_factory=list)

    def is_new(self, text: str, page: int) -> bool:
        """Whether a line says what none that is remembered has said; it is remembered from now on."""
        saying = Saying.of(text, page)
        found = saying if saying in self._sayings else next(filter(saying.says_the_same, self._sayings), None)
        if found is not None:
            self._sayings.remove(found)
        self._sayings.append(found or saying)
        del self._sayings[:-MOST_KNOWN]
        return found is None


def _without_number(words: list[str], page: int) -> list[str]:
    """Words without the bare number of a page at their end, or else at their beginning."""
    for ordered, step in ((words[::-1], -1), (words, 1)):
        length = 3 if _is_share(ordered[:3][::step]) else 1
        rest = ordered[length:]
        is_number = length > 1 or any(_is_near(word, page) for word in ordered[:1])
        if is_number and len(rest) >= FEWEST_WORDS and (step > 0 or rest[0] not in _NAMING):
            return rest[::step]
    return words


def _is_share(words: list[str]) -> bool:
    """Whether words are such as `3 of 9`."""
    return len(words) == 3 and words[1] in {"of", "von"} and words[0].isdecimal() and words[2].isdecimal()  # noqa: PLR2004


def _is_near(word: str, page: int) -> bool:
    if word.isdecimal():
        return len(word) <= MOST_FIGURES and not word.startswith("0") and abs(int(word) - page) <= MOST_OFFSET
    return _ROMAN.fullmatch(word) is not None


def _in_step(one: str, other: str, pages_on: int) -> bool:
    if not (one.isdecimal() and other.isdecimal()):
        return not (one.isdecimal() or other.isdecimal())
    return max(len(one), len(other)) <= MOST_FIGURES and int(other) - int(one) == pages_on


def _alike(one: tuple[str, ...], other: tuple[str, ...], letters: int) -> bool:
    """Whether words are the same, but for a letter in so many of each word or of a run of words that is parted otherwise."""
    if one == other:
        return True
    before: list[str] = ["", ""]
    for step in [*Levenshtein.opcodes(one, other), None]:
        if step is not None and step.tag != "equal":
            before[0] += "".join(one[step.src_start : step.src_end])
            before[1] += "".join(other[step.dest_start : step.dest_end])
            continue
        if Levenshtein.distance(*before) > min(map(len, before)) // letters:
            return False
        before = ["", ""]
    return True
