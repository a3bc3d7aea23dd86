"""Codes of the states, by their form: `Tex. Ins. Code § 4001.003`, of which a library knows but some."""

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


def statutes(text: str) -> Iterator[tuple[int, int, str]]:
    """Where sections of codes are cited, subsections with them, and their forms without."""
    if "Code" not in text:
        return
    for match in matches_from(_CODE, _CODE_BEGINS, text):
        yield *match.span(), _form(match)


def statute_form(text: str) -> str | None:
    """The form of what cites a section of a code; None for what doesn't."""
    match = _CODE.match(text)
    return _form(match) if match is not None else None


def _form(match: re.Match[str]) -> str:
    return f"{' '.join(match['code'].split())} § {match['section']}"
