"""The short names by which a text goes on to speak of whom it has named in full.

A filing says `Esteban Leon (“Leon”)` once and `Leon` ever after. What is named in full says what the short name means,
so that it is found wherever it stands, and is of one type throughout.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.entities.finding import Found, settled
from app.entities.mentions import EntityType
from app.entities.person_names import SUFFIXES, parsed
from app.entities.readable import Readable
from app.entities.words_of_law import is_generic

SOURCE = "echo"
SURE = 0.75
"""How sure a full name has to be to speak for its short ones."""
DEFINED, SURNAME = 0.9, 0.85

_DEFINITION = re.compile(
    r"(?:['’]s?)?[\s,]{0,3}\((?:(?:collectively|together|hereinafter|hereafter|the|or|and)[,\s]+)*[“\"]"
)
_ALIASES = re.compile(r"[“\"](?P<alias>[A-Z][\w.&'’ -]{1,40}?),?[”\"]")
_NAMES = frozenset({EntityType.PERSON, EntityType.ORGANIZATION})
_EXPLAINED = _NAMES | {EntityType.CASE_NUMBER}
SHORTEST_NUMBER = 6
"""A case number of so many characters is one wherever it stands, without a `No.` before it too."""
LONGEST_DEFINITION = 200
"""So many characters of what defines short names are read at most."""
_MOST = 400
"""So many short names are looked for in one go at most; a pattern of more would be slow."""


def with_echoes(texts: Sequence[Readable], found: Sequence[list[Found]]) -> list[list[Found]]:
    """What was found, and the short names of it: those of the same type, or of the type that the full name has."""
    names = _short_names(texts, found)
    if not names:
        return [list(each) for each in found]
    longest = sorted(names, key=lambda name: (-len(name), name))[:_MOST]
    pattern = re.compile(rf"(?<![\w@./-])(?=[A-Z0-9])(?:{'|'.join(map(re.escape, longest))})(?![\w@]|-\w)")
    return [
        settled([*_retyped(text, each, names), *_found(text, pattern, names)])
        for text, each in zip(texts, found, strict=True)
    ]


def _short_names(texts: Sequence[Readable], found: Sequence[list[Found]]) -> dict[str, tuple[EntityType, float]]:
    """Short names and what they are; one that would be both a person and an organisation is left alone."""
    names: dict[str, tuple[EntityType, float]] = {}
    doubtful = set()
    for text, each in zip(texts, found, strict=True):
        for full in each:
            if full.type in _EXPLAINED:
                for name, sure in _shorts(text.cased, full):
                    if name in names and names[name][0] is not full.type:
                        doubtful.add(name)
                    names.setdefault(name, (full.type, sure))
    return {
        name: what
        for name, what in names.items()
        if name not in doubtful and (what[0] is EntityType.CASE_NUMBER or not is_generic(name))
    }


def _shorts(text: str, full: Found) -> Iterator[tuple[str, float]]:
    if full.type is EntityType.CASE_NUMBER:
        if full.confidence >= SURE and full.end - full.start >= SHORTEST_NUMBER:
            yield text[full.start : full.end], SURNAME
        return
    definition = _DEFINITION.match(text, full.end)
    if definition is not None:
        reach = definition.end() + LONGEST_DEFINITION
        stop = text.find(")", definition.start(), reach)
        for alias in _ALIASES.finditer(text, definition.start(), stop if stop > 0 else reach):
            yield alias["alias"], DEFINED
    if full.type is EntityType.PERSON and full.confidence >= SURE:
        surname = _surname(text[full.start : full.end])
        if surname is not None:
            yield surname, SURNAME


def _surname(name: str) -> str | None:
    """The family name of a full name, as it is written there."""
    parts = parsed(name)
    if parts is None or not parts.given:
        return None
    words = [word.strip(".,") for word in re.split(r"[ \n]+", name)]
    while words and words[-1].lower() in SUFFIXES:
        words.pop()
    count = len(parts.family.split())
    family = re.split(r"[ \n]+", name.replace(",", ""))[: len(words)][-count:]
    short = " ".join(family)
    return short if len(short) > 2 and short[0].isupper() else None  # noqa: PLR2004 (two letters are initials)


def _retyped(text: Readable, found: Sequence[Found], names: dict[str, tuple[EntityType, float]]) -> Iterator[Found]:
    for each in found:
        known = names.get(text.cased[each.start : each.end])
        if known is not None and each.type in _NAMES | {EntityType.PLACE} and each.confidence < known[1]:
            yield replace(each, type=known[0], confidence=known[1])
        else:
            yield each


def _found(text: Readable, pattern: re.Pattern[str], names: dict[str, tuple[EntityType, float]]) -> Iterator[Found]:
    for match in pattern.finditer(text.cased):
        kind, sure = names[match[0]]
        # Below any name found in full: `Leon` is no find within `Esteban Leon`, nor within `Leon County`.
        yield Found(kind, *match.span(), sure * 0.7, SOURCE)
