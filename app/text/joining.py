"""Putting lines together: words that were broken at a line's end are whole again, and each piece knows where it is from."""

import re
from dataclasses import dataclass, field

from app.text.elements import Piece
from app.text.lines import Part

HYPHENS = "-\u2010\xad"
SOFT_HYPHEN = "\xad"
MOST_WORDS_KNOWN = 20_000
"""Words of a document that are kept to decide by: the first ones, which are most of those that come again."""
LONGEST_WORD = 200
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_BROKEN = re.compile(rf"(?:^|[^{HYPHENS}\w])((?:\w+[-\u2010])*[^\W\d_]+)[{HYPHENS}]$")
_BEGINS = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_KEEPING = (
    "all anti bi co counter cross ex half high inter intra long low mid multi neo no non off one pan post pre pro pseudo "
    "quasi re self semi short so sub third three two ultra un under vice well year"
)
"""First parts of words that keep their hyphen, where the document itself doesn't say."""
_LINKING = frozenset("a and as at by for in of on or the to".split())  # noqa: SIM905 (words read as words)
"""What stands between hyphens in `state-of-the-art`."""


@dataclass(slots=True)
class Vocabulary:
    """The words of a document so far: they tell a hyphen that is part of a word from one that broke it."""

    words: set[str] = field(default_factory=set)
    keeping: frozenset[str] = frozenset(_KEEPING.split())

    def learn(self, text: str) -> None:
        """Take in the words of a page."""
        if len(self.words) < MOST_WORDS_KNOWN:
            self.words.update(_WORD.findall(text.casefold().replace("\u2010", "-")))

    def keeps_hyphen(self, before: str, after: str) -> bool:
        """Whether a word that is broken after its hyphen has that hyphen within a line, too.

        What the document says elsewhere decides. Else one does whose second half has a hyphen itself: `breach-` and
        `of-contract`.
        """
        before, after = (half.casefold().replace("\u2010", "-") for half in (before, after))
        last, next_part = before.rpartition("-")[2], after.partition("-")[0]
        if not self.words.isdisjoint({f"{before}-{after}", f"{last}-{after}", f"{last}-{next_part}"}):
            return True
        if not self.words.isdisjoint({before + after, last + after, last + next_part}):
            return False
        return "-" in after or last in self.keeping or (last != before and last in _LINKING)


@dataclass(slots=True)
class Composition:
    """A text under way, with its pieces."""

    vocabulary: Vocabulary
    text: str = ""
    pieces: list[Piece] = field(default_factory=list)

    def add(self, part: Part, separator: str = " ") -> None:
        """Add a line, or a part of one; no separator is put where a word goes on."""
        if self.pieces and separator == " ":
            separator = self._mend(part.text)
        self.text += separator if self.pieces else ""
        self.pieces.append(Piece(len(self.text), part.start, part.end, part.box))
        self.text += part.text

    def _mend(self, following: str) -> str:
        """What goes before the next line: nothing where this one ends in a hyphen, which goes if it only broke the word."""
        if self.text[-1] not in HYPHENS:
            return " "
        # At the end alone: of a long paragraph, each line would else cost a look at all lines before it.
        broken, begins = _BROKEN.search(self.text, max(0, len(self.text) - LONGEST_WORD)), _BEGINS.match(following)
        if self.text.endswith(SOFT_HYPHEN) or (
            broken and begins and following[0].islower() and not self.vocabulary.keeps_hyphen(broken[1], begins[0])
        ):
            self._drop_last()
            return ""
        is_compound = len(self.text) > 1 and self.text[-2].isalnum() and following[0].isalnum()
        return "" if is_compound else " "

    def _drop_last(self) -> None:
        self.text = self.text[:-1]
        last = self.pieces[-1]
        self.pieces[-1] = Piece(last.at, last.start, last.end - 1, last.box)
