"""Phone numbers, by Google's rules of which exist."""

import re
import string
from collections.abc import Iterator

import phonenumbers
from phonenumbers import Leniency, NumberParseException, PhoneNumberFormat, PhoneNumberMatcher

REGION = "US"
"""Where a number without a country's code is dialled."""

_APART = frozenset(string.ascii_letters + "\n").difference("aeinostxAEINOSTX")
"""What stands in no number: of letters, those of `extension`, `anexo` and `int` alone may."""
_MARKS = re.compile(r"\d{3}(?:\)|[^\S\n]|[.-]){1,3}\d{3}(?:[^\S\n]|[.-])\d{4}|\+\d")
"""What there is in a number as it is written in the United States, or with its country's code."""


def phone_form(text: str) -> str:
    """E.164: `+14048156095`; empty for what can't be dialled."""
    try:
        number = phonenumbers.parse(text, REGION)
    except NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def phones(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Start, end, E.164 form, and whether such a number is given out, of all that look like phone numbers.

    The library tries each figure of a text in several ways: it is given what stands around a number's marks alone.
    """
    for first, last in _stretches(text):
        for match in PhoneNumberMatcher(text[first:last], REGION, leniency=Leniency.POSSIBLE):
            form = phonenumbers.format_number(match.number, PhoneNumberFormat.E164)
            yield first + match.start, first + match.end, form, phonenumbers.is_valid_number(match.number)


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Where the marks of numbers stand, each stretch from what is apart to what is apart."""
    last = 0
    for mark in _MARKS.finditer(text):
        if mark.start() < last:
            continue
        first, last = mark.span()
        while first > 0 and text[first - 1] not in _APART:
            first -= 1
        while last < len(text) and text[last] not in _APART:
            last += 1
        yield first, last
