"""What every test can ask for: real servers, a fresh database, real documents."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from anyio import to_process
from arq.connections import ArqRedis

from app.config import Settings
from app.entities.local_extractor import LocalExtractor
from app.entities.mentions import EntityExtractor
from app.queue import open_redis
from tests.bench import Bench, open_bench
from tests.embeddings.endpoint import Endpoint, running_endpoint
from tests.order import Scheduling, place_of
from tests.service import Client, client_of, hurried, make_key, running_api
from tests.stack import Stack, running_stack
from workers.main import serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the dear ones first."""
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """Hand files out in that order."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # else those with the most tests would come first
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Postgres, Valkey, S3 and the Textract-compatible server, shared by all tests."""
    with running_stack() as stack:
        yield stack


@pytest.fixture(autouse=True)
async def no_dying_processes() -> AsyncIterator[None]:
    """Leave no process to the next test that is about to end.

    anyio ends the processes that functions run in when the loop's current run does, which here is a test's; the loop is
    that of all tests, and who asks for a process right then is given one of those.
    """
    yield
    with suppress(LookupError):  # none was ever asked for
        to_process._process_pool_idle_workers.get().clear()
        workers = to_process._process_pool_workers.get()
        for process in tuple(workers):
            with suppress(ProcessLookupError):
                process.kill()
            await process.aclose()
        workers.clear()


@pytest.fixture
def settings(stack: Stack, tmp_path: Path) -> Iterator[Settings]:
    """Settings that lead to a migrated, empty database and an empty Redis database of this test's own."""
    with stack.fresh_settings(tmp_path / "quire") as settings:
        yield settings


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    """Redis, as a process of the API has it."""
    client = open_redis(settings.redis_url, retries=1)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """The same with short delays, where a test has to see a retry, a poll or a lost lease."""
    return hurried(settings)


@pytest.fixture
async def address(quick: Settings) -> AsyncIterator[str]:
    """Where the API is."""
    async with running_api(quick) as address:
        yield address


@pytest.fixture
async def client(quick: Settings, address: str) -> AsyncIterator[Client]:
    """A client of the project `default`."""
    async with client_of(address, await make_key(quick)) as client:
        yield client


@pytest.fixture(scope="session")
async def extractor() -> AsyncIterator[EntityExtractor]:
    """What finds entities for all tests, in one process: to load its model takes longer than most tests."""
    shared = LocalExtractor()
    yield shared
    await shared.aclose()


@pytest.fixture
async def worker(quick: Settings, extractor: EntityExtractor) -> AsyncIterator[str]:
    """A worker on all queues, in this process; yields its id."""
    async with serving(quick, extractor=extractor) as worker_id:
        yield worker_id


@pytest.fixture
async def bench(quick: Settings, extractor: EntityExtractor) -> AsyncIterator[Bench]:
    """The core, to be run one step at a time."""
    async with open_bench(quick, extractor) as bench:
        yield bench


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents, with `documents/` and `textract/` in it."""
    folder = os.environ.get("QUIRE_CORPUS")
    if not folder:
        pytest.skip("QUIRE_CORPUS is not set: it names a folder of real documents")
    return Path(folder)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An OpenAI-compatible endpoint for embeddings, on this machine, that fails as it is told to."""
    async with running_endpoint() as endpoint:
        yield endpoint
