"""Statutes and rules by their form, of which a library knows but some.

`Tex. Ins. Code § 4001.003`, `Government Code Section 12990`, `17 C.F.R. § 240.10b-5`, `Rule 24.035`, `§ 565.253`.
"""

import re
from collections.abc import Iterator

from app.entities.anchors import matches_from

_STATES = (
    r"Ala|Alaska|Ariz|Ark|Cal|Colo|Conn|D\.C|Del|Fla|Ga|Haw|Idaho|Ill|Ind|Iowa|Kan|Ky|La|Mass|Md|Me|Mich|Minn|Miss|Mo|Mont|"
    r"N\.C|N\.D|N\.H|N\.J|N\.M|N\.Y|Neb|Nev|Ohio|Okla|Or|Pa|R\.I|S\.C|S\.D|Tenn|Tex|Utah|Va|Vt|W\. ?Va|Wash|Wis|Wyo"
)
_SUBJECT = r"(?:(?:[A-Z][a-z]*\.?|&|and)\s){0,5}"
_CODE = re.compile(
    rf"\b(?P<code>(?:{_STATES})\.?\s{_SUBJECT}Code)(?:\sAnn\.?)?,?\s(?:§+|[Ss]ec(?:tion|\.))\s?"
    r"(?P<section>\d+(?:[.:-]?\w+)*)(?:\([A-Za-z0-9]{1,4}\))*"
)
_CODE_BEGINS = re.compile(r"[ACDFGHIKLMNOPRSTUVW](?<!\w.)")


_SECTION = r"(?P<section>\d+[A-Za-z]{0,3}(?:[.:-]\d+[A-Za-z]{0,3}){0,5})"
_REST = r"(?:\([A-Za-z0-9]{1,4}\)){0,8}(?![\w-])"
"""Subsections, and no more of a number."""
_FEDERAL = re.compile(
    rf"(?<![\w.])(?P<title>\d{{1,2}})\s(?P<code>U\.\s?S\.\s?C\.(?:\s?A\.)?|C\.\s?F\.\s?R\.)\s§§?\s?{_SECTION}{_REST}"
)
_TITLE = r"\b(?:Title\s(?P<title>\d{1,2}),?\s)?"
_NAMED_CODE = re.compile(
    rf"{_TITLE}(?P<code>(?:(?!(?:The|See|Under|In|By|To|Of|And|Also|Per|With|That|This|Title)\b)[A-Z][a-z]{{1,30}}\s(?:(?:and|&)\s)?){{1,5}}"
    r"Code(?:\sof\s[A-Z][a-z]{1,30}(?:\s[A-Z][a-z]{1,30})?)?),?\s(?:Chapter\s\d{1,4}[A-Z]?,?\s)?(?:§§?|[Ss]ections?|[Ss]ecs?\.)\s?"
    rf"{_SECTION}{_REST}"
)
_SUBJECTS = (
    "Business and Professions", "Civil", "Commercial", "Corporations", "Education", "Elections", "Evidence", "Family", "Government",
    "Health and Safety", "Insurance", "Internal Revenue", "Labor", "Penal", "Probate", "Public Contract", "Public Resources",
    "Public Utilities", "Revenue and Taxation", "Streets and Highways", "Vehicle", "Water", "Welfare and Institutions",
)  # fmt: skip
_KNOWN_CODE = re.compile(
    rf"{_TITLE}(?P<code>(?:[A-Z][a-z]{{1,30}}\s)?(?:{'|'.join(subject.replace(' ', chr(92) + 's') for subject in _SUBJECTS)})\sCode),?\s"
    rf"{_SECTION}{_REST}"
)
"""Of these, a number right behind is a section: that of another may be its year, and the code no law."""
_RULE = re.compile(
    r"(?<!Circuit )(?<!Local )\bRule\s(?P<number>\d{1,3}(?:\.\d{1,3}){1,2}(?:\([A-Za-z0-9]{1,4}\)){0,8})(?![\w-])"
)
"""Of a state's rules of procedure; a court's own say how it works, and are no law."""
_BARE = re.compile(rf"§§?\s?(?P<section>\d{{3,5}}[a-z]{{0,2}}(?:\.\d{{1,5}}[a-z]?){{0,3}}){_REST}")
"""Of a few digits alone, it may be a contract's own."""
_BEFORE_BARE = re.compile(r"(?:^|\b(?:[a-z]+|See|Under),?\s|[(“\"])$")
"""No code that has no known form, and that it would be cut off from."""
_LONGEST_WORD = 30

Cited = tuple[int, int, str]


def statutes(text: str) -> Iterator[Cited]:
    """Where sections of codes and rules are cited, subsections with them, and their forms: those of sections without."""
    if "Code" in text:
        for match in matches_from(_CODE, _CODE_BEGINS, text):
            yield *match.span(), _form(match)
        for pattern in (_NAMED_CODE, _KNOWN_CODE):
            for match in pattern.finditer(text):
                title = f"Title {match['title']}, " if match["title"] else ""
                yield *match.span(), f"{title}{_form(match)}"
    if "§" in text:
        for match in _FEDERAL.finditer(text):
            yield *match.span(), f"{match['title']} {''.join(match['code'].split())} § {match['section']}"
    if "Rule" in text:
        for match in _RULE.finditer(text):
            yield *match.span(), f"Rule {match['number']}"


def bare_sections(text: str) -> Iterator[Cited]:
    """Sections that are cited without their code: `in violation of § 565.253`."""
    for match in _BARE.finditer(text) if "§" in text else ():
        if _BEFORE_BARE.search(text, max(match.start() - _LONGEST_WORD, 0), match.start()):
            yield *match.span(), f"§ {match['section']}"


def statute_form(text: str) -> str | None:
    """The form of what cites a section of a code; None for what doesn't."""
    match = _CODE.match(text)
    return _form(match) if match is not None else None


def _form(match: re.Match[str]) -> str:
    return f"{' '.join(match['code'].split())} § {match['section']}"
