"""Blocking keys: two names are compared only if they share one.

Made so that what the rules of `similarity` take for one thing shares a key: a family name, or how it sounds where a
scanner may have misread it; an organisation's first or rarest words, or its initials; a court's circuit or
district; a place's first word.
"""

import re
from functools import lru_cache

from app.entities.court_names import court_of
from app.entities.mentions import EntityType
from app.entities.organization_names import CUES, acronym
from app.entities.person_names import parsed

MOST_KEYS = 8
LONGEST_ACRONYM = 6
EXACT = frozenset({EntityType.EMAIL, EntityType.PHONE, EntityType.DATE, EntityType.MONEY})
"""Types of which only the same normal form means the same."""

_VOWELS = re.compile(r"[aeiouyh]+")
_MISREAD = str.maketrans({"0": "o", "1": "l", "5": "s", "8": "b", "6": "b", "|": "l", "i": "l", "j": "l", "t": "l"})
"""Characters that scanning takes for each other, as one of them: what is blocked by them may differ by them."""


@lru_cache(maxsize=4096)
def keys_of(entity_type: EntityType, normal: str) -> frozenset[str]:
    """At least one key, at most `MOST_KEYS`; each begins with the type.

    A document's names are asked for more than once, and the entities of its project with each document.
    """
    keys = sorted(dict.fromkeys(_keys(entity_type, normal)), key=len, reverse=True)[:MOST_KEYS]
    return frozenset(f"{entity_type}:{key}" for key in keys or [normal])


def skeleton(word: str) -> str:
    """A word's first letter and its consonants, none twice in a row, with what is easily misread taken for the same."""
    bare = word.translate(_MISREAD).replace("rn", "m").replace("vv", "w")
    rest = _VOWELS.sub("", bare[1:])
    return re.sub(r"(.)\1+", r"\1", bare[:1] + rest)


def _keys(entity_type: EntityType, normal: str) -> list[str]:
    if entity_type in EXACT:
        return [normal]
    match entity_type:
        case EntityType.PERSON:
            return _person_keys(normal)
        case EntityType.ORGANIZATION:
            return _organization_keys(normal)
        case EntityType.CASE_NUMBER:
            return [normal.rsplit(":", 1)[-1]]
        case EntityType.CITATION:
            return [" ".join(normal.split()[:2]), normal]
        case _:
            return _word_keys(normal)


def _person_keys(normal: str) -> list[str]:
    name = parsed(normal)
    if name is None:
        return [normal]
    words = name.family.split()
    keys = [name.family, skeleton(words[-1])]
    # One who has three names may go by the middle one's or by a double family name.
    if "-" in name.family:
        keys.extend(name.family.split("-"))
    return keys


def _organization_keys(normal: str) -> list[str]:
    words = [word for word in normal.split() if word not in {"of", "the", "and", "for", "in"}]
    own = [word for word in words if word not in CUES] or words
    keys = [normal, *(skeleton(word) for word in own[:3])]
    short = normal.replace(" ", "")
    if len(words) == 1 and len(short) <= LONGEST_ACRONYM:
        keys.append(f"initials {short}")
    elif 1 < len(words) <= LONGEST_ACRONYM + 2:
        keys.append(f"initials {acronym(normal)}")
    court = court_of(normal)
    if court is not None:
        keys.append(f"court {court.bench}")
    return keys


def _word_keys(normal: str) -> list[str]:
    words = re.findall(r"\w+", normal)
    return [normal, *(skeleton(word) for word in words[:2])]
