"""Micro-dollars are counted in integers, and a wrong price table is refused at start."""

import pytest

from app.ocr.engine import EngineName, Feature, Query, ReadRequest
from app.ocr.pricing import DEFAULT_PRICES, Prices

TEXT = ReadRequest()


def reading(*features: Feature) -> ReadRequest:
    return ReadRequest(frozenset({Feature.TEXT, *features}))


@pytest.mark.parametrize(
    ("request_", "price"),
    [
        (TEXT, 1500),
        (reading(Feature.TABLES), 15_000),
        (reading(Feature.FORMS), 50_000),
        (reading(Feature.TABLES, Feature.FORMS), 65_000),
        (reading(Feature.LAYOUT), 4000),
        (reading(Feature.SIGNATURES), 3500),
        (reading(Feature.QUERIES), 15_000),
        (reading(*Feature), 87_500),
    ],
)
def test_a_page_costs_the_sum_of_what_is_looked_for(request_: ReadRequest, price: int) -> None:
    """Text alone is detection; analysis includes it."""
    assert Prices.from_setting(None).price_per_page(EngineName.TEXTRACT, request_) == price


def test_queries_cost_by_the_page() -> None:
    """However many there are."""
    queries = tuple(Query(f"What is the total of {number}?") for number in range(15))
    request = ReadRequest(frozenset({Feature.TEXT, Feature.QUERIES}), queries)
    assert Prices.from_setting(None).price_per_page(EngineName.TEXTRACT, request) == 15_000


def test_ones_own_server_is_free() -> None:
    """The engine `local` bills nobody, whatever the prices."""
    prices = Prices.from_setting('{"TEXT": 7}')
    assert prices.price_per_page(EngineName.LOCAL, reading(Feature.TABLES)) == 0
    assert prices.cost(EngineName.LOCAL, TEXT, 1000) == 0


def test_a_document_costs_by_its_pages() -> None:
    """To the micro-dollar, at any size."""
    prices = Prices.from_setting(None)
    assert prices.cost(EngineName.TEXTRACT, TEXT, 0) == 0
    assert prices.cost(EngineName.TEXTRACT, TEXT, 1) == 1500
    assert prices.cost(EngineName.TEXTRACT, reading(Feature.TABLES, Feature.FORMS), 20_000) == 1_300_000_000


def test_every_feature_has_a_price() -> None:
    """A new feature can't be read for nothing by mistake."""
    assert set(DEFAULT_PRICES) == set(Feature)


def test_the_setting_replaces_what_it_names() -> None:
    """The other prices stay."""
    prices = Prices.from_setting('{"TEXT": 600, "TABLES": 0}')
    assert prices.price_per_page(EngineName.TEXTRACT, TEXT) == 600
    assert prices.price_per_page(EngineName.TEXTRACT, reading(Feature.TABLES, Feature.FORMS)) == 50_000


@pytest.mark.parametrize(
    "setting",
    [
        "no json",
        "[1500]",
        "1500",
        "null",
        '"TEXT"',
        '{"WORDS": 1500}',
        '{"text": 1500}',
        '{"TEXT": -1}',
        '{"TEXT": 1500.0}',
        '{"TEXT": 0.0015}',
        '{"TEXT": true}',
        '{"TEXT": null}',
        '{"TEXT": "1500"}',
        '{"TEXT": NaN}',
        '{"TEXT": 1500, "TEXT": 600}',
        '{"TEXT": 1500,}',
        "[" * 100_000,
        '{"TEXT": ' + "9" * 5000 + "}",
    ],
)
def test_a_wrong_table_is_refused(setting: str) -> None:
    """With a sentence that names the setting."""
    with pytest.raises(ValueError, match="TEXTRACT_PRICES"):
        Prices.from_setting(setting)
