from collections.abc import AsyncIterator

import httpx
import pytest

from tests.embeddings.endpoint import Endpoint, running_endpoint


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An OpenAI-compatible endpoint."""
    async with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client for it."""
    async with httpx.AsyncClient() as client:
        yield client
