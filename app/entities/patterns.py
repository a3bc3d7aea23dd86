"""What has a form of its own: case numbers, emails, phone numbers, addresses, dates and amounts of money."""

import re
from collections.abc import Iterator, Sequence

import pyap

from app.entities.amounts import amounts, money_form
from app.entities.anchors import matches_at, places
from app.entities.case_numbers import NOT_CASES, case_number_form, federal, is_docket, labelled
from app.entities.dates import dates, iso, lone_years
from app.entities.finding import Found
from app.entities.mentions import EntityType
from app.entities.phones import phones
from app.entities.places import address_form
from app.entities.readable import Readable

SOURCE = "patterns"

_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}\s?@\s?(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b"
)
_BEFORE_AT = 65
"""An email begins at most so many characters before its sign."""
_ZIP = re.compile(r"\b\d{5}(?:-\d{4})?\b")
_DASHES = r"[-\u2010-\u2015]"
_ADDRESS_REACH = 160
"""How far before a ZIP an address begins at most, in characters."""
_PHONE_SHAPE = re.compile(
    r"^(?:\+?1[\s.-]?)?(?:\(\d{3}\)\s?|\d{3}[\s.-])\d{3}[\s.-]\d{4}(?:\s*(?:x|ext\.?)\s*\d+)?$|^\+\d"
)

# How sure each is, by judgement; `python -m benchmarks entities` prints how often each type is right.
EMAIL, PHONE, ODD_PHONE, ADDRESS = 0.99, 0.97, 0.75, 0.9
FULL_DATE, PART_OF_DATE, LONE_YEAR, AMOUNT = 0.97, 0.85, 0.7, 0.97
FEDERAL_CASE, LABELLED_CASE = 0.99, 0.9


class PatternFinder:
    """Finds by the forms of things; needs no model."""

    def find(self, texts: Sequence[Readable]) -> list[list[Found]]:
        """What each text mentions."""
        return [list(_all(text.text)) for text in texts]


def _all(text: str) -> Iterator[Found]:
    yield from _emails(text)
    yield from _case_numbers(text)
    yield from _phones(text)
    yield from _addresses(text)
    yield from _amounts(text)
    yield from _dates(text)


def _emails(text: str) -> Iterator[Found]:
    signs = places(text, ("@",))
    starts = (start for sign in signs for start in range(max(0, sign - _BEFORE_AT), sign))
    for match in matches_at(_EMAIL, text, starts):
        yield Found(EntityType.EMAIL, *match.span(), EMAIL, SOURCE)


def _case_numbers(text: str) -> Iterator[Found]:
    for match in federal(text):
        yield Found(EntityType.CASE_NUMBER, *match.span(), FEDERAL_CASE, SOURCE, case_number_form(match[0]))
    for match in labelled(text):
        number = match["number"]
        other = match["label"].startswith("N") and NOT_CASES.search(text[max(match.start() - 24, 0) : match.start()])
        if not other and is_docket(match["label"], number):
            yield Found(EntityType.CASE_NUMBER, *match.span("number"), LABELLED_CASE, SOURCE, case_number_form(number))


def _phones(text: str) -> Iterator[Found]:
    for start, end, form, given_out in phones(text):
        if _PHONE_SHAPE.match(text[start:end]):
            yield Found(EntityType.PHONE, start, end, PHONE if given_out else ODD_PHONE, SOURCE, form)


def _addresses(text: str) -> Iterator[Found]:
    """Addresses that end in a ZIP: without one, too much else looks like one. Only what stands before it is searched."""
    done = 0
    for code in _ZIP.finditer(text):
        first = max(done, code.start() - _ADDRESS_REACH)
        for address in pyap.parse(text[first : code.end()], country="US"):
            place = _as_written(address.full_address).search(text, first, code.end())
            if place is not None and place.end() >= code.start():
                yield Found(EntityType.ADDRESS, *place.span(), ADDRESS, SOURCE, address_form(place[0]))
        done = code.end()


def _as_written(address: str) -> re.Pattern[str]:
    """An address as it stands in the text, of which pyap makes several blanks one, and all dashes the same."""
    words = (re.escape(word).replace(r"\-", _DASHES) for word in re.findall(r"[^\s,;]+", address.rstrip(". ")))
    return re.compile(r"[\s,;]+".join(words))


def _amounts(text: str) -> Iterator[Found]:
    for match in amounts(text):
        yield Found(EntityType.MONEY, *match.span(), AMOUNT, SOURCE, money_form(match[0]))


def _dates(text: str) -> Iterator[Found]:
    for match in dates(text):
        form = iso(match)
        if form:
            whole = len(form) == len("2021-01-11") and not form.startswith("--")
            yield Found(EntityType.DATE, *match.span(), FULL_DATE if whole else PART_OF_DATE, SOURCE, form)
    for match in lone_years(text):
        yield Found(EntityType.DATE, *match.span("year"), LONE_YEAR, SOURCE, match["year"])
