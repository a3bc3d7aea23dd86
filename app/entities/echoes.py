"""The short names by which a text goes on to speak of whom it has named in full.

A filing says `Esteban Leon (“Leon”)` once and `Leon` ever after. What is named in full says what the short name means,
so that it is found wherever it stands, and is of one type throughout.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.entities.finding import Found, settled
from app.entities.mentions import ECHO, EntityType
from app.entities.organization_names import organization_form
from app.entities.person_names import SUFFIXES, parsed
from app.entities.readable import Readable
from app.entities.words_of_law import is_generic

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
    meant = _meanings(texts, found)
    return [
        [_meant(each, text, meant) for each in settled([*_retyped(text, those, names), *_found(text, pattern, names)])]
        for text, those in zip(texts, found, strict=True)
    ]


def _meanings(texts: Sequence[Readable], found: Sequence[list[Found]]) -> dict[str, str]:
    """The forms of organisations whose defined short names several begin with: of likeness alone, none of them is meant."""
    defined: dict[str, set[str]] = {}
    for text, those in zip(texts, found, strict=True):
        for full in those:
            if full.type is EntityType.ORGANIZATION:
                for alias in _aliases(text.cased, full):
                    defined.setdefault(alias, set()).add(_form(text, full))
    if not defined:
        return {}
    forms = {
        _form(text, each)
        for text, those in zip(texts, found, strict=True)
        for each in those
        if each.type is EntityType.ORGANIZATION
    }
    return {
        alias: form
        for alias, (form, *others) in defined.items()
        if not others and any(other != form and other.startswith(f"{organization_form(alias)} ") for other in forms)
    }


def _form(text: Readable, found: Found) -> str:
    return organization_form(text.cased[found.start : found.end])


def _meant(found: Found, text: Readable, meant: dict[str, str]) -> Found:
    form = meant.get(text.cased[found.start : found.end]) if found.type is EntityType.ORGANIZATION else None
    return replace(found, normal=form, source=ECHO) if form is not None else found


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
    for alias in _aliases(text, full):
        yield alias, DEFINED
    if full.type is EntityType.PERSON and full.confidence >= SURE:
        surname = _surname(text[full.start : full.end])
        if surname is not None:
            yield surname, SURNAME


def _aliases(text: str, full: Found) -> Iterator[str]:
    """The short names that a text defines behind a full one."""
    definition = _DEFINITION.match(text, full.end)
    if definition is not None:
        reach = definition.end() + LONGEST_DEFINITION
        stop = text.find(")", definition.start(), reach)
        for alias in _ALIASES.finditer(text, definition.start(), stop if stop > 0 else reach):
            yield alias["alias"]


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
        yield Found(kind, *match.span(), sure * 0.7, ECHO)
