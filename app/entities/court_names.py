"""Courts of the United States under their many names: in full, without `for the`, by their circuit alone."""

import re
from dataclasses import dataclass
from functools import lru_cache

from app.entities.places import STATES

_ORDINALS = {
    "1st": "first", "2d": "second", "2nd": "second", "3d": "third", "3rd": "third", "4th": "fourth", "5th": "fifth",
    "6th": "sixth", "7th": "seventh", "8th": "eighth", "9th": "ninth", "10th": "tenth", "11th": "eleventh",
}  # fmt: skip
_CIRCUITS = frozenset([*_ORDINALS.values(), "federal", "dc", "district columbia"])
_LINKS = frozenset(["of", "for", "the", "in", "at"])
_APPEALS = re.compile(r"(?:court (?:appeals?) )?(?P<circuit>\w+(?: columbia)?) circuit(?: court appeals?)?")
_DISTRICT = re.compile(
    r"(?:(?P<kind>district|bankruptcy) court )?(?P<bench>(?:(?:northern|southern|eastern|western|middle|central) )?district "
    rf"(?:{'|'.join(sorted((re.sub(' of ', ' ', name) for name in STATES.values()), key=len, reverse=True))}))"
)


@dataclass(frozen=True, slots=True)
class Court:
    """A court of appeals or a trial court, by what tells it from all others."""

    bench: str
    """`tenth circuit`, `western district texas`."""
    kind: str
    """`appeals`, `district`, `bankruptcy`; empty where a name says no more than the district."""


@lru_cache(maxsize=4096)
def court_of(normal: str) -> Court | None:
    """The federal court that an organisation's normal form means; None for another's, or one that tells no bench."""
    words = [_ORDINALS.get(word, word) for word in normal.split() if word not in _LINKS]
    name = " ".join(words).removeprefix("united states ")
    appeals = _APPEALS.fullmatch(name)
    if appeals is not None:
        circuit = "dc" if appeals["circuit"] == "district columbia" else appeals["circuit"]
        return Court(f"{circuit} circuit", "appeals") if circuit in _CIRCUITS else None
    district = _DISTRICT.fullmatch(name)
    return Court(district["bench"], district["kind"] or "") if district is not None else None
