"""What an extractor is given and what it gives back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class EntityType(StrEnum):
    """What a mention names."""

    PERSON = "person"
    ORGANIZATION = "organization"
    PLACE = "place"
    DATE = "date"
    MONEY = "money"
    CITATION = "citation"
    """A source of law, as lawyers cite it: a case by its reporter, a statute, a journal."""
    CASE_NUMBER = "case_number"
    """What a court files a case under: `8:16-cv-01261`, `No. 21-50498`."""
    EMAIL = "email"
    PHONE = "phone"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document's text that is read as one: a paragraph, a heading, a table row, or a page.

    `text` is the document's text from character `start` on, of the same length, so that a position in it is a position
    in the document. What stands inside but isn't part of it (the line numbers of pleading paper) is blanked: `passage`.
    """

    text: str
    start: int
    page: int


def passage(text: str, start: int, page: int, apart: Iterable[tuple[int, int]] = ()) -> Passage:
    """A passage without what is kept `apart`: ranges in the document's text, each replaced by as many spaces.

    Line breaks are left where they are.
    """
    characters = list(text)
    for first, end in apart:
        for place in range(max(first - start, 0), min(end - start, len(characters))):
            if characters[place] != "\n":
                characters[place] = " "
    return Passage("".join(characters), start, page)


ECHO = "echo"
"""The source of mentions that are found by what they are short for."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in a document where something is named."""

    type: EntityType
    text: str
    """As it reads: line breaks and the hyphens at them undone."""
    normal: str
    """The form by which mentions are compared (`normal_forms`), which differs by type; never empty."""
    confidence: float
    """How likely it is that the mention is one, of its type and of this extent: 0 to 1."""
    source: str
    """Which extractor found it: `spacy`, `eyecite`, `patterns`, `filings`, `echo`, or the name of a remote model."""
    start: int
    end: int
    """Its character range in the document's text."""


class EntityExtractor(Protocol):
    """Finds mentions."""

    @property
    def name(self) -> str:
        """What is told of it: a model with its version."""
        ...

    async def extract(self, passages: Sequence[Passage]) -> list[list[Mention]]:
        """The mentions of each passage, in its order, none overlapping another.

        Passages of one call are read together: a name in full explains the short ones in its neighbours, so hand over
        some pages at a time; a whole page is the best passage. Raises the errors under `EntityModelError`, of which
        those that may pass are `retryable`.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what it holds."""
        ...
