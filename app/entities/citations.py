"""Legal citations: cases, statutes and journals by eyecite, federal rules of procedure by their form."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from eyecite import get_citations
from eyecite.models import CitationBase, FullCaseCitation, FullCitation, ShortCaseCitation, TokenExtractor
from eyecite.tokenizers import AhocorasickTokenizer

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
_RULE_NAMES = {"Civ": "Fed. R. Civ. P.", "App": "Fed. R. App. P.", "Evid": "Fed. R. Evid.", "Crim": "Fed. R. Crim. P."} | {
    "Bankr": "Fed. R. Bankr. P.",
    "FRCP": "Fed. R. Civ. P.",
    "FRAP": "Fed. R. App. P.",
    "FRE": "Fed. R. Evid.",
    "FRCrP": "Fed. R. Crim. P.",
}
_PARTIES_REACH = 200
"""How far before its reporter a case's name begins at most."""


class _Tokenizer(AhocorasickTokenizer):
    """Eyecite's tokenizer, which looks at each of its thousand patterns by number, not by the text of its pattern.

    The original puts them in a set by the hash of their printed form, made anew each time: most of its time, measured.
    """

    def get_extractors(self, text: str) -> set[TokenExtractor]:
        """The patterns that may match in a text, in the order of their first sign of it."""
        bare = "".join(text.split())
        found = {id(each): each for each in self.unfiltered_extractors}
        for signs, looked_at in ((self.case_sensitive_filter, bare), (self.case_insensitive_filter, bare.lower())):
            for _, extractors in signs.iter(looked_at):
                for each in extractors:
                    found[id(each)] = each
        # Iterated over once, and nothing else, by the caller.
        return found.values()  # type: ignore[return-value]


class CitationFinder:
    """Finds what lawyers cite. Of `Id.` and `supra`, which name nothing themselves, it says nothing."""

    def find(self, texts: Sequence[Readable]) -> list[list[Found]]:
        """What each text cites, with the names of a case's parties and the year in the range."""
        return [[*_cited(text.text), *_rules(text.text)] for text in texts]


@cache
def _tokenizer() -> _Tokenizer:
    return _Tokenizer()


def _cited(text: str) -> Iterator[Found]:
    if not _LOOKS_CITED.search(text):
        return
    for citation in get_citations(text, tokenizer=_tokenizer()):
        if isinstance(citation, FullCitation):
            start, end = _extent(citation, text)
            yield Found(EntityType.CITATION, start, end, FULL, SOURCE, _form(citation))
        elif isinstance(citation, ShortCaseCitation):
            yield Found(EntityType.CITATION, *citation.span(), SHORT, SOURCE, citation.corrected_citation())


def _extent(citation: CitationBase, text: str) -> tuple[int, int]:
    """The citation with the case's name before it and the year after it, where eyecite's reach for them is sound."""
    start, end = citation.span()
    full_start, full_end = citation.full_span()
    if isinstance(citation, FullCaseCitation) and 0 <= start - full_start <= _PARTIES_REACH and full_start >= 0:
        before = text[full_start:start]
        if "\n" not in before.strip() and re.match(r"[\s(]*(?:[A-Z]|de |van |von )", before):
            start = full_start + len(before) - len(before.lstrip(" (\n"))
    return start, max(end, min(full_end, len(text)))


def _form(citation: FullCitation) -> str:
    return re.sub(r"\s+", " ", citation.corrected_citation()).strip()


def _rules(text: str) -> Iterator[Found]:
    for match in _RULES.finditer(text):
        name = _RULE_NAMES[match["kind"] or match["short"]]
        yield Found(EntityType.CITATION, *match.span(), RULE, "patterns", f"{name} {match['number']}")
