"""The parts of a person's name: titles off, suffix apart, the family name told from the given ones."""

import re
from dataclasses import dataclass

from app.entities.plain import plain

TITLES = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "miss",
        "mx",
        "dr",
        "prof",
        "professor",
        "hon",
        "honorable",
        "judge",
        "justice",
        "chief",
        "magistrate",
        "presiding",
        "senior",
        "associate",
        "circuit",
        "district",
        "attorney",
        "counsel",
        "sir",
        "madam",
        "rev",
        "reverend",
        "sgt",
        "sergeant",
        "officer",
        "detective",
        "lt",
        "lieutenant",
        "capt",
        "captain",
        "deputy",
        "sheriff",
        "col",
        "gen",
        "sen",
        "senator",
        "rep",
        "representative",
        "president",
        "governor",
        "gov",
        "secretary",
        "clerk",
        "plaintiff",
        "defendant",
        "defendants",
        "plaintiffs",
        "appellant",
        "appellants",
        "appellee",
        "appellees",
        "petitioner",
        "petitioners",
        "respondent",
        "respondents",
        "claimant",
        "claimants",
        "movant",
        "relator",
        "decedent",
        "debtor",
        "witness",
        "employee",
        "employer",
        "agent",
        "special",
        "trooper",
        "warden",
        "commissioner",
        "mayor",
        "ambassador",
        "minister",
        "s",
    ]
)
"""Words before a name that aren't part of it; the roles of parties among them. `s` is that of a signature: `s/`."""

SUFFIXES = {
    "jr": "jr",
    "junior": "jr",
    "sr": "sr",
    "senior": "sr",
    "ii": "ii",
    "2nd": "ii",
    "iii": "iii",
    "3rd": "iii",
} | {
    "iv": "iv",
    "v": "v",
}
DEGREES = frozenset(
    ["esq", "esquire", "phd", "md", "jd", "cpa", "dds", "rn", "pe", "j", "pj", "cj", "dj", "aj", "usdj", "usmj", "llm"]
)
PARTICLES = frozenset(
    [
        "van",
        "von",
        "der",
        "den",
        "de",
        "del",
        "della",
        "di",
        "da",
        "dos",
        "du",
        "la",
        "le",
        "st",
        "ste",
        "saint",
        "bin",
        "ibn",
        "al",
        "el",
        "ter",
        "ten",
    ]
)
"""What begins a family name of several words."""

_TOKEN = re.compile(r"[^\W\d_]+(?:['\-][^\W\d_]+)*\.?|,")
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}")
_LAST_FIRST = 2


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name in its parts, all in small letters without accents or points."""

    given: tuple[str, ...]
    """First and middle names; initials are single letters."""
    family: str
    """All of it: `st pierre`, `o'hagan wolfe` is `wolfe` after `o'hagan`."""
    suffix: str = ""
    """`jr`, `sr`, `ii`, `iii`, `iv`, `v`, or none."""

    @property
    def normal(self) -> str:
        """The name's normal form, which `parsed` reads as the same name."""
        name = " ".join((*self.given, self.family))
        return f"{name}, {self.suffix}" if self.suffix else name


def parsed(text: str) -> PersonName | None:
    """A name's parts; None for what holds no name."""
    tokens = [word.rstrip(".") for word in _TOKEN.findall(_undotted(plain(text)))]
    words, suffix = _without_suffix(_without_titles(tokens))
    names = _in_order(words)
    if not names or all(len(name) == 1 for name in names):
        return None
    given, family = _split(names)
    return PersonName(tuple(given), family, suffix)


def person_form(text: str) -> str:
    """A person's normal form: `john q smith, jr`; empty for what is no name."""
    name = parsed(text)
    return name.normal if name is not None else ""


def _undotted(text: str) -> str:
    """Initials apart: `j.r. smith` is `j r smith`; degrees together: `p.j.` is `pj`."""

    def opened(match: re.Match[str]) -> str:
        letters = match[0].replace(".", "")
        return letters if letters in DEGREES else " ".join(letters) + " "

    return _DOTTED.sub(opened, text)


def _without_titles(tokens: list[str]) -> list[str]:
    first = next((i for i, word in enumerate(tokens) if word not in TITLES and word != ","), len(tokens))
    return tokens[first:]


def _without_suffix(tokens: list[str]) -> tuple[list[str], str]:
    suffix, kept = "", list(tokens)
    if "," in kept[1:]:  # of `smith, jr, john` and `smith jr, john`
        place = next((i for i, word in enumerate(kept) if i and word in SUFFIXES and "," in kept[i + 1 :]), 0)
        suffix = SUFFIXES[kept.pop(place)] if place else ""
    while len(kept) > 1:
        last = kept[-1]
        if last == "," or last in DEGREES:
            kept.pop()
        elif last in SUFFIXES and not suffix:
            suffix = SUFFIXES[last]
            kept.pop()
        else:
            break
    return kept, suffix


def _in_order(words: list[str]) -> list[str]:
    """Given names first: `smith, john` is turned round; what else follows a comma is no name."""
    if "," not in words:
        return words
    comma = words.index(",")
    last, first = words[:comma], [word for word in words[comma + 1 :] if word != ","]
    if len(last) <= _LAST_FIRST and first and len(first) <= _LAST_FIRST and not set(first) & TITLES:
        return first + last if len(last) == 1 or last[0] in PARTICLES else last
    return last


def _split(names: list[str]) -> tuple[list[str], str]:
    place = len(names) - 1
    while place > 1 and names[place - 1] in PARTICLES:
        place -= 1
    if place == 1 and names[0] in PARTICLES:
        place = 0
    return names[:place], " ".join(names[place:])
