"""Event streams over real sockets: nothing missing, nothing twice, whatever is cut."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from app.config import Settings
from tests.api.proxy import proxy_to
from tests.api.running import client_with, problem_of
from tests.api.sse import Event, open_stream, read_stream
from tests.documents import letter
from tests.service import Client

PAGES = letter("One", "Two", "Three")


def check_whole(events: list[Event], *, first: int = 1) -> None:
    """Fail the test where a stream's events aren't numbered without gap or repeat up to its end."""
    assert [event.number for event in events] == list(range(first, first + len(events)))
    assert events[-1].data["payload"]["state"] in {"done", "deadletter", "cancelled"}


async def test_a_stream_tells_all_and_ends(client: Client, worker: str) -> None:
    """A snapshot first, then every event of the job in order, each page among them; then the stream ends."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    async with asyncio.timeout(60):
        snapshot, *events = await read_stream(client, job_id)
    assert (snapshot.type, snapshot.number) == ("snapshot", 0)
    assert snapshot.data["id"] == job_id
    check_whole(events)
    assert [event.data["payload"]["page"] for event in events if event.type == "page"] == [1, 2, 3]
    assert events[-1].type == "done"
    for event in events:
        assert (event.data["number"], event.data["type"], event.data["job_id"]) == (event.number, event.type, job_id)
    job = (await client.get(f"/v1/jobs/{job_id}")).json()
    assert job["last_event_number"] == events[-1].number
    assert [event.number for event in await read_stream(client, job_id)] == [0, *range(1, len(events) + 1)]


async def test_a_stream_that_is_cut_after_each_event_misses_none(client: Client, worker: str) -> None:
    """A client that loses its connection after every event, and comes back with its id, sees each event once."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    seen: list[Event] = []
    last: int | None = None
    async with asyncio.timeout(60):
        while not seen or seen[-1].data["payload"].get("state") not in {"done", "deadletter"}:
            async with open_stream(client, job_id, last) as (_, events):
                snapshot, event = await anext(events), await anext(events)
            assert (snapshot.type, snapshot.number) == ("snapshot", last or 0)
            seen.append(event)
            last = event.number
    check_whole(seen)
    answer = await client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(last)})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_client_cut_off_after_the_snapshot_resumes_from_it(client: Client) -> None:
    """The snapshot's id is the place to go on from, not the number of an event that was never sent."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    await client.post(f"/v1/jobs/{job_id}/cancel")
    for start in (None, 1):
        async with open_stream(client, job_id, start) as (_, events):
            snapshot = await anext(events)
        _, *rest = await read_stream(client, job_id, snapshot.number)
        check_whole(rest, first=(start or 0) + 1)


async def test_an_id_from_the_future_does_not_hang(client: Client) -> None:
    """A Last-Event-ID that the job hasn't come to still leads to the events that follow, and to the end."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    for number in (1000, 99999999999999999999):
        async with open_stream(client, job_id, number) as (answer, events):
            assert answer.status_code == 200
            assert (await anext(events)).number == 1
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
    async with open_stream(client, job_id, 1000) as (_, events), asyncio.timeout(10):
        await anext(events)
        await client.post(f"/v1/jobs/{job_id}/cancel")
        assert (await anext(events)).number == 2
    assert (await client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "1000"})).status_code == 204


async def test_an_id_that_is_none_is_refused(client: Client) -> None:
    """A Last-Event-ID that is no number is a 422."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    for wrong in ("abc", "-1", "1.5", "1" * 21):
        answer = await client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": wrong})
        problem = problem_of(answer, 422, "request_invalid")
        assert problem["errors"][0]["pointer"].lower() == "/header/last-event-id"


async def test_an_idle_stream_is_kept_open_by_comments(quick: Settings) -> None:
    """While nothing happens a comment comes every so often, and an event comes at once all the same."""
    async with client_with(quick, stream_ping_seconds=0.2) as client:
        job_id = (await client.submit(PAGES))["job"]["id"]
        async with open_stream(client, job_id, 1) as (_, events), asyncio.timeout(10):
            assert [(await anext(events)).type for _ in range(4)] == ["snapshot", "comment", "comment", "comment"]
            await client.post(f"/v1/jobs/{job_id}/cancel")
            rest = [event async for event in events if event.type != "comment"]
        check_whole(rest, first=2)


async def test_more_streams_than_there_is_room_for_are_turned_away(quick: Settings) -> None:
    """At the cap another stream is a 503 with Retry-After; when one is closed there is room again."""
    async with client_with(quick, max_streams=1) as client:
        job_id = (await client.submit(PAGES))["job"]["id"]
        async with open_stream(client, job_id) as (_, events):
            await anext(events)
            answer = await client.get(f"/v1/jobs/{job_id}/events")
            problem_of(answer, 503, "overloaded")
            assert int(answer.headers["retry-after"]) > 0
        async with asyncio.timeout(10):
            while True:
                async with open_stream(client, job_id) as (answer, events):
                    if answer.status_code == 200:
                        break


async def test_a_client_that_reads_nothing_holds_nobody_up(client: Client) -> None:
    """While one client doesn't take its events, the others get theirs."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    address = urlsplit(str(client.base_url))
    _, writer = await asyncio.open_connection(address.hostname, address.port, limit=1)
    head = (
        f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: q\r\nAuthorization: {client.headers['authorization']}\r\n\r\n"
    )
    writer.write(head.encode() * 50)  # pipelined, and never read
    await writer.drain()
    reading = [asyncio.create_task(read_stream(client, job_id)) for _ in range(20)]
    await asyncio.sleep(0.5)
    await client.post(f"/v1/jobs/{job_id}/cancel")
    async with asyncio.timeout(60):
        for stream in await asyncio.gather(*reading):
            check_whole(stream[1:])
    writer.transport.abort()


@pytest.mark.parametrize("outage", ["flushed", "cut", "away", "junk"])
async def test_a_stream_does_not_depend_on_redis(quick: Settings, outage: str) -> None:
    """Events come through when Redis is emptied, drops its subscribers, is away, or speaks nonsense."""
    async with proxy_to(quick.redis_url) as redis, client_with(quick, redis_url=redis.url) as client:
        job_id = (await client.submit(PAGES))["job"]["id"]
        async with open_stream(client, job_id, 1) as (_, events), Redis.from_url(quick.redis_url) as direct:
            await anext(events)
            await asyncio.sleep(0.2)
            if outage == "flushed":
                await direct.flushdb()
            elif outage == "junk":
                database = direct.connection_pool.connection_kwargs["db"]
                for junk in (b"junk", b"", b"\xff:1"):
                    await direct.publish(f"quire:{database}:events", junk)
            else:
                redis.cut()
                if outage == "cut":
                    redis.mend()
            began = time.monotonic()
            await client.post(f"/v1/jobs/{job_id}/cancel")
            async with asyncio.timeout(12):
                check_whole([event async for event in events if event.type != "comment"], first=2)
            assert time.monotonic() - began < 10


async def test_a_stream_of_what_ended_is_told_from_the_database(client: Client) -> None:
    """Whoever comes late gets the whole story, and then the end."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    await client.post(f"/v1/jobs/{job_id}/cancel")
    async with asyncio.timeout(10):
        snapshot, *events = await read_stream(client, job_id)
    assert snapshot.data["state"] == "cancelled"
    check_whole(events)
