"""Dates as documents write them, and as ISO 8601."""

import re
from collections.abc import Iterator
from datetime import date

from app.entities.anchors import lowered, matches_at, places

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

_MONTHS_BEGIN = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS_BEGIN = ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")
_DAY_FIRST, _YEAR_FIRST, _FIGURES, _WITHOUT_DAY = 1, 2, 3, 4
"""Of the forms, those that don't begin with a weekday or a month."""
_DAY_BEGINS = re.compile(r"\b[0-9OoLlIi\u0130\u0131]")
_WIDE = re.compile(r"\s{12}")
_BEFORE_MONTH = 64
"""A day stands so many characters before its month at most, where no blank in between is wide."""
_YEAR_FIRST_BEGINS = re.compile(r"[12]\d{3}-")
_FIGURES_BEGIN = re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-]\d\d")
_LONE_YEAR = re.compile(r" [12]\d{3}")
_BEFORE_YEAR = ("In", "in", "Since", "since", "Until", "until", "After", "after", "early", "late")

_DIGITS = str.maketrans("OlI", "011")
_CENTURY = 70
"""Two digits from here on are of the twentieth century."""


def dates(text: str) -> Iterator[re.Match[str]]:
    """What the patterns match, of one pattern after the other: `finditer` would look for each at every character."""
    small = lowered(text)
    months = list(places(small, _MONTHS_BEGIN))
    weekdays = list(_weekdays(small))
    for number, pattern in enumerate(PATTERNS):
        if number == _YEAR_FIRST:
            yield from matches_at(pattern, text, (match.start() for match in _YEAR_FIRST_BEGINS.finditer(text)))
        elif number == _FIGURES:
            yield from matches_at(pattern, text, (match.start() for match in _FIGURES_BEGIN.finditer(text)))
        elif number == _DAY_FIRST and months and _WIDE.search(text):
            yield from pattern.finditer(text)  # nobody knows how far before its month a day stands
        elif number == _DAY_FIRST:
            yield from matches_at(pattern, text, [*weekdays, *_days(text, months)])
        elif months:
            yield from matches_at(pattern, text, months if number == _WITHOUT_DAY else [*weekdays, *months])


def lone_years(text: str) -> Iterator[re.Match[str]]:
    """What `YEAR` matches."""
    starts = (start for match in _LONE_YEAR.finditer(text) for start in _year_starts(text, match.start()))
    yield from matches_at(YEAR, text, starts)


def _weekdays(small: str) -> Iterator[int]:
    for day in places(small, ("day",)):
        for weekday in _WEEKDAYS_BEGIN:
            if small.endswith(weekday, 0, day):
                yield day - len(weekday)


def _days(text: str, months: list[int]) -> Iterator[int]:
    """Where a day before one of the months may begin."""
    for month in months:
        for match in _DAY_BEGINS.finditer(text, max(0, month - _BEFORE_MONTH), month):
            yield match.start()


def _year_starts(text: str, blank: int) -> Iterator[int]:
    """Where the words before a year begin, if there are any that may make it a date."""
    end = blank - len(" the year") if text.endswith(" the year", 0, blank) else blank
    for word in _BEFORE_YEAR:
        if text.endswith(word, 0, end):
            yield end - len(word)


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
