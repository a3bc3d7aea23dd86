"""TEXTRACT_PRICES, as it is written: a JSON object of features and whole micro-dollars a page."""

import json
from typing import Any

PRICED = ("TEXT", "TABLES", "FORMS", "LAYOUT", "SIGNATURES", "QUERIES")
"""The features that have a price."""


def parse_prices(textract_prices: str) -> dict[str, int]:
    """The prices that are named, by feature; raises ValueError where that makes no sense."""
    try:
        told = json.loads(textract_prices, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'TEXTRACT_PRICES is not JSON such as {{"TEXT": 1500}}: {error}.') from error
    if not isinstance(told, dict):
        raise ValueError('TEXTRACT_PRICES must be an object such as {"TEXT": 1500}.')  # noqa: TRY004  # of the text, not of a type
    return {_feature(name): _price(name, price) for name, price in told.items()}


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(told := dict(pairs)) < len(pairs):
        raise ValueError("a name stands there twice")
    return told


def _feature(name: str) -> str:
    if name not in PRICED:
        raise ValueError(f"TEXTRACT_PRICES has no feature {name!r}; there are {', '.join(PRICED)}.")
    return name


def _price(name: str, price: object) -> int:
    # JSON's true would pass for an integer of Python.
    if not isinstance(price, int) or isinstance(price, bool) or price < 0:
        raise ValueError(f"TEXTRACT_PRICES must give {name} a whole number of micro-dollars from 0, not {price!r}.")
    return price
