from collections.abc import AsyncIterator

import httpx
import pytest


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client for an endpoint."""
    async with httpx.AsyncClient() as client:
        yield client
