"""The numbers that courts file cases under."""

import re
from collections.abc import Iterator

from app.entities.anchors import matches_from

_TYPES = "cv|cr|mc|mj|md|ml|ap|bk|po|sw|gj|civ|crim|mdl"
_DASH = r"\s?[-–\u2010]\s?"
FEDERAL = re.compile(
    rf"(?<![\w-])(?:(?P<office>\d{{1,2}})\s?:\s?)?(?P<year>\d{{2}}|\d{{4}}){_DASH}(?P<type>(?i:{_TYPES})){_DASH}"
    r"(?P<number>\d{1,6})(?P<rest>(?:[-–\u2010][A-Z]{1,4}x?)*(?: [A-Z]{2,4}(?= ?\())?(?:\s?\([A-Za-z]{2,5}\))?)(?!\w)",
)
"""Of federal district courts: `8:16-cv-01261-DOC-KES`, `17-cv-6761`."""

LABELLED = re.compile(
    r"\b(?P<label>(?:(?:Case|Docket|Cause|Civil(?: Action)?|Criminal(?: Action)?|Appeal|Appellate Case|Index|File|"
    r"State File|Adversary(?: Proceeding)?)(?:\s+(?:Nos?|Number|Num))?|USDC No|C\.\s?A\. No|Nos?)"
    r"\s?[.:#]*\s?[:#]?\s?)(?P<number>(?:[A-Z]{1,4}[-\s]?)?\d[\dA-Z]*(?:[-/–:](?:\d[\dA-Z]*|[A-Z]{1,4}\d*))*)(?![\w/]|-\w)",
)
"""After what says that a number follows: `Docket No. 2017-03-1235`, `No. ED108783`."""

_FEDERAL_BEGINS = re.compile(r"\d(?<![\w-].)")
_LABEL_BEGINS = re.compile(r"[CDIAFSUN](?<!\w.)")

NOT_CASES = re.compile(
    r"\b(?:bar|contract|policy|account|invoice|exhibit|page|rule|section|article|chapter|form|order|license|permit|"
    r"patent|serial|claim|check|local|amendment|count|document|doc|dkt|ecf|ordinance|resolution|route|unit|suite|"
    r"apartment|apt|room|box|register|registration|tax id|id|ein|badge|inmate|lot|model|part|publication|pub|phone|tel)"
    r"\.?\s*$",
    re.IGNORECASE,
)
"""Words before `No.` that say that the number is something else's."""

_DOCKET = re.compile(r"\d{2,4}[-–/]\d{2,}|[A-Z]{1,4}-?\d{4,}|\d{2,4}[A-Z]{1,4}\d{3,}|\d{2,}-[A-Z]{1,4}-?\d+")
_STRONG_LABEL = re.compile(r"case|docket|cause|civil|criminal|appeal|index|usdc|adversary|action", re.IGNORECASE)
_ZEROES = 5


def federal(text: str) -> Iterator[re.Match[str]]:
    """What `FEDERAL` matches."""
    return matches_from(FEDERAL, _FEDERAL_BEGINS, text)


def labelled(text: str) -> Iterator[re.Match[str]]:
    """What `LABELLED` matches."""
    return matches_from(LABELLED, _LABEL_BEGINS, text)


def case_number_form(text: str) -> str:
    """A case number without judges' initials, the number of a federal case filled to five digits."""
    federal = FEDERAL.search(text)
    if federal is not None:
        office = f"{int(federal['office'])}:" if federal["office"] else ""
        kind = {"civ": "cv", "crim": "cr"}.get(federal["type"].lower(), federal["type"].lower())
        return f"{office}{federal['year'][-2:]}-{kind}-{federal['number'].zfill(_ZEROES)}"
    labelled = LABELLED.search(text)
    bare = labelled["number"] if labelled else text
    return re.sub(r"[\s#]+", "", bare.upper().replace("–", "-").replace("\u2010", "-")).strip(".,:;")


def is_docket(label: str, number: str) -> bool:
    """Whether what follows a label is a case's number: by the label, or by the number's own form."""
    digits = sum(character.isdigit() for character in number)
    if _STRONG_LABEL.search(label):
        return digits >= 3  # noqa: PLR2004 (no court has so few cases that two digits do)
    return bool(_DOCKET.search(number))
