"""Dates as documents write them, and as ISO 8601."""

import re
from datetime import date

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
            ("july", "jul"), ("august", "aug"), ("september", "sept", "sep"), ("october", "oct"), ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}  # fmt: skip
EARLIEST, LATEST = 1600, 2199

_MONTH = rf"(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})\b\.?"
_WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?"
_DIGIT = "[0-9OlI]"
"""What scanning makes of digits: 2O21, l1."""
_DAY = rf"(?P<day>[0-3lIO]?{_DIGIT})(?:st|nd|rd|th)?"
_YEAR = rf"(?P<year>[12lI][6-9OlI01]{_DIGIT}{_DIGIT})"
_MONTH_NUMBER, _DAY_NUMBER = r"(?P<month>0?[1-9]|1[0-2])", r"(?P<day>0?[1-9]|[12]\d|3[01])"

FORMS = (
    rf"{_WEEKDAY}\b{_MONTH}\s*{_DAY}\b(?:\s*,\s*|\s+){_YEAR}(?![\w-])",
    rf"{_WEEKDAY}\b{_DAY}(?:\s+day)?(?:\s+of)?\s+{_MONTH}(?:\s*,\s*|\s+)(?:A\.D\.\s+)?{_YEAR}(?![\w-])",
    r"(?<![\d/.-])(?P<year>1[6-9]\d\d|2[01]\d\d)-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])(?![\d-])",
    rf"(?<![\w/.-]){_MONTH_NUMBER}(?P<mark>[/.-]){_DAY_NUMBER}(?P=mark)(?P<year>1[6-9]\d\d|2[01]\d\d|\d\d)(?![\w/-]|\.\d)",
    rf"\b{_MONTH}(?:\s*,\s*|\s+(?:of\s+)?){_YEAR}(?![\w-])",
    rf"{_WEEKDAY}\b{_MONTH}\s+{_DAY}(?![\w:-]|,?\s*{_DIGIT}{{4}}\b)",
)
"""From the fullest to the least; in `01/11/2021` the month comes first, as courts of the United States write it."""

PATTERNS = tuple(re.compile(form, re.IGNORECASE) for form in FORMS)
YEAR = re.compile(
    r"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Aa]fter|early|late) (?:the year )?"
    r"(?P<year>1[6-9]\d\d|20\d\d)(?![\w/-]|,\d|\.\d| (?:U\.?S|F|S)\.)"
)
"""A year alone is a date only where a preposition says so."""

_DIGITS = str.maketrans("OlI", "011")
_CENTURY = 70
"""Two digits from here on are of the twentieth century."""


def date_form(text: str) -> str:
    """ISO 8601, as exact as the text is; empty for what is no date, or no day that ever was."""
    for pattern in PATTERNS:
        found = pattern.search(text)
        if found is not None:
            return iso(found)
    bare = re.fullmatch(r"\W*(1[6-9]\d\d|20\d\d)\W*", text)
    return bare[1] if bare else ""


def iso(found: re.Match[str]) -> str:
    """The ISO form of a match of one of the patterns; empty for the 31st of February."""
    parts = found.groupdict()
    month = _month(parts["month"])
    day = int(parts["day"].translate(_DIGITS)) if parts.get("day") else None
    if parts.get("year") is None:
        return f"--{month:02d}-{day:02d}" if day and _is_day(2000, month, day) else ""
    year = _year(parts["year"])
    if not EARLIEST <= year <= LATEST:
        return ""
    if day is None:
        return f"{year:04d}-{month:02d}"
    return f"{year:04d}-{month:02d}-{day:02d}" if _is_day(year, month, day) else ""


def _month(text: str) -> int:
    return int(text) if text.isdigit() else MONTHS[text.lower()]


def _year(text: str) -> int:
    year = int(text.translate(_DIGITS))
    if year >= 100:  # noqa: PLR2004 (two digits stand for four)
        return year
    return year + (1900 if year >= _CENTURY else 2000)


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
