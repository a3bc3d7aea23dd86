"""The pipeline against a Textract account of the test's own."""

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
    """Settings that lead to it."""
    return quick.model_copy(
        update={"ocr_engines": "textract", "aws_endpoint_url_textract": fake.url, "max_attempts": 4}
    )


@pytest.fixture
async def bench(told: Settings, extractor: EntityExtractor) -> AsyncIterator[Bench]:
    """The core, to be run one step at a time, with that account."""
    async with open_bench(told, extractor) as bench:
        yield bench
