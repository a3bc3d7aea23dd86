"""What a query says is not to be there, told apart from what it looks for. Pure: no I/O.

Queries are in the websearch syntax of Postgres, which alone searches by words; vectors know no "not", so that a search by
meaning looks for the rest and leaves out what has the words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# As Postgres reads a query: a hyphen negates what follows it, but for one within a word; a colon ends a word and begins
# another; brackets and other operators part words, and mean nothing.
_TERM = re.compile(r"""(?P<before>[\s!&|()-]*)(?P<term>"[^"]*"?|[^\s"!&|()-][^\s"!&|():]*)""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query in two parts."""

    sought: str
    """What is looked for; empty where the query names nothing but what is not to be there."""
    unwanted: str | None
    """A query, in the same syntax, for what is not to be there; None where that is nothing."""


def wanted(query: str) -> Wanted:
    """Part a query; one without negations is looked for as it is."""
    terms = list(_terms(query))
    unwanted = [term for term, is_negated in terms if is_negated]
    if not unwanted:
        return Wanted(query, None)
    return Wanted(" ".join(term for term, is_negated in terms if not is_negated), " or ".join(unwanted))


def _terms(query: str) -> Iterator[tuple[str, bool]]:
    """Words and quoted phrases, each with whether it is negated; the word "or" stands between them."""
    for found in _TERM.finditer(query):
        if found["term"].lower() != "or":
            yield found["term"], found["before"].count("-") % 2 == 1
