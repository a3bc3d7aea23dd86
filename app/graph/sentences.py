"""Where sentences begin and end in a passage, in the writing of lawyers, who abbreviate a lot."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.entities.anchors import matches_from

FULL_LINE = 40
"""A line of as many characters is taken for running text, which goes on in the next."""

LONGEST = 2000
"""A longer sentence is none, but a table or a list without points, and is cut at a line's end."""

LONGEST_WORD = 25
"""So many characters of a word tell whether it is an abbreviation."""

_END = re.compile(
    r"(?P<stop>[.?!][\"”’')\]]{0,2})\s+(?=[\"“‘'(\[]?[A-Z0-9§])|(?P<break>(?<![ \t])[ \t]*\n(?:[ \t]+\n)*\n?)|(?P<page>\f)"
)
_END_BEGINS = re.compile(r"[.?!\n\f \t](?:(?<![ \t])|(?<![ \t].)(?=[ \t]*\n))")
"""Where an end may begin; a blank between words is none."""
_FOLLOWS = re.compile(r"[ \t]*(\S?)")
_ITEM_ENDS = re.compile(r";(?: and| or)?$")
_ITEM = re.compile(r"[ \t]*\((?:[a-z]{1,3}|\d{1,2})\)\s")
"""Of a list in one sentence each item is told by itself."""
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Hon|Prof|Rev|Sgt|Lt|Capt|Gov|Sen|Rep|Jr|Sr|Esq|St|No|Nos|Inc|Corp|Co|Ltd|Bros|Ass'n|Dep't|vs?|cf|"
    r"al|seq|Id|Ex|Exh|Dkt|Doc|Art|Sec|Ch|Cl|Para|Fed|Civ|Crim|App|Evid|Bankr|Supp|Cir|Dist|Div|Ct|Cl|Rptr|Rev|Stat|Ann|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Ala|Ariz|Ark|Cal|Colo|Conn|Del|Fla|Ga|Ill|Ind|Kan|Ky|La|Mass|Md|"
    r"Mich|Minn|Miss|Mo|Mont|Neb|Nev|Okla|Ore|Pa|Tenn|Tex|Va|Wash|Wis|approx|e\.g|i\.e|p|pp|n|[A-Z])|(?:\b[A-Z]\.)+[A-Z]?)\.$"
)
_GOES_ON = re.compile(r"(?:[,;&–—-]|\b(?:of|the|for|and|in|by|to|dba|a|an|at|v\.|vs\.))$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of a passage, as the places where they begin."""

    starts: Sequence[int]
    length: int

    def at(self, start: int, end: int) -> tuple[int, int]:
        """From the beginning of the sentence that has `start` to the end of the one that has what is before `end`."""
        first = bisect_right(self.starts, start) - 1
        last = bisect_right(self.starts, max(end - 1, start)) - 1
        stop = self.starts[last + 1] if last + 1 < len(self.starts) else self.length
        return self.starts[max(first, 0)], stop

    def number(self, place: int) -> int:
        """Which sentence a place is in, from 0."""
        return max(bisect_right(self.starts, place) - 1, 0)


def sentences(text: str, whole: Sequence[tuple[int, int]] = ()) -> Sentences:
    """Tell the sentences of a text apart; none ends within a range of `whole` (names, citations), which are in order."""
    starts = [0]
    for end in _ends(text, whole):
        if text[starts[-1] : end].strip():
            starts.append(end)
    return Sentences(starts, len(text))


def _ends(text: str, whole: Sequence[tuple[int, int]]) -> Iterator[int]:
    firsts = [start for start, _ in whole]
    begun = 0
    for match in matches_from(_END, _END_BEGINS, text):
        place = bisect_right(firsts, match.start()) - 1
        if place >= 0 and match.start() < whole[place][1] - 1:
            continue
        if _is_end(text, match, begun):
            begun = match.end()
            yield match.end()


def _is_end(text: str, match: re.Match[str], begun: int) -> bool:
    if match["page"]:
        return True
    if match["stop"]:
        return match["stop"] != "." or not _ABBREVIATED.search(_last_word(text, match.start() + 1))
    # A line of blanks is one whose number or other column is kept apart: only a line without anything ends a paragraph.
    if match.end() - begun > LONGEST or "\n\n" in match["break"]:
        return True
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
    if _ITEM_ENDS.search(line) and _ITEM.match(text, match.end()):
        return True
    follows = _FOLLOWS.match(text, match.end())
    return not (len(line) >= FULL_LINE or _GOES_ON.search(line) or (follows and follows[1].islower()))


def _last_word(text: str, end: int) -> str:
    """What stands before a place without a blank, as far as the longest abbreviation goes back."""
    return text[max(end - LONGEST_WORD, 0) : end].rsplit(maxsplit=1)[-1]
