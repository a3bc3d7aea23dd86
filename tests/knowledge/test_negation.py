"""Telling what a query says is not to be there, as Postgres does."""

import re

import asyncpg
import pytest

from app.config import Settings
from app.knowledge.negation import Wanted, wanted

QUERIES = (
    "fire",
    "fire -water",
    "fire - water",
    "fire --water",
    'fire -"running water" earth',
    'fire -"running water',
    "-fire or -water",
    "fire -water OR earth",
    "foo(-bar|-baz)",
    "fire!-water",
    '"fire"-water',
    "first-hand fire -second-rate",
    "fire -o'neil earth",
    "fire -",
    '-"',
    "-",
    ':-fire "',
    "x:-fire",
    "x:*-fire -y:z",
    "fire -the -of",
    "-or fire",
    "fire\\-water -\\glass",
    "8:16-cv-01261 -08/05/16",
)


def lexemes(query: str | None) -> set[str]:
    """What is between quotes in a query of Postgres."""
    return set(re.findall(r"'([^']*)'", query or ""))


async def test_parts_are_those_that_postgres_tells(settings: Settings) -> None:
    """What is negated is so for Postgres too, and what is sought isn't."""
    connection = await asyncpg.connect(settings.database_url.replace("+asyncpg", ""))
    try:
        for query in QUERIES:
            parts = wanted(query)
            read = [
                await connection.fetchval("SELECT websearch_to_tsquery('english', $1)::text", part)
                for part in (query, parts.sought, parts.unwanted or "")
            ]
            # Postgres writes a negation of several as !( … ), and two make none.
            negated = re.findall(r"(?<!!)!('[^']*'|\( [^()]* \))", read[0])
            assert lexemes(read[2]) == lexemes(" ".join(negated)), query
            assert lexemes(read[1]) == lexemes(read[0]) - lexemes(read[2]), query
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("query", "sought", "unwanted"),
    [
        ("life  insurance", "life  insurance", None),
        ("subject-matter or  jurisdiction", "subject-matter or  jurisdiction", None),
        ("life insurance -Dearborn", "life insurance", "Dearborn"),
        ('-"the court" dismissed -appeal', "dismissed", '"the court" or appeal'),
        ("-Dearborn or -Reliance", "", "Dearborn or Reliance"),
    ],
)
def test_a_query_is_parted(query: str, sought: str, unwanted: str | None) -> None:
    """What is looked for stays as it was written, as far as it is looked for."""
    assert wanted(query) == Wanted(sought, unwanted)
