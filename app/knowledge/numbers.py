"""Numbers of a query, found however documents write them. Pure: no I/O.

Postgres takes the hyphen before a number for its sign: "21-50498" is `'21'` and `'-50498'` to it, and "50498" neither of them. The
index is as Postgres makes it; a query asks for each number with a sign and without, so that it stays one for what is stored.
"""

import re

DOCKET_FIGURES = 5
"""Courts write the numbers of their cases with so many figures, zeros in front; people leave the zeros out."""

# A lexeme that is a number, as Postgres writes queries: quotes within a lexeme are doubled, so that none of these is the end of one.
_NUMBER = re.compile(r"(?<!')'-?([0-9]+)'(?!')")


def in_all_forms(query: str) -> str:
    """A query, as Postgres writes it (`'cv' <-> '-1261'`), with the forms of each number in place of the one that was typed."""
    return _NUMBER.sub(lambda number: f"( {' | '.join(_forms(number[1]))} )", query)


def _forms(figures: str) -> list[str]:
    """A number as it was typed, without zeros in front and with those of a docket; each without a sign and with one."""
    bare = figures.lstrip("0") or "0"
    written = dict.fromkeys((figures, bare, bare.zfill(DOCKET_FIGURES)))
    return [f"'{sign}{each}'" for each in written for sign in ("", "-")]
