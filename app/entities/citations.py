"""Legal citations: cases, statutes and journals by eyecite, federal rules of procedure by their form."""

import re
from collections.abc import Iterator, Sequence

from eyecite import get_citations, resolve_citations
from eyecite.models import CitationBase, FullCaseCitation, FullCitation, FullLawCitation, ShortCaseCitation

from app.entities.anchors import lowered, matches_at, places
from app.entities.finding import Found
from app.entities.mentions import EntityType
from app.entities.readable import Readable
from app.entities.statutes import bare_sections, statute_form, statutes

SOURCE = "eyecite"
FULL, SHORT, RULE, BARE = 0.98, 0.9, 0.95, 0.8

_LOOKS_CITED = re.compile(r"\d\s+[A-Z][\w.' ]{0,40}\.?\s*§*\s*\d|§")
"""Eyecite takes some 30 ms for the shortest of texts; one without a number, a name and a number has no citation."""
_RULES = re.compile(
    r"\b(?:(?i:Fed(?:eral|\.)?\s?R(?:ules?|\.)?(?:\s?of)?\s?(?P<kind>Civ|App|Evid|Crim|Bankr)[a-z]*\.?\s?"
    r"(?:P(?:rocedure|\.)?)?)|(?P<short>FRCP|FRAP|FRE|FRCrP))\s?(?P<number>\d+(?:\.\d+)?(?:\([A-Za-z0-9]{1,4}\))*)"
)
_RULES_BEGIN = ("fed", "fr")
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


_SHORT_WORD = re.compile(
    r"(?:(?:[A-Z][\w'’-]*\.?|&|of|for|the)[ \n]){0,6}(?:Am|Ass'n|Ass’n|Assocs?|Bd|Bros|Cent|Cmty|Cnty|Co|Comm'n|Comm’n|Const|"
    r"Consol|Corp|Ctr|Dep't|Dep’t|Dev|Dist|Educ|Elec|Emp|Eng'g|Enters|Equip|Fed|Fin|Found|Gen|Grp|Hosp|Hous|Inc|Indem|Indus|Ins|"
    r"Inst|Int'l|Int’l|Inv|Ltd|Mach|Mfg|Mgmt|Mun|Mut|Nat'l|Nat’l|Pac|Pharm|Prod|Props|Pub|R|Ref|Rest|Ry|Sav|Sch|Serv|Servs|Soc|"
    r"Sys|Tech|Tel|Transp|Tr|Univ|Util)\.[ \n]$"
)
"""What a case's name begins with before a short word, at whose point eyecite takes a sentence to end: `Harbor Hosp. of …`."""
_SIGNAL = re.compile(
    r"(?:(?:See|Cf|But|Accord|Compare|Contra|In|E\.g|Also|Id|Citing|Quoting|Under)\b[.,]?[ \n]+(?:also[ \n])?)+"
)
_SHORT_WORDS_REACH = 80


class CitationFinder:
    """Finds what lawyers cite. Of `Id.` and `supra`, which name nothing themselves, it says nothing.

    A short form (`556 U.S. at 678`) is told as the case that the same texts cite in full.
    """

    def find(self, texts: Sequence[Readable]) -> list[list[Found]]:
        """What each text cites, with the names of a case's parties and the year in the range."""
        cited = [_cited(text.cased) for text in texts]
        forms = _forms([citation for those in cited for citation in those])
        return [
            [*(_found(each, text.cased, forms) for each in those), *_rules(text.cased)]
            for text, those in zip(texts, cited, strict=True)
        ]


def _cited(text: str) -> list[FullCitation | ShortCaseCitation]:
    if not _LOOKS_CITED.search(text):
        return []
    found = get_citations(_COURT.sub(_blanks, text))
    return [each for each in found if isinstance(each, FullCitation | ShortCaseCitation)]


def _forms(cited: Sequence[FullCitation | ShortCaseCitation]) -> dict[int, str]:
    """The forms of short citations whose case is cited in full, by their identity."""
    if not any(isinstance(each, ShortCaseCitation) for each in cited):
        return {}
    return {
        id(each): _form(those[0])
        for those in resolve_citations(list(cited)).values()
        for each in those
        if isinstance(each, ShortCaseCitation) and isinstance(those[0], FullCitation)
    }


def _found(citation: FullCitation | ShortCaseCitation, text: str, forms: dict[int, str]) -> Found:
    if isinstance(citation, FullCitation):
        return Found(EntityType.CITATION, *_extent(citation, text), FULL, SOURCE, _form(citation))
    return Found(EntityType.CITATION, *_span(citation), SHORT, SOURCE, forms.get(id(citation)) or _form(citation))


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
            start = _name_start(text, full_start + len(before) - len(before.lstrip(" (\n")))
    return start, year.end() if year is not None else end


def _name_start(text: str, start: int) -> int:
    """Where a case's name begins, of which a short word with its point may stand before what eyecite takes."""
    first = max(start - _SHORT_WORDS_REACH, 0)
    before = _SHORT_WORD.search(text[first:start])
    if before is None:
        return start
    signal = _SIGNAL.match(before[0])
    return first + before.start() + (signal.end() if signal is not None else 0)


def _span(citation: CitationBase) -> tuple[int, int]:
    start, end = citation.span()  # type: ignore[no-untyped-call]  # of a typed package, but for this
    return start, end


def _form(citation: FullCitation | ShortCaseCitation) -> str:
    if isinstance(citation, FullLawCitation) and citation.groups.get("subject"):
        # Eyecite's form of a code leaves out which of the state's codes it is.
        written = " ".join(citation.matched_text().split())  # type: ignore[no-untyped-call]  # of a typed package
        return statute_form(written) or written
    corrected: str = citation.corrected_citation()  # type: ignore[no-untyped-call]  # as above
    return " ".join(corrected.split())


def _rules(text: str) -> Iterator[Found]:
    for match in matches_at(_RULES, text, places(lowered(text), _RULES_BEGIN)):
        name = _RULE_NAMES[match["short"] or match["kind"].capitalize()]
        yield Found(EntityType.CITATION, *match.span(), RULE, "patterns", f"{name} {match['number']}")
    for start, end, form in statutes(text):
        yield Found(EntityType.CITATION, start, end, FULL, "patterns", form)
    for start, end, form in bare_sections(text):
        yield Found(EntityType.CITATION, start, end, BARE, "patterns", form)
