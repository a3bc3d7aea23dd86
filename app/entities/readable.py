"""A passage as a person reads it: broken words and lines joined, capitals of captions toned down, every place kept.

What scanning and typesetting do to names is undone here once, so that no finder has to know of it.
"""

import re
from array import array
from dataclasses import dataclass, field

from app.entities.anchors import matches_at
from app.entities.captions import ROLE_LINE
from app.entities.line_numbers import line_numbers
from app.entities.organization_names import CUES
from app.entities.places import STATES
from app.entities.words_of_law import GENERIC

FULL_LINE = 40
"""A line of as many characters is taken for running text, which goes on in the next."""

LONGEST_ROLE = 60
"""So far is looked for the end of a line that may say which side a party is on."""

_NOISE = re.compile(
    r"(?P<broken>(?<=[a-z])[-\u00ad\u2010][ \t]*\n[ \t]*(?=[a-z]))"  # exam-\nple
    r"|(?P<compound>(?<=\w)[-\u2010][ \t]*\n[ \t]*(?=\w))"  # Smith-\nJones, 404-\n815
    r"|(?P<soft>\u00ad)"
    r"|(?P<rule>(?<=[ \t\n,.])\)[ \t]+(?=\S)|(?<=[ \t\n])\)[ \t]*(?=\n|$))"  # the column of a caption
    r"|(?P<blank>_{2,})"
    r"|(?P<break>[ \t]*(?:\r?\n|\f)[ \t\r\n\f]*)"
    r"|(?P<space>[ \t\u00a0\u2009]{2,}|[\t\u00a0\u2009])"
)
_NOISE_BEGINS = re.compile(r"[-\u00ad\u2010)_ \t\r\n\f\u00a0\u2009](?:(?<! )|(?=[ \t\r\n\f\u00a0\u2009]))")
"""Where noise may begin; a single blank between words is none."""
_CAPITALS = re.compile(r"(?:(?:[A-Z][A-Z'’.&-]{0,80}|&)[,;:]?(?:[ \n]+|$|\b)){2,}")
_WORD = re.compile(r"[^\W\d_]+")
_GOES_ON = re.compile(r"(?:[,&-]|\b(?:of|the|for|and|in|by|to|dba|a|an|at|v\.|vs\.|St\.))$", re.IGNORECASE)
_NAME_GOES_ON = re.compile(r"[sS]['’]$|\bthe [A-Z]{2,}$")
"""A plural's possessive, and a name in capitals that has but begun: `between the SANTA`."""
_STATES = frozenset(STATES.values())
_OWNER = re.compile(r"([A-Z]{2,})['’]S?(?![\w'’])")
LAST_WORDS = 2
"""A line of so many words at most may be the rest of a name."""
_VERSUS = re.compile(r"\W*(?:v|vs|versus|against)\W*$", re.IGNORECASE)

ALWAYS_CAPITAL = frozenset(
    [
        "LLC",
        "LLP",
        "LP",
        "PC",
        "PLLC",
        "PLC",
        "USA",
        "US",
        "USDC",
        "FBI",
        "IRS",
        "SEC",
        "EPA",
        "NFL",
        "ACLU",
        "IBM",
        "AT",
        "NA",
        "II",
        "III",
        "IV",
        "VI",
        "JR",
        "SR",
        "DBA",
        "DVA",
        "LEXIS",
        "PA",
    ]
)
ALWAYS_SMALL = frozenset(
    ["OF", "THE", "FOR", "AND", "IN", "TO", "BY", "ON", "V", "VS", "ET", "AL", "AS", "OR", "WITH", "FROM"]
)


@dataclass(frozen=True, slots=True)
class Readable:
    """A passage's text as it reads, in two casings of the same length."""

    text: str
    cased: str
    """`text` with runs of capitals in title case: CHARLES R. GOODWIN is Charles R. Goodwin."""
    places: "array[int]" = field(repr=False)
    """Where each character stands in the passage."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A range of the readable text, not empty, as a range of the passage."""
        return self.places[start], self.places[end - 1] + 1


def readable(passage: str) -> Readable:
    """Make a passage readable. Line breaks between short lines, which stand for themselves, are kept."""
    for start, end in line_numbers(passage):
        passage = passage[:start] + " " * (end - start) + passage[end:]
    pieces: list[str] = []
    places: array[int] = array("L")
    done = 0
    for noise in matches_at(_NOISE, passage, (match.start() for match in _NOISE_BEGINS.finditer(passage))):
        _take(passage, done, noise.start(), pieces, places)
        kept = _replacement(noise, passage)
        pieces.append(kept)
        places.extend([noise.start()] * len(kept))
        done = noise.end()
    _take(passage, done, len(passage), pieces, places)
    text = "".join(pieces)
    return Readable(text, toned_down(text), places)


def _take(passage: str, start: int, end: int, pieces: list[str], places: "array[int]") -> None:
    pieces.append(passage[start:end])
    places.extend(range(start, end))


def _replacement(noise: re.Match[str], passage: str) -> str:
    match noise.lastgroup:
        case "broken" | "soft":
            return ""
        case "compound":
            return "-"
        case "rule":
            return "\n"
        case "break":
            return _line_break(passage, noise.start(), noise.end())
        case _:
            return " "


def _line_break(passage: str, start: int, end: int) -> str:
    """A space where the sentence goes on in the next line, else a line break."""
    if "\n\n" in passage[start:end] or "\f" in passage[start:end]:  # a line of blanks is one that is kept apart
        return "\n"
    line = passage[passage.rfind("\n", 0, start) + 1 : start].strip()
    follows = passage[end : end + LONGEST_ROLE].split("\n", maxsplit=1)[0].strip()
    if _VERSUS.match(line) or _VERSUS.match(follows) or ROLE_LINE.match(follows) or follows.startswith(")"):
        return "\n"
    goes_on = (
        (len(line) >= FULL_LINE and not line.isupper())
        or bool(_GOES_ON.search(line) or _NAME_GOES_ON.search(line))
        or _is_end_of_name(line, follows)
        or _is_state_of_name(passage[max(start - LONGEST_ROLE, 0) : start], line, follows)
        or passage[end : end + 1].islower()
    )
    return " " if goes_on else "\n"


def _is_end_of_name(line: str, follows: str) -> bool:
    """Whether a line in capitals ends a name that the one before began: `BRIGHTWATER FREIGHT`, `SERVICES,`."""
    words, before = _WORD.findall(follows), _WORD.findall(line)
    owner = _OWNER.match(follows)
    if owner is not None:  # the name ends there, whatever it owns
        follows, words = owner[1], [owner[1]]
    if not (follows.isupper() and line.isupper() and before and 1 <= len(words) <= LAST_WORDS):
        return False
    return words[-1].lower() in CUES and (len(before) > 1 or before[0].lower() not in GENERIC)


def _is_state_of_name(before: str, line: str, follows: str) -> bool:
    """Whether a line is a state in capitals that the name of one of its bodies begins with: `TENNESSEE`, `WORKERS' COMPENSATION`."""
    if not (line.isupper() and line.lower() in _STATES and follows.isupper()):
        return False
    if _GOES_ON.search(before.rstrip().removesuffix(line).rstrip()):
        return False
    return bool(_OWNER.match(follows) or CUES.intersection(follows.lower().split()))


def toned_down(text: str) -> str:
    """Runs of words in capitals as they'd be in a sentence; the length stays. Single capital words may be acronyms."""
    return _CAPITALS.sub(lambda run: _WORD.sub(_word, run[0]) if _is_shouted(run[0]) else run[0], text)


def _is_shouted(run: str) -> bool:
    """Whether a run of capitals is more than initials and acronyms."""
    return any(len(word) > 2 and word not in ALWAYS_CAPITAL for word in _WORD.findall(run))  # noqa: PLR2004


def _word(match: re.Match[str]) -> str:
    word = match[0]
    if len(word) == 1 or word in ALWAYS_CAPITAL:
        return word if word != "S" or match.string[match.start() - 1 : match.start()] not in {"'", "’"} else "s"
    lower = word.lower()
    if len(lower) != len(word):
        return word
    return lower if word in ALWAYS_SMALL else word[0] + lower[1:]
