"""Phone numbers, by Google's rules of which exist."""

from collections.abc import Iterator

import phonenumbers
from phonenumbers import Leniency, NumberParseException, PhoneNumberFormat, PhoneNumberMatcher

REGION = "US"
"""Where a number without a country's code is dialled."""


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
    """Start, end, E.164 form, and whether such a number is given out, of all that look like phone numbers."""
    for match in PhoneNumberMatcher(text, REGION, leniency=Leniency.POSSIBLE):
        form = phonenumbers.format_number(match.number, PhoneNumberFormat.E164)
        yield match.start, match.end, form, phonenumbers.is_valid_number(match.number)
