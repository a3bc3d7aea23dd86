"""The engine against a server that does what the tests say."""

from collections.abc import AsyncIterator

import pytest

from app.config import Settings
from app.ocr.textract import TextractEngine, client_config
from app.resources import aws_session
from tests.ocr.textract import FakeTextract, running_fake


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
async def engine(fake: FakeTextract) -> AsyncIterator[TextractEngine]:
    """The engine, as Quire opens it."""
    settings = Settings(_env_file=None, aws_access_key_id="key", aws_secret_access_key="secret")
    session = aws_session(settings)
    async with session.client("textract", endpoint_url=fake.url, config=client_config(settings)) as client:
        yield TextractEngine(client, settings.textract_max_results)
