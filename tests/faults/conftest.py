"""Everything that a fault test breaks is its own, or is put right again."""

from collections.abc import AsyncIterator

import pytest

from app.config import Settings
from app.entities.mentions import EntityExtractor
from tests.bench import Bench, open_bench
from tests.ocr.textract import FakeTextract, running_fake


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def told(quick: Settings, fake: FakeTextract) -> Settings:
    """Settings that lead to it, with everything soon and short."""
    short = {
        "ocr_engines": "textract",
        "aws_endpoint_url_textract": fake.url,
        "ring_again_seconds": 1.0,
        "textract_connect_timeout_seconds": 1.0,
    }
    return quick.model_copy(update=short | {"textract_read_timeout_seconds": 5.0})


@pytest.fixture
async def bench(told: Settings, extractor: EntityExtractor) -> AsyncIterator[Bench]:
    """The core, to look at from outside."""
    async with open_bench(told, extractor) as bench:
        yield bench
