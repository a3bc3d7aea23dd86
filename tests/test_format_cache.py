"""The cache of formats: made once by whoever asks first, whatever becomes of the others who ask."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from app.db import new_id
from app.documents.format_cache import FormatCache, Make, folder_of
from app.errors import DocumentCorrupt, FormatNotReady
from tests.bench import Bench

MEDIA_TYPE = "text/plain"


@dataclass(slots=True)
class Maker:
    """Makes the same file every time, and counts how often; raises what it is told to."""

    made: int = 0
    seconds: float = 0.0
    error: type[Exception] | None = None

    async def __call__(self, folder: Path) -> Path:
        self.made += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        path = folder / "made"
        path.write_bytes(b"made")
        return path


def cache_of(bench: Bench, *, wait_seconds: float = 20.0, redis: Redis | None = None) -> FormatCache:
    """A process's cache."""
    return FormatCache(
        bucket=bench.tools.bucket,
        redis=redis or bench.tools.redis,
        wait_seconds=wait_seconds,
        most_at_once=2,
        part_bytes=bench.settings.upload_part_bytes,
        parts_in_flight=2,
    )


def fresh_key() -> tuple[UUID, str]:
    """A document and a key under it."""
    document_id = new_id()
    return document_id, f"{folder_of(document_id)}x"


async def test_many_askers_in_several_processes(bench: Bench) -> None:
    """It is made once."""
    maker, (_, key) = Maker(seconds=0.3), fresh_key()
    caches = [cache_of(bench) for _ in range(3)]
    found = await asyncio.gather(*(cache.get(key, MEDIA_TYPE, maker) for cache in caches for _ in range(4)))
    assert maker.made == 1
    assert {(each.key, each.size_bytes) for each in found} == {(key, 4)}
    await caches[0].get(key, MEDIA_TYPE, maker)
    assert maker.made == 1


async def test_who_has_no_time_comes_back(bench: Bench) -> None:
    """An asker that has waited enough is sent away, the making goes on, and the next asker finds it."""
    maker, (_, key) = Maker(seconds=0.5), fresh_key()
    cache = cache_of(bench, wait_seconds=0.1)
    with pytest.raises(FormatNotReady):
        await cache.get(key, MEDIA_TYPE, maker)
    patient = cache_of(bench)
    assert (await patient.get(key, MEDIA_TYPE, maker)).size_bytes == 4
    assert maker.made == 1


async def test_who_leaves_stops_nothing(bench: Bench) -> None:
    """An asker that is cancelled leaves the making to the others."""
    maker, (_, key) = Maker(seconds=0.3), fresh_key()
    cache = cache_of(bench)
    leaver, stayer = (asyncio.create_task(cache.get(key, MEDIA_TYPE, maker)) for _ in range(2))
    await asyncio.sleep(0.1)
    leaver.cancel()
    assert (await stayer).size_bytes == 4
    assert maker.made == 1


async def test_a_failure_is_everybodys_and_nobodys_later(bench: Bench) -> None:
    """All who wait for it are told why, and the next asker has it tried again."""
    maker, (_, key) = Maker(seconds=0.1, error=DocumentCorrupt), fresh_key()
    cache = cache_of(bench)
    found = await asyncio.gather(*(cache.get(key, MEDIA_TYPE, maker) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [DocumentCorrupt] * 3
    assert maker.made == 1
    maker.error = None
    assert (await cache.get(key, MEDIA_TYPE, maker)).size_bytes == 4


async def test_without_redis_each_makes_its_own(bench: Bench) -> None:
    """Nothing depends on it: the same key is written twice, with the same bytes."""
    maker, (_, key) = Maker(seconds=0.3), fresh_key()
    async with Redis(port=1, single_connection_client=False) as nobody:
        caches = [cache_of(bench, redis=nobody) for _ in range(2)]
        found = await asyncio.gather(*(cache.get(key, MEDIA_TYPE, maker) for cache in caches))
    assert (maker.made, {each.size_bytes for each in found}) == (2, {4})


async def test_it_goes_with_its_document(bench: Bench) -> None:
    """Erasing takes all of one document's, and nothing of another's."""
    maker: Make = Maker()
    cache = cache_of(bench)
    (mine, my_key), (_, other_key) = fresh_key(), fresh_key()
    for key in (my_key, f"{my_key}/pages/1", other_key):
        await cache.get(key, MEDIA_TYPE, maker)
    await cache.erase(mine)
    heads = [await bench.tools.bucket.head(key) for key in (my_key, f"{my_key}/pages/1", other_key)]
    assert [head is not None for head in heads] == [False, False, True]


async def test_a_stopping_process_lets_go(bench: Bench) -> None:
    """What is being made when a process stops is made by the next that is asked, without waiting for the dead."""
    maker, (_, key) = Maker(seconds=30), fresh_key()
    cache = cache_of(bench)
    asker = asyncio.create_task(cache.get(key, MEDIA_TYPE, maker))
    await asyncio.sleep(0.2)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
    maker.seconds = 0
    assert (await cache_of(bench).get(key, MEDIA_TYPE, maker)).size_bytes == 4
