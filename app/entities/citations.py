"""Legal citations: cases, statutes and journals by eyecite, federal rules of procedure by their form."""

import re
from collections.abc import Iterator, Sequence

from eyecite import get_citations
from eyecite.models import CitationBase, FullCaseCitation, FullCitation, ShortCaseCitation

from app.entities.finding import Found
from app.entities.mentions import EntityType
from app.entities.readable import Readable

SOURCE = "eyecite"
FULL, SHORT, RULE = 0.98, 0.9, 0.95

_LOOKS_CITED = re.compile(r"\d\s+[A-Z][\w.' ]{0,40}\.?\s*§*\s*\d|§")
"""Eyecite takes some 30 ms for the shortest of texts; one without a number, a name and a number has no citation."""
_RULES = re.compile(
    r"\b(?:Fed(?:eral|\.)?\s?R(?:ules?|\.)?(?:\s?of)?\s?(?P<kind>Civ|App|Evid|Crim|Bankr)[a-z]*\.?\s?"
    r"(?:P(?:rocedure|\.)?)?|(?P<short>FRCP|FRAP|FRE|FRCrP))\s?(?P<number>\d+(?:\.\d+)?(?:\([A-Za-z0-9]{1,4}\))*)"
)
_RULE_NAMES = {
    "Civ": "Fed. R. Civ. P.",
    "App": "Fed. R. App. P.",
    "Evid": "Fed. R. Evid.",
    "Crim": "Fed. R. Crim. P.",
} | {
    "Bankr": "Fed. R. Bankr. P.",
    "FRCP": "Fed. R. Civ. P.",
    "FRAP": "Fed. R. App. P.",
    "FRE": "Fed. R. Evid.",
    "FRCrP": "Fed. R. Crim. P.",
}
_COURT = re.compile(
    r"(?<=[(\[])[^()\[\]]{1,60}?"
    r"(?=\s(?:(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?\s\d{1,2},\s)?[12]\d{3}[)\]])"
)
"""The court before a year, which no form tells. Eyecite compares it with each court that there is: most of its time."""

_YEAR = re.compile(r"[\d\s,–—&n.*-]{0,40}[(\[][^()\[\]]{0,60}\b[12]\d{3}[)\]]|(?:\([A-Za-z0-9]{1,4}\))+")
"""What follows a citation and is of it: pages and the year, or a statute's subsections. Eyecite may reach sentences further."""

_PARTIES_REACH = 200
"""How far before its reporter a case's name begins at most."""


class CitationFinder:
    """Finds what lawyers cite. Of `Id.` and `supra`, which name nothing themselves, it says nothing."""

    def find(self, texts: Sequence[Readable]) -> list[list[Found]]:
        """What each text cites, with the names of a case's parties and the year in the range."""
        return [[*_cited(text.text), *_rules(text.text)] for text in texts]


def _cited(text: str) -> Iterator[Found]:
    if not _LOOKS_CITED.search(text):
        return
    for citation in get_citations(_COURT.sub(_blanks, text)):
        if isinstance(citation, FullCitation):
            start, end = _extent(citation, text)
            yield Found(EntityType.CITATION, start, end, FULL, SOURCE, _form(citation))
        elif isinstance(citation, ShortCaseCitation):
            start, end = _span(citation)
            yield Found(EntityType.CITATION, start, end, SHORT, SOURCE, _form(citation))


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _extent(citation: CitationBase, text: str) -> tuple[int, int]:
    """The citation with the case's name before it, where eyecite's reach for it is sound, and the year after it."""
    start, end = _span(citation)
    full_start, _ = citation.full_span()
    year = _YEAR.match(text, end)
    if isinstance(citation, FullCaseCitation) and 0 <= start - full_start <= _PARTIES_REACH and full_start >= 0:
        before = text[full_start:start]
        if "\n" not in before.strip() and re.match(r"[\s(]*(?:[A-Z]|de |van |von )", before):
            start = full_start + len(before) - len(before.lstrip(" (\n"))
    return start, year.end() if year is not None else end


def _span(citation: CitationBase) -> tuple[int, int]:
    start, end = citation.span()  # type: ignore[no-untyped-call]  # of a typed package, but for this
    return start, end


def _form(citation: FullCitation | ShortCaseCitation) -> str:
    corrected: str = citation.corrected_citation()  # type: ignore[no-untyped-call]  # as above
    return " ".join(corrected.split())


def _rules(text: str) -> Iterator[Found]:
    for match in _RULES.finditer(text):
        name = _RULE_NAMES[match["kind"] or match["short"]]
        yield Found(EntityType.CITATION, *match.span(), RULE, "patterns", f"{name} {match['number']}")
