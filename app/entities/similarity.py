"""Whether two names of a type mean the same: a score, and the reason in a word; rules by type.

A score of at least `SAME` is taken for yes. All are symmetric.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from app.entities.court_names import Court, court_of
from app.entities.mentions import EntityType
from app.entities.normal_forms import normal_form
from app.entities.organization_names import CUES, acronym
from app.entities.person_names import PersonName, parsed
from app.entities.places import STATES
from app.entities.words_of_law import is_generic

SAME = 0.85


@dataclass(frozen=True, slots=True)
class Likeness:
    """How sure it is that two names mean the same, and why."""

    score: float
    reason: str
    within_document: bool = False
    """Whether it only holds among the names of one document, where nobody else is likely to be meant."""


NONE = Likeness(0.0, "different")
ALIKE = Likeness(1.0, "same_form")

MISREAD = 0.9
"""From this likeness of spelling on, a difference in a family name or an organisation's is taken for misreading."""
SHORTEST_MISREAD = 5
"""In shorter words, one letter makes another name: Lee is not Leo."""

_STATES = frozenset(STATES.values())


def likeness(entity_type: EntityType, first: str, second: str) -> Likeness:
    """How two normal forms of a type compare; of names as they are written, their normal forms are."""
    if entity_type in _SMALL:
        first, second = _small(entity_type, first), _small(entity_type, second)
    if first == second:
        return ALIKE
    compare = _RULES.get(entity_type)
    return compare(first, second) if compare is not None else NONE


def _small(entity_type: EntityType, name: str) -> str:
    """A name's normal form, which is in small ASCII letters mostly: one that is takes no work."""
    return name if name.isascii() and name == name.lower() else normal_form(entity_type, name) or name


def _persons(one: str, other: str) -> Likeness:
    first, second = parsed(one), parsed(other)
    if first is None or second is None or (first.suffix and second.suffix and first.suffix != second.suffix):
        return NONE
    first, second = _unhyphenated(first, second), _unhyphenated(second, first)
    family = _same_word(first.family, second.family)
    if family == 0.0:
        return NONE
    suffix_told = 0.97 if first.suffix != second.suffix else 1.0
    if not first.given or not second.given:
        return Likeness(0.88 * family * suffix_told, "surname_alone", within_document=True)
    given = _given(first.given, second.given)
    if given is None:
        return NONE
    score, reason = given
    if family != 1.0:
        reason = "similar_spelling"
    elif first.suffix != second.suffix:
        reason = "suffix"
    return Likeness(score * family * suffix_told, reason, within_document=_says_little(first, second, reason))


def _unhyphenated(name: PersonName, other: PersonName) -> PersonName:
    """A double family name read as the other name has it: `okonkwo-hale` beside `okonkwo hale`."""
    *before, last = name.family.split("-")
    if not before or "-" in other.family or tuple(before) != other.given[-len(before) :]:
        return name
    return PersonName((*name.given, *before), last, name.suffix)


def _says_little(first: PersonName, second: PersonName, reason: str) -> bool:
    """Whether the likeness of two names holds only among the names of one document.

    An initial alone may stand for many, and who has no suffix may be the father of who has; across documents, two
    initials or a full name are asked for.
    """
    alone = 1 in (len(first.given[0]), len(second.given[0])) and 1 in (len(first.given), len(second.given))
    return alone or reason == "suffix"


def _given(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[float, str] | None:
    """How well given names go together, middle ones missing on one side or not; None where they contradict."""
    pairs = list(zip(first, second, strict=False))
    scores = [_same_given(one, other) for one, other in pairs]
    if any(score is None for score in scores):
        return None
    score = min(score for score in scores if score is not None)
    if len(first) != len(second):
        score *= 0.97
    if 1 in (len(first[0]), len(second[0])):
        return score, "initials"
    shortened = len(first) != len(second) or any(len(one) != len(other) for one, other in pairs)
    return score, "middle_name" if shortened else "similar_spelling"


def _same_given(one: str, other: str) -> float | None:
    if one == other:
        return 1.0
    if 1 in (len(one), len(other)):
        return 0.92 if one[0] == other[0] else None
    same = _same_word(one, other)
    return same or None


def _same_word(one: str, other: str) -> float:
    """1 for the same, about 0.95 for what a scanner makes of it, 0 for another word."""
    if one == other:
        return 1.0
    if one.replace("-", " ").replace("'", "") == other.replace("-", " ").replace("'", ""):
        return 0.99
    if min(len(one), len(other)) < SHORTEST_MISREAD:
        return 0.0
    alike = fuzz.ratio(_read_alike(one), _read_alike(other)) / 100
    if alike == 1.0:
        return 0.97
    return 0.94 if alike >= MISREAD and abs(len(one) - len(other)) <= 1 and one[0] == other[0] else 0.0


def _read_alike(word: str) -> str:
    for misread, meant in (
        ("rn", "m"),
        ("vv", "w"),
        ("0", "o"),
        ("1", "l"),
        ("|", "l"),
        ("5", "s"),
        ("i", "l"),
        ("cl", "d"),
    ):
        word = word.replace(misread, meant)
    return word


def _organizations(first: str, second: str) -> Likeness:
    courts = court_of(first), court_of(second)
    if courts[0] is not None and courts[1] is not None:
        return _courts(courts[0], courts[1])
    if _numbers(first) != _numbers(second):
        return NONE
    short, full = sorted((first, second), key=len)
    if " " in full and short.replace(" ", "") == acronym(full) and len(short) > 2:  # noqa: PLR2004 (two letters mean too much)
        return Likeness(0.9, "acronym", within_document=True)
    if first.replace(" ", "") == second.replace(" ", ""):
        return Likeness(0.97, "same_letters")
    spelled = _spelling(first, second, least=0.92)
    if spelled.score:
        return spelled
    return Likeness(0.86, "beginning", within_document=True) if _short_for(short, full) else NONE


def _courts(first: Court, second: Court) -> Likeness:
    """A circuit has one court; a district has two, and by itself means the one that a document names, or its district court."""
    if first.bench != second.bench:
        return NONE
    if first.kind == second.kind:
        return Likeness(0.97, "court")
    if first.kind and second.kind:
        return NONE
    return Likeness(0.86 if "bankruptcy" in (first.kind, second.kind) else 0.9, "court", within_document=True)


def _short_for(short: str, full: str) -> bool:
    """Whether a name is the first word of another, or its first partners, or all but the state that it is in.

    More words than one say who is meant by themselves: a league is not its players' association.
    """
    if not full.startswith(f"{short} ") or len(short) <= 3:  # noqa: PLR2004 (so few letters say little)
        return False
    alone = " " not in short and short not in _STATES and short not in CUES and not is_generic(short)
    in_state = short.endswith((" county", " parish")) and full.removeprefix(f"{short} ") in _STATES
    return alone or in_state or full.startswith(f"{short} and ")


def _places(first: str, second: str) -> Likeness:
    short, full = sorted((first, second), key=len)
    if full.startswith(f"{short}, "):
        return Likeness(0.88, "beginning", within_document=True)
    if "," in first and "," in second and first.rsplit(",", 1)[1] != second.rsplit(",", 1)[1]:
        return NONE
    return _spelling(first, second, least=0.93) if _numbers(first) == _numbers(second) else NONE


def _case_numbers(first: str, second: str) -> Likeness:
    """`17-cv-06761` is `1:17-cv-06761` where only one says which of the court's offices it is of."""
    if first.rsplit(":", 1)[-1] == second.rsplit(":", 1)[-1] and (":" in first) != (":" in second):
        return Likeness(0.9, "without_office", within_document=True)
    return NONE


def _citations(first: str, second: str) -> Likeness:
    """`556 U.S. at 678` is of the case that begins in that volume before that page, where a document cites but one."""
    short, full = sorted((first, second), key=lambda form: " at " not in form)
    source, pinned, page = short.rpartition(" at ")
    reporter, _, begins = full.rpartition(" ")
    if not pinned or source != reporter or not begins.isdigit() or int(begins) > _first_number(page):
        return NONE
    return Likeness(0.9, "short_citation", within_document=True)


def _first_number(text: str) -> int:
    number = re.match(r"\d+", text)
    return int(number[0]) if number else 0


def _spelling(first: str, second: str, *, least: float) -> Likeness:
    """Alike letter by letter, word by word: what misreading changes, not what a word more or less does."""
    ones, others = first.split(), second.split()
    if len(ones) != len(others) or _numbers(first) != _numbers(second):
        return NONE
    if any(_same_word(one, other) == 0.0 for one, other in zip(ones, others, strict=True)):
        return NONE
    score = min(fuzz.ratio(first, second) / 100, JaroWinkler.similarity(first, second))
    return Likeness(max(score, SAME), "similar_spelling") if score >= least - 0.04 else NONE


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def _addresses(first: str, second: str) -> Likeness:
    return _spelling(first, second, least=0.93)


_RULES: Mapping[EntityType, Callable[[str, str], Likeness]] = {
    EntityType.PERSON: _persons,
    EntityType.ORGANIZATION: _organizations,
    EntityType.PLACE: _places,
    EntityType.CASE_NUMBER: _case_numbers,
    EntityType.ADDRESS: _addresses,
    EntityType.CITATION: _citations,
}
"""Of the other types, only the same normal form means the same."""

_SMALL = frozenset({EntityType.PERSON, EntityType.ORGANIZATION, EntityType.PLACE, EntityType.ADDRESS})
"""Types whose normal forms have no capitals."""
