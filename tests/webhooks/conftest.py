"""What tests of webhooks ask for."""

from collections.abc import AsyncIterator

import pytest

from app.config import Settings
from tests.service import Client, client_of, make_key, running_api
from tests.webhooks.receiver import Receiver, running_receiver
from workers.main import serving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def allowed(quick: Settings) -> Settings:
    """Settings under which webhooks may call this machine, and come back soon."""
    return quick.model_copy(
        update={
            "webhook_allowed_networks": "127.0.0.0/8",
            "webhook_allow_http": True,
            "webhook_retry_base_seconds": 0.1,
            "webhook_timeout_seconds": 2.0,
        }
    )


@pytest.fixture
async def caller(allowed: Settings) -> AsyncIterator[Client]:
    """A client of an API with a worker beside it, both under those settings."""
    key = await make_key(allowed)
    async with serving(allowed), running_api(allowed) as address, client_of(address, key) as client:
        yield client
