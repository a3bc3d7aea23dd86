"""Names that stand where filings put them: captions, signatures, judges, counsel, courts, companies by legal form."""

import re
from collections.abc import Iterator, Sequence

from app.entities.anchors import lowered, matches_at, matches_in_order, places
from app.entities.captions import party_ranges
from app.entities.finding import Found, trimmed
from app.entities.mentions import EntityType
from app.entities.not_names import LONGEST_NAME
from app.entities.organization_names import looks_like_organization
from app.entities.person_names import parsed
from app.entities.places import SHORT_STATES, STATES
from app.entities.readable import Readable
from app.entities.words_of_law import is_generic, without_trade

SOURCE = "filings"

# How sure each is, by judgement; `python -m benchmarks entities` prints how often the source is right as a whole.
SIGNED, PARTY, ROLE, LEGAL_FORM, COURT, BODY, CITY, STATE = 0.93, 0.94, 0.85, 0.92, 0.95, 0.9, 0.88, 0.65

# No word of a name is longer than these, and none has more hyphens: each place of a text is tried for its own, so that one
# endless word would be read to its end from each of its letters.
_W = r"(?:[A-Z][\w'’.]{0,80}[\w'’]|[A-Z]\.?)(?:-[A-Z][\w'’]{1,80}){0,4}"
_N = r"(?:[A-Z][a-zÀ-ÿ]+(?:['’][A-Z]?[a-zÀ-ÿ]+)?|[A-Z]['’][A-Z][a-zÀ-ÿ]+|(?:Mc|Mac|De|La|Le|Di|Du|Van)[A-Z][a-zÀ-ÿ]+)(?:-[A-Z][a-zÀ-ÿ]+){0,4}"
_PARTICLE = r"(?:St\.|van|von|de la|de|del|der|di|da|la|le|bin|al)"
_SUFFIX = r"(?:,? (?:Jr|Sr|JR|SR|II|III|IV)\b\.?)?"
_FULL = rf"(?:{_N}|[A-Z]\.)(?: (?:[A-Z]\.(?= )|[A-Z](?= [A-Z])|(?:{_PARTICLE} )?{_N})){{1,4}}{_SUFFIX}"

_BEFORE = re.compile(
    rf"(?:/s/|(?<![\w/])s/|\b(?:Hon\.|Honorable|(?:Chief |Presiding |Magistrate |Senior |Circuit |District )*(?:Judge|Justice):?|"
    rf"Mr\.|Mrs\.|Ms\.|Dr\.|Prof\.|Professor|Detective|Officer|Sergeant|Sheriff|Warden))[ \n]{{1,2}}"
    rf"(?P<name>{_PARTICLE} {_N}|{_FULL}|(?!St\.){_N})"
)
_ATTENTION = re.compile(
    rf"\b(?:Attn|ATTN|Attention|ATTENTION)(?:\.:?|:)[ \n]{{1,2}}(?!(?:Accounts?|Legal|Human|Claims?|Billing|Customer|General|Corporate|Office|"
    rf"Records|Contracts?|Accounting|Payroll|Risk|Vice|Chief|Managing|Public|Real|Tax|Senior)\b)(?P<name>{_FULL})"
)
"""Whom a letter is meant for at an address; a desk is no person."""
_AFTER = re.compile(
    rf"(?P<name>{_FULL}),?[ \n]{{1,2}}(?:Esq\b|Esquire\b|(?:Deputy )?Clerk\b|(?:Presiding |Chief |Circuit |District )?(?:Judge|Justice)\b|"
    rf"(?:P\.|C\.|V\.C\.)?J\.(?=[,;\s]|$)|(?:United States|U\.S\.) (?:District|Magistrate|Circuit|Bankruptcy) Judge)"
)
_PANEL = re.compile(
    rf"\bBefore:? (?P<names>{_N}(?:,? (?:and )?{_N}){{1,8}}),? (?:(?:Chief|Senior|Circuit|District|Appellate) )*(?:Judges|Justices)\b"
)
_SIDE = re.compile(
    r"\b(?:Plaintiff|Defendant|Appellant|Appellee|Petitioner|Respondent|Claimant|Debtor|Trustee|Intervenor)s?,? "
    rf"(?P<name>{_FULL})"
)
_IN_RE = re.compile(rf"\b(?i:in re|in the matter of|ex parte):? (?P<name>{_FULL})")
_APART = re.compile(
    r",\s+(?:individually|as|on behalf of|by and through)\b[a-z,\s]{0,200}(?=[A-Z]|$)|(?:^|\s)v(?:s|ersus)?\.?\s|;\s*(?:and )?|\n\s*and\b|,? and (?=[A-Z])|,?\s*et al\.?|\b(?i:dba|d/b/a|aka|a/k/a|fka|f/k/a)\b"
)

_FORM = r"(?:Inc|Incorporated|Corp|Corporation|Co|Company|LLC|L\.L\.C|LLP|L\.L\.P|LP|L\.P|PLLC|P\.L\.L\.C|P\.C|P\.A|Ltd|Limited|N\.A|PLC|GmbH|AG)"
_COMPANY = re.compile(rf"(?P<name>(?:{_W}|\d\w{{0,80}})(?:,? (?:&|of|{_W})){{0,7}}?,? {_FORM}\b\.?)(?!\w)")
_DIRECTION = r"(?:(?:Northern|Southern|Eastern|Western|Middle|Central) )?"
_ORDINAL = (
    r"First|Second|Third|Fourth|Fifth|Sixth|Seventh|Eighth|Ninth|Tenth|Eleventh|Federal|D\.C\.|\d{1,2}(?:st|nd|rd|d|th)"
)
_BENCH = (
    rf"(?:(?:{_ORDINAL}) Circuit|{_DIRECTION}District of {_N}(?: {_N}){{0,2}}|"
    r"(?:Northern|Southern|Eastern|Western|Middle|Central) District)"
)
_COURTS = (
    re.compile(
        rf"\b(?:United States|U\.S\.)\s(?:District|Bankruptcy) Court(?:,?(?:\s(?:for|of)\s(?:the\s)?|\n){_BENCH})?"
    ),
    re.compile(
        rf"\b(?:(?:United States|U\.S\.)\s)?(?:{_N} )?Court of Appeals?"
        rf"(?:(?:\s(?:for|of)\s(?:the\s)?|\n){_BENCH}|\s(?:for|of)\s(?:the\s)?{_N}(?: {_N})?)?"
    ),
    re.compile(rf"\b(?:{_ORDINAL}) Circuit\b(?! Rule)"),
    re.compile(rf"\b{_DIRECTION}District of {_N}(?: {_N}){{0,2}}"),
    re.compile(r"\b[NSEWMC]D(?:NY|CA|TX|PA|VA|IL|FL|GA|OH|MI|NC|WA|LA|TN|MO|WI|AL|MS|KY|OK|AR|WV)\b"),
)
_OF_COURTS = (("Court",), ("Appeal",), ("Circuit",), ("District of",), ())
"""What there has to be in a text that each of them is looked for in."""
_ENDS_OF_BODIES = (
    "Bank", "University", "College", "Hospital", "Association", "Commission", "Authority", "Foundation", "Institute", "Partners",
    "Holdings", "Group", "Union", "District", "Services", "Board", "Agency", "Committee", "School", "Church", "Players", "League",
    "Department", "Administration",
)  # fmt: skip
_BANK = re.compile(
    rf"(?P<name>(?:U\.S\. )?{_N}['’]?(?: (?:&|{_N}['’]?)){{0,5}} (?:{'|'.join(_ENDS_OF_BODIES)}))\b(?!\s+(?:Judge|Justice|Magistrate|Attorney)s?\b)"
)
_STATE_NAMES = "|".join(
    sorted((name.title().replace(" Of ", " of ") for name in STATES.values()), key=len, reverse=True)
)
_BODY = re.compile(
    rf"(?P<name>(?:{_N} ){{0,4}}(?:Court|Board|Bureau|Department|Commission|Office|Bank|University|College|Authority|Ministry|"
    rf"City|County|Town|Village|State|Commonwealth|People|Division|Secretary)\s(?:of|for)\s{{1,3}}(?:the\s)?(?:St\. )?{_N}['’]?"
    rf"(?:(?: (?:&|and|of))? {_N}['’]?){{0,4}}(?:(?:(?<=County)|(?<=Parish)),\s(?:{_STATE_NAMES})\b)?)"
)
_SHORT = "|".join(
    [
        *(code.upper() for code in STATES),
        *(f"{name.title()}\\." for name in SHORT_STATES),
        r"N\.Y\.",
        r"D\.C\.",
        r"N\.J\.",
    ]
)
_CITY = re.compile(rf"(?P<name>\b(?:St\. |Ft\. |Mt\. )?{_N}(?: {_N}){{0,2}},\s(?:{_STATE_NAMES}|(?:{_SHORT})(?![\w])))")
_STATE = re.compile(
    rf"\b(?P<name>{_STATE_NAMES})\b(?!['’]?s? (?:[A-Z][a-z]+ ){{0,3}}(?:Street|Avenue|Road|Boulevard|Law|Code|Act|Bar)\b)"
)
_COUNTY = re.compile(
    rf"(?P<name>\b(?:St\. )?{_N}(?: {_N})? (?:County|Parish))\b(?! (?:Court|Circuit|Sheriff|Board|Regional|Department))"
)
_COURTHOUSE = re.compile(
    rf"(?P<name>(?:(?!Circuit|Court|District|Division|Appeals){_N} ){{1,4}}(?:(?:U\.S\.|United States|Federal) )?Courthouse)\b"
)


class FilingFinder:
    """Finds what the layout and the wording of filings give away; needs no model."""

    def find(self, texts: Sequence[Readable]) -> list[list[Found]]:
        """What each text names."""
        return [list(_all(text.cased)) for text in texts]


_BEGINS = re.compile(r"[A-Z\d]")
"""What a name begins with, and so does what is before it: nothing else is tried, but for what has its own beginnings below."""
_BEFORE_BEGINS = (
    "/s/", "s/", "Hon", "Chief ", "Presiding ", "Magistrate ", "Senior ", "Circuit ", "District ", "Judge", "Justice", "Mr", "Ms.",
    "Dr.", "Prof", "Detective", "Officer", "Sergeant", "Sheriff", "Warden",
)  # fmt: skip
_ATTENTION_BEGINS = ("Attn", "ATTN", "Attention", "ATTENTION")
_IN_RE_BEGINS = ("in re", "in the matter of", "ex parte")
_JUDGES = ("Judges", "Justices")
_SIDES = ("Plain", "Defen", "Appell", "Petit", "Respon", "Claim", "Debtor", "Trust", "Interv")
_BODIES = (
    "Court", "Board", "Bureau", "Department", "Commission", "Office", "Bank", "University", "College", "Authority", "Ministry",
    "City", "County", "Town", "Village", "State", "Commonwealth", "People", "Division", "Secretary",
)  # fmt: skip

RULES = (
    (_AFTER, EntityType.PERSON, SIGNED, ("Esq", "Clerk", "Judge", "Justice", "J.")),
    (_SIDE, EntityType.PERSON, ROLE, _SIDES),
    (_COMPANY, EntityType.ORGANIZATION, LEGAL_FORM, ()),
    (_BODY, EntityType.ORGANIZATION, BODY, _BODIES),
    (_BANK, EntityType.ORGANIZATION, BODY, tuple(f" {word}" for word in _ENDS_OF_BODIES)),
    (_CITY, EntityType.PLACE, CITY, (",",)),
    (_COUNTY, EntityType.PLACE, CITY, (" County", " Parish")),
    (_COURTHOUSE, EntityType.PLACE, CITY, (" Courthouse",)),
    (_STATE, EntityType.PLACE, STATE, ()),
)
"""Patterns with what they find, and of what there has to be one in a text that they are looked for in."""


def _all(text: str) -> Iterator[Found]:
    begins = [match.start() for match in _BEGINS.finditer(text)]
    for match in matches_at(_BEFORE, text, places(text, _BEFORE_BEGINS)):
        yield from _name(text, *match.span("name"), EntityType.PERSON, SIGNED)
    for match in matches_at(_ATTENTION, text, places(text, _ATTENTION_BEGINS)):
        yield from _name(text, *match.span("name"), EntityType.PERSON, ROLE)
    for match in matches_at(_IN_RE, text, places(lowered(text), _IN_RE_BEGINS)):
        yield from _name(text, *match.span("name"), EntityType.PERSON, SIGNED)
    for pattern, kind, confidence, needed in RULES:
        for match in _matches(pattern, text, begins, needed):
            yield from _name(text, *match.span("name"), kind, confidence)
    for court, needed in zip(_COURTS, _OF_COURTS, strict=True):
        for match in _matches(court, text, begins, needed):
            yield Found(EntityType.ORGANIZATION, *match.span(), COURT, SOURCE)
    yield from _panels(text, begins)
    for start, end in party_ranges(text):
        yield from _parties(text, start, end)


def _matches(
    pattern: re.Pattern[str], text: str, begins: Sequence[int], needed: tuple[str, ...]
) -> Iterator[re.Match[str]]:
    if not needed or any(word in text for word in needed):
        yield from matches_in_order(pattern, text, begins)


def _panels(text: str, begins: Sequence[int]) -> Iterator[Found]:
    """The judges of a panel, by their family names: `Before Barksdale, Stewart, and Dennis, Circuit Judges`."""
    for match in _matches(_PANEL, text, begins, _JUDGES):
        for name in re.finditer(_N, match["names"]):
            start = match.start("names") + name.start()
            yield Found(EntityType.PERSON, start, start + len(name[0]), SIGNED, SOURCE)


def _name(text: str, start: int, end: int, kind: EntityType, confidence: float) -> Iterator[Found]:
    """A name without the words of the trade around it; nothing where only they are left."""
    start, end = without_trade(text, *trimmed(text, start, end))
    name = text[start:end]
    if end - start < 2 or is_generic(name):  # noqa: PLR2004 (a letter is no name)
        return
    if kind is EntityType.ORGANIZATION and end - start > LONGEST_NAME:
        return
    if kind is EntityType.PERSON and (looks_like_organization(name) or parsed(name) is None):
        return
    yield Found(kind, start, end, confidence, SOURCE)


def _parties(text: str, start: int, end: int) -> Iterator[Found]:
    """The names in a caption, each told to be a person's or an organisation's by its words."""
    place = start
    for apart in [*_APART.finditer(text, start, end), None]:
        stop = apart.start() if apart else end
        first, last = without_trade(text, *trimmed(text, place, stop))
        name = text[first:last]
        place = apart.end() if apart else end
        if not name or is_generic(name) or not name[0].isupper():
            continue
        if looks_like_organization(name) and len(name) <= LONGEST_NAME:
            yield Found(EntityType.ORGANIZATION, first, last, PARTY, SOURCE)
        elif re.fullmatch(_FULL, name.replace("\n", " ")):
            yield Found(EntityType.PERSON, first, last, PARTY, SOURCE)
