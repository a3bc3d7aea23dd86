"""Pacing while Redis is away: a fair share of the quotas, by a clock that the test moves, and the way back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from app.config import Settings
from app.ocr.engine import EngineName, Operation
from app.ocr.local_pacing import LocalPacing
from app.ocr.pacing import Lane, Pacer, Refusal
from app.ocr.quotas import Quota
from app.queue import open_redis
from tests.ocr.test_pacing import busiest_second, names

LANE = Lane(EngineName.TEXTRACT, Operation.DETECTION)


@dataclass(slots=True)
class Clock:
    """A clock that moves only when it is told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Proxy:
    """A way to Redis that can be closed, or go silent."""

    host: str
    port: int
    silent: bool = False
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None
    own_port: int = 0

    async def open(self) -> None:
        """Let connections through, at the same address each time."""
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.own_port)
        self.own_port = self.server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections, and refuse new ones."""
        if self.server is not None:
            self.server.close()
        for writer in list(self.writers):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        pair = {writer, far_writer}
        self.writers |= pair
        try:
            await asyncio.gather(self._carry(reader, far_writer, pair), self._carry(far_reader, writer, pair))
        finally:
            self.writers -= pair

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: set[asyncio.StreamWriter]
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if not self.silent:
                    writer.write(data)
                    await writer.drain()
        for each in pair:
            each.close()


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[Proxy]:
    """An open way to Redis."""
    address = urlsplit(settings.redis_url)
    proxy = Proxy(address.hostname or "", address.port or 0)
    await proxy.open()
    yield proxy
    await proxy.close()


@asynccontextmanager
async def pacer_at(
    settings: Settings, port: int, quota: Quota, clock: Callable[[], float], workers: int = 1
) -> AsyncIterator[Pacer]:
    """A pacer whose Redis is at some port of this machine."""
    address = urlsplit(settings.redis_url)
    password = f":{address.password}@" if address.password else ""
    url = address._replace(netloc=f"{password}127.0.0.1:{port}").geturl()
    redis = open_redis(url, retries=0)
    try:
        yield Pacer(redis, {LANE: quota}, account="test", workers=lambda: workers, clock=clock)
    finally:
        await redis.aclose(close_connection_pool=True)


def alone(clock: Clock, quota: Quota, workers: int = 1, free: int | None = None) -> LocalPacing:
    """What a process does by itself, once Redis is away; `free` is how many slots it had last seen."""
    pacing = LocalPacing({LANE: quota}, lambda: workers, clock)
    pacing.begin({} if free is None else {LANE: free})
    return pacing


async def test_without_redis_each_worker_has_its_share(settings: Settings) -> None:
    """Nothing is raised and nothing is waited for: slots and rates are divided by the workers that live."""
    clock = Clock()
    with capture_logs() as logs:
        async with pacer_at(settings, 1, Quota(8, 40, 4, 12), clock, workers=4) as pacer:
            assert await asyncio.gather(*(pacer.room(LANE) for _ in range(20))) == [3] * 20
            permits = [await pacer.start(LANE, name) for name in names(4)]
            assert [permit.refusal for permit in permits] == [None, None, None, Refusal.SLOTS_FULL]
            assert [permit.wait_seconds for permit in permits[:3]] == pytest.approx([0, 0.5, 1])
            assert await pacer.gets(LANE, 100) == 2
            assert await pacer.get(LANE) == pytest.approx(0.1)
            assert [(await pacer.read(LANE)).refusal for _ in range(4)] == [None, None, None, Refusal.TOO_SOON]
            await pacer.release(LANE, "member-00000")
            await pacer.throttled(LANE, "get")
            await pacer.reconcile(LANE, ["member-00001", "x"], waiting=7)
            assert await pacer.room(LANE) == 0
            assert await pacer.admit(LANE, ["new"]) == {}
            clock.now += 0.5
            state = await pacer.state(LANE)
            assert (state.running, state.fleet_wide, state.start_per_second) == (1, False, 2)
            assert state.get_per_second == pytest.approx(7, abs=0.2)
    assert [entry["event"] for entry in logs] == ["pacing_alone"]


async def test_an_outage_is_survived_and_told_once(settings: Settings, proxy: Proxy) -> None:
    """When Redis breaks off, the process goes on alone; when it is back, running jobs are counted before any start."""
    clock = Clock()
    with capture_logs() as logs:
        async with pacer_at(settings, proxy.own_port, Quota(1000, 100, 100, 10), clock, workers=2) as pacer:
            await pacer.reconcile(LANE, names(4), waiting=0)
            assert (await pacer.start(LANE, "a")).refusal is None
            await proxy.close()
            # Five of ten are free: two for this worker, and two or three for the other.
            answers = [(await pacer.start(LANE, name)).refusal for name in ("b", "c", "d")]
            assert answers == [None, None, Refusal.SLOTS_FULL]
            assert not (await pacer.state(LANE)).fleet_wide
            await proxy.open()
            assert not (await pacer.state(LANE)).fleet_wide
            clock.now += 10
            assert (await pacer.state(LANE)).fleet_wide
            assert (await pacer.start(LANE, "e")).refusal is Refusal.UNKNOWN
            await pacer.reconcile(LANE, [*names(4), "a", "b", "c"], waiting=0)
            assert (await pacer.start(LANE, "e")).refusal is None
            assert (await pacer.state(LANE)).running == 8
    assert [entry["event"] for entry in logs] == ["pacing_alone", "pacing_together"]


async def test_a_silent_redis_is_not_waited_for(settings: Settings, proxy: Proxy) -> None:
    """A Redis that takes questions and never answers costs one caller two seconds, and the others nothing."""
    async with pacer_at(settings, proxy.own_port, Quota(1000, 100, 100, 10), Clock()) as pacer:
        await pacer.get(LANE)
        proxy.silent = True
        assert await asyncio.wait_for(pacer.get(LANE), 8) < 1
        # The clock stands still, so nobody tries again.
        for _ in range(20):
            await asyncio.wait_for(pacer.get(LANE), 1.5)


async def test_a_share_keeps_to_its_rate() -> None:
    """In no second are there more Gets than the share, after a rest neither, and all of it can be used."""
    clock, moments = Clock(), list[float]()
    pacing = alone(clock, Quota(1, 100, 1, 10), workers=2)
    for turn in range(400):
        moments += [clock.now] * await pacing.gets(LANE, 100)
        if turn % 7 == 0:
            moments.append((await pacing.get(LANE)).at)
        clock.now += 1.5 if turn == 200 else 0.02
    assert busiest_second(moments) == 50
    assert len(moments) > 0.9 * 50 * 400 * 0.02


async def test_released_slots_go_to_whoever_hears_of_it() -> None:
    """A job that another worker started frees a slot here, and one that never ran frees it after its lease."""
    clock = Clock()
    pacing = alone(clock, Quota(100, 1, 1, 10), workers=2, free=2)
    assert (await pacing.start(LANE, "a")).refusal is None
    assert (await pacing.start(LANE, "b")).refusal is Refusal.SLOTS_FULL
    await pacing.release(LANE, "another's")
    assert (await pacing.start(LANE, "b")).refusal is None
    clock.now += 61
    assert (await pacing.start(LANE, "c")).refusal is Refusal.SLOTS_FULL
    await pacing.reconcile(LANE, names(6), waiting=0)
    assert await pacing.room(LANE) == 2


async def test_admission_alone_is_as_with_redis() -> None:
    """Members get slots and moments in order, and find them when they ask."""
    clock = Clock()
    pacing = alone(clock, Quota(10, 1, 1, 3))
    admitted = await pacing.admit(LANE, ["b", "a", "c", "d"])
    assert list(admitted) == ["b", "a", "c"]
    assert [permit.wait_seconds for permit in admitted.values()] == pytest.approx([0.2, 0.3, 0.4])
    clock.now += 0.1
    assert (await pacing.start(LANE, "a")).wait_seconds == pytest.approx(0.2)
    clock.now += 2
    late = [(await pacing.start(LANE, name)).at - clock.now for name in ("b", "c")]
    assert late == pytest.approx([0, 0.1]), "moments that have passed are not used"


async def test_a_throttle_alone_lowers_and_recovers() -> None:
    """A share is lowered to 70 % by a throttle, to 5 % at least, and is whole again after a minute."""
    clock = Clock()
    pacing = alone(clock, Quota(10, 1, 1, 3))
    await pacing.throttled(LANE, "start")
    await pacing.throttled(LANE, "start")
    assert (await pacing.state(LANE)).start_per_second == pytest.approx(7)
    for _ in range(30):
        clock.now += 1
        await pacing.throttled(LANE, "start")
    assert 0.5 <= (await pacing.state(LANE)).start_per_second < 1
    clock.now += 60
    assert (await pacing.state(LANE)).start_per_second == 10
