"""What reading pages costs, in whole micro-dollars (a millionth of a US dollar).

Textract bills pages, by what is looked for on them. The defaults are the list prices of the US regions for the first
million pages a month, before free tiers and discounts. Sources: the price table that ships with AWS's accelerator for
intelligent document processing (`config_library/*/config.yaml`), where those of tables and forms add up; queries: AWS's
public price list. Where AWS charges less for a combination, the sum errs on the safe side of a limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.ocr.engine import EngineName, Feature, Operation, ReadRequest
from app.price_table import parse_prices

DEFAULT_PRICES: Mapping[Feature, int] = {
    Feature.TEXT: 1500,
    Feature.TABLES: 15_000,
    Feature.FORMS: 50_000,
    Feature.LAYOUT: 4000,
    Feature.SIGNATURES: 3500,
    Feature.QUERIES: 15_000,
}
"""Micro-dollars a page. Text is what detection costs; analysis includes it."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What each feature costs a page of Textract, in micro-dollars."""

    per_page: Mapping[Feature, int]

    @classmethod
    def from_setting(cls, textract_prices: str | None) -> "Prices":
        """The defaults, with those that TEXTRACT_PRICES names replaced; raises ValueError where that makes no sense."""
        told = parse_prices(textract_prices or "{}")
        return cls({**DEFAULT_PRICES, **{Feature(name): price for name, price in told.items()}})

    def price_per_page(self, engine: EngineName, request: ReadRequest) -> int:
        """What a page costs, in micro-dollars; a server of one's own is free."""
        if engine is EngineName.LOCAL:
            return 0
        if request.operation is Operation.DETECTION:
            return self.per_page[Feature.TEXT]
        return sum(self.per_page[feature] for feature in request.analysis_features)

    def cost(self, engine: EngineName, request: ReadRequest, pages: int) -> int:
        """What that many pages cost, in micro-dollars."""
        return pages * self.price_per_page(engine, request)
