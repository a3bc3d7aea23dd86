"""Cases by one party's name: where `Orrin v. Pell` or `Pell, 556 U.S. at 12` is cited, `Pell` is that case, and no person."""

import re
from collections.abc import Iterable, Iterator, Sequence

from app.entities.citations import SHORT
from app.entities.finding import Found
from app.entities.mentions import EntityType
from app.entities.places import COUNTRIES, STATES
from app.entities.readable import Readable
from app.entities.words_of_law import is_generic

_PARTIES = re.compile(r"(?P<one>\w[\w'’-]+),? v\.? (?P<other>\w[\w'’-]+),? \d")
_BEFORE_SHORT = re.compile(r"\b(?P<one>[A-Z][\w'’-]+),\s$")
_REACH = 40
_PLACES = frozenset([*STATES.values(), *COUNTRIES.values()])
_NAMES = frozenset({EntityType.PERSON, EntityType.ORGANIZATION, EntityType.PLACE})


def without_cases(texts: Sequence[Readable], found: Sequence[Sequence[Found]], source: str) -> list[list[Found]]:
    """What was found, without what one source takes for a name and is that of a case which is cited in some of the texts."""
    cases = {name for text, those in zip(texts, found, strict=True) for name in _cases(text.cased, those)}
    if not cases:
        return [list(those) for those in found]
    return [
        [each for each in those if not (_is_name(each, source) and text.cased[each.start : each.end] in cases)]
        for text, those in zip(texts, found, strict=True)
    ]


def _is_name(found: Found, source: str) -> bool:
    return found.source == source and found.type in _NAMES


def _cases(text: str, found: Iterable[Found]) -> Iterator[str]:
    for each in found:
        if each.type is EntityType.CITATION:
            is_short = each.confidence == SHORT
            parties = (
                _BEFORE_SHORT.search(text, max(each.start - _REACH, 0), each.start)
                if is_short
                else _PARTIES.match(text, each.start, each.end)
            )
            for name in parties.groups() if parties is not None else ():
                if name.lower() not in _PLACES and not is_generic(name):
                    yield name
