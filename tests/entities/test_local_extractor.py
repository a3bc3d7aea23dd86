"""The process that finds entities: loaded once, replaced when it dies, gone when it is idle or its parent is."""

import asyncio
from collections.abc import AsyncIterator, Callable

import psutil
import pytest

from app.entities.local_extractor import CHARACTERS_AT_ONCE, LocalExtractor, portions
from app.entities.mentions import EntityType, Passage
from app.entities.model_process import TITLE
from app.errors import EntityModelUnavailable

Processes = Callable[[], list[psutil.Process]]

TEXT = Passage("Mr. Harlan Eastcott borrowed $350,000 in Nebraska.", 0, 1)


@pytest.fixture
async def extractor() -> AsyncIterator[LocalExtractor]:
    opened = LocalExtractor()
    yield opened
    await opened.aclose()


@pytest.fixture
def processes() -> Processes:
    """Those of this test that find entities; the one that other tests share is none of them."""
    before = _finding()
    return lambda: [each for each in _finding() if each not in before]


def _finding() -> list[psutil.Process]:
    return [each for each in psutil.Process().children(recursive=True) if _finds(each)]


def _finds(process: psutil.Process) -> bool:
    try:
        return TITLE in " ".join(process.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return False


async def gone(processes: Processes) -> None:
    """Wait until none of them is left."""
    async with asyncio.timeout(20):
        while processes():  # noqa: ASYNC110 (the kernel has no event for us)
            await asyncio.sleep(0.05)


async def test_one_process_finds_for_everyone(extractor: LocalExtractor, processes: Processes) -> None:
    found = await asyncio.gather(*(extractor.extract([TEXT]) for _ in range(5)))
    kinds = [mention.type for mention in found[0][0]]
    assert kinds == [EntityType.PERSON, EntityType.MONEY, EntityType.PLACE]
    assert all(each == found[0] for each in found)
    assert len(processes()) == 1


async def test_without_names_no_model_is_needed() -> None:
    extractor = LocalExtractor(names=False)
    [mentions] = await extractor.extract([TEXT])
    assert [mention.type for mention in mentions] == [EntityType.MONEY]
    await extractor.aclose()


async def test_a_process_that_dies_fails_its_work_and_no_other(extractor: LocalExtractor, processes: Processes) -> None:
    await extractor.extract([TEXT])
    [process] = processes()
    process.kill()
    process.wait()
    with pytest.raises(EntityModelUnavailable) as caught:
        await extractor.extract([TEXT])
    assert caught.value.retryable
    [mentions] = await extractor.extract([TEXT])
    assert len(mentions) == 3


async def test_work_that_takes_too_long_is_given_up(processes: Processes) -> None:
    extractor = LocalExtractor(timeout_seconds=0.001)
    with pytest.raises(EntityModelUnavailable, match="took longer"):
        await extractor.extract([TEXT])
    await gone(processes)
    await extractor.aclose()


async def test_an_idle_process_ends_and_comes_back(processes: Processes) -> None:
    extractor = LocalExtractor(idle_seconds=0.05)
    await extractor.extract([TEXT])
    await gone(processes)
    [mentions] = await extractor.extract([TEXT])
    assert len(mentions) == 3
    await extractor.aclose()
    await gone(processes)


def test_long_documents_are_read_a_portion_at_a_time() -> None:
    passages = [Passage("x" * 1000, number * 1001, 1) for number in range(200)]
    parts = list(portions(passages))
    assert [each for part in parts for each in part] == passages
    assert max(sum(len(each.text) for each in part) for part in parts) <= CHARACTERS_AT_ONCE
    assert [len(part) for part in portions([Passage("x" * 100_000, 0, 1), passages[0]])] == [1, 1]
