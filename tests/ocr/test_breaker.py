"""One breaker for a fleet: two objects on one Redis stand for two processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from arq.connections import ArqRedis
from structlog.testing import capture_logs

from app.config import Settings
from app.ocr.breaker import Breaker
from app.ocr.circuit import Change, Position
from app.ocr.engine import EngineName
from app.queue import open_redis
from tests.bench import eventually

TEXTRACT = EngineName.TEXTRACT
REASON = "ocr_unavailable"


@asynccontextmanager
async def redis_at(url: str, *, retries: int = 1) -> AsyncIterator[ArqRedis]:
    redis = open_redis(url, retries=retries)
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    async with redis_at(settings.redis_url) as redis:
        yield redis


def breaker_of(redis: ArqRedis, settings: Settings, *, look_holds_seconds: float = 0, **changed: Any) -> Breaker:
    """A breaker that opens after three failures for long, unless told otherwise, and looks every time."""
    told = {"ocr_breaker_failures": 3, "ocr_breaker_open_seconds": 300.0, **changed}
    return Breaker(redis, TEXTRACT, settings.model_copy(update=told), look_holds_seconds=look_holds_seconds)


async def open_up(breaker: Breaker) -> None:
    for _ in range(3):
        await breaker.failed(REASON)
    assert (await breaker.state()).state is Position.OPEN


async def let_through_as_probe(breaker: Breaker) -> bool:
    return (await breaker.allow()).probe


async def test_jobs_that_do_not_end_are_counted_by_the_fleet(redis: ArqRedis, settings: Settings) -> None:
    """And kept beside what else is known of the engine; of many at once one is told of the change."""
    one, other = breaker_of(redis, settings), breaker_of(redis, settings)
    changes = await asyncio.gather(*(breaker.timed_out() for breaker in (one, other) * 10))
    assert [change for change in changes if change] == [Change(TEXTRACT, Position.CLOSED, Position.OPEN, "ocr_timeout")]
    told = await other.state()
    assert (told.failures, told.may_be_asked_of_jobs) == (3, True)
    assert ((await other.allow()).allowed, (await other.allow(of_jobs=True)).allowed) == (False, True)
    assert await one.ended() == Change(TEXTRACT, Position.OPEN, Position.CLOSED, "ocr_timeout")
    assert (await other.allow()).allowed


async def test_the_fleet_counts_together(redis: ArqRedis, settings: Settings) -> None:
    """Failures of two processes add up, and both see the breaker open."""
    one, other = breaker_of(redis, settings), breaker_of(redis, settings)
    assert await one.failed(REASON) is None
    assert await other.failed(REASON) is None
    change = await one.failed("ocr_access_denied")
    assert change == Change(TEXTRACT, Position.CLOSED, Position.OPEN, "ocr_access_denied")
    gate = await other.allow()
    assert (gate.allowed, gate.reason) == (False, "ocr_access_denied")
    assert 290 < gate.retry_in_seconds <= 300


async def test_each_engine_has_its_own(redis: ArqRedis, settings: Settings) -> None:
    """One that is away doesn't close the door of the other."""
    await open_up(breaker_of(redis, settings))
    assert (await Breaker(redis, EngineName.LOCAL, settings).allow()).allowed


async def test_a_success_anywhere_resets_the_count(redis: ArqRedis, settings: Settings) -> None:
    """In a row means in the fleet's row."""
    one, other = breaker_of(redis, settings), breaker_of(redis, settings)
    await one.failed(REASON)
    await one.failed(REASON)
    await other.succeeded()
    assert await one.failed(REASON) is None
    assert (await other.state()).failures == 1


async def test_of_many_at_once_one_is_told_of_the_change(redis: ArqRedis, settings: Settings) -> None:
    """Forty failures at once open it once; forty callers are one probe; forty successes close it once."""
    breakers = [breaker_of(redis, settings, ocr_breaker_open_seconds=0.2) for _ in range(40)]
    changes = await asyncio.gather(*(breaker.failed(REASON) for breaker in breakers))
    assert [change.to_state for change in changes if change] == [Position.OPEN]
    await asyncio.sleep(0.3)
    gates = await asyncio.gather(*(breaker.allow() for breaker in breakers))
    assert [gate.probe for gate in gates if gate.allowed] == [True]
    assert [gate.change.to_state for gate in gates if gate.change] == [Position.HALF_OPEN]
    changes = await asyncio.gather(*(breaker.succeeded() for breaker in breakers))
    assert [change.to_state for change in changes if change] == [Position.CLOSED]
    assert await redis.exists("quire:breaker:textract") == 0


async def test_a_failed_probe_opens_it_again(redis: ArqRedis, settings: Settings) -> None:
    """By whichever process the probe comes back."""
    one, other = (breaker_of(redis, settings, ocr_breaker_open_seconds=0.2) for _ in range(2))
    await open_up(one)
    await eventually(lambda: let_through_as_probe(one))
    change = await other.failed(REASON, probe=True)
    assert change == Change(TEXTRACT, Position.HALF_OPEN, Position.OPEN, REASON)


async def test_its_state_is_there_to_see(redis: ArqRedis, settings: Settings) -> None:
    """Closed with what counts against it, then open with since when, until when, and why."""
    breaker = breaker_of(redis, settings)
    await breaker.failed(REASON)
    closed = await breaker.state()
    assert (closed.state, closed.failures, closed.opened_at, closed.reason) == (Position.CLOSED, 1, None, REASON)
    await breaker.failed(REASON)
    await breaker.failed(REASON)
    opened = await breaker.state()
    assert (opened.state, opened.failures, opened.reason) == (Position.OPEN, 3, REASON)
    assert opened.opened_at is not None
    assert 290 < opened.retry_in_seconds <= 300


@pytest.mark.parametrize("junk", [b"\xff", b"[]", b"{}", b"3", b'{"state": "ajar"}', b'{"state": "open"}'])
async def test_what_cannot_be_read_counts_as_nothing(redis: ArqRedis, settings: Settings, junk: bytes) -> None:
    """Another version's circuit, or a hand in Redis, neither raises nor stays."""
    await redis.set("quire:breaker:textract", junk)
    breaker = breaker_of(redis, settings)
    assert (await breaker.allow()).allowed
    await open_up(breaker)


async def test_calls_that_go_well_cost_redis_nothing(redis: ArqRedis, settings: Settings) -> None:
    """A look at a closed breaker holds for a moment; a failure of this process ends that at once."""
    breaker = breaker_of(redis, settings, look_holds_seconds=60)
    await breaker.allow()
    before = (await redis.info("commandstats"))["cmdstat_eval"]["calls"]
    for _ in range(50):
        assert (await breaker.allow()).allowed
        await breaker.succeeded()
    assert (await redis.info("commandstats"))["cmdstat_eval"]["calls"] == before
    await open_up(breaker)
    assert not (await breaker.allow()).allowed


async def test_without_redis_each_process_has_its_own(settings: Settings) -> None:
    """The same rules, and no error: nothing listens at this address."""
    async with redis_at("redis://127.0.0.1:1/0") as nowhere:
        one, other = breaker_of(nowhere, settings, ocr_breaker_open_seconds=0.2), breaker_of(nowhere, settings)
        assert (await one.allow()).allowed
        await one.failed(REASON)
        await one.failed(REASON)
        assert (await one.failed(REASON)) == Change(TEXTRACT, Position.CLOSED, Position.OPEN, REASON)
        assert (await other.allow()).allowed
        await eventually(lambda: let_through_as_probe(one))
        assert not (await one.allow()).allowed
        change = await one.succeeded()
        assert change is not None
        assert change.to_state is Position.CLOSED


async def test_a_client_that_would_try_for_long_holds_nobody_up(settings: Settings) -> None:
    """Workers' clients try twenty times; thirty calls would take minutes, and are told of once."""
    async with redis_at("redis://127.0.0.1:1/0", retries=20) as nowhere:
        breaker = breaker_of(nowhere, settings)
        with capture_logs() as lines:
            async with asyncio.timeout(60):
                gates = await asyncio.gather(*(breaker.allow() for _ in range(15)))
                gates += [await breaker.allow() for _ in range(15)]
    assert all(gate.allowed for gate in gates)
    assert [line["event"] for line in lines] == ["breaker_alone"]


async def test_an_open_one_stays_open_when_redis_goes(redis: ArqRedis, settings: Settings) -> None:
    """What was last seen in Redis is what a process goes by without it."""
    async with broken_off(settings.redis_url) as (through, cut):
        breaker = breaker_of(through, settings)
        await open_up(breaker)
        await cut()
        assert not (await breaker.allow()).allowed


@asynccontextmanager
async def broken_off(url: str) -> AsyncIterator[tuple[ArqRedis, Any]]:
    """A Redis client through a door that can be shut for good."""
    host, port = url.removeprefix("redis://").split("/")[0].split("@")[-1].split(":")
    open_pipes: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        open_pipes.extend([writer, inner_writer])
        await asyncio.gather(carry(reader, inner_writer), carry(inner_reader, writer), return_exceptions=True)

    door = await asyncio.start_server(connect, "127.0.0.1", 0)

    async def cut() -> None:
        door.close()
        for pipe in open_pipes:
            pipe.transport.abort()

    port_here = door.sockets[0].getsockname()[1]
    async with redis_at(url.replace(f"{host}:{port}", f"127.0.0.1:{port_here}")) as through:
        yield through, cut
    await cut()
