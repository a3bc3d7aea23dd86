"""The engine against a server that does what the tests say."""

from collections.abc import AsyncIterator

import pytest

from app.config import Settings
from app.ocr.engine import EngineName
from app.ocr.textract import TextractEngine, open_engine
from app.resources import aws_session
from tests.ocr.textract import FakeTextract, running_fake


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def asking(fake: FakeTextract) -> Settings:
    """Settings that lead to it."""
    return fake.settings


@pytest.fixture
async def engine(asking: Settings) -> AsyncIterator[TextractEngine]:
    """The engine, as Quire opens it."""
    async with open_engine(aws_session(asking), asking, EngineName.TEXTRACT) as engine:
        yield engine
