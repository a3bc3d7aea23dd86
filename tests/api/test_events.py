"""The audit trail, and the project's stream: who did what, nothing missing, nothing twice, nothing of others."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from app.alerts.models import AlertCode
from app.alerts.repository import raise_alert
from app.api.bell import Bell
from app.api.feeds import KEPT_PIECES, LOOK_SECONDS, LOOKS_AT_ONCE, Feeds, Kind, Piece
from app.api.streams import Following, Streams
from app.config import Settings
from app.event_log import Portion, Position
from app.events import Event as LoggedEvent
from app.events import EventDraft, EventType
from app.jobs import repository
from app.jobs.states import JobState, Stage
from app.ringing import channel
from tests.api.running import client_with, problem_of, server_process
from tests.api.sse import Event, events_of
from tests.bench import Bench
from tests.documents import letter
from tests.service import Client, client_of, make_key

PAGES = letter("One", "Two", "Three")


@asynccontextmanager
async def project_stream(
    client: Client, last_event_id: str | None = None, **said: str
) -> AsyncIterator[AsyncIterator[Event]]:
    """The project's stream."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with client.stream("GET", "/v1/events/stream", headers=headers, params=said) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield events_of(answer)


async def told(events: AsyncIterator[Event], count: int) -> list[Event]:
    """The next events of a stream, comments left out."""
    found: list[Event] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            event = await anext(events)
            found += [event] if event.type != "comment" else []
    return found


async def cancelled_job(client: Client, request_id: str = "of-the-test") -> str:
    """A job with two events: it was submitted, and cancelled under a request id."""
    job_id = (await client.submit(PAGES))["job"]["id"]
    await client.post(f"/v1/jobs/{job_id}/cancel", headers={"X-Request-ID": request_id})
    return str(job_id)


async def test_the_trail_says_who_did_what(client: Client) -> None:
    """The newest event comes first, each with the key and the request that it was done with."""
    job_id = await cancelled_job(client)
    cancelled, submitted = (await client.get("/v1/events")).json()["items"]
    assert (cancelled["type"], cancelled["payload"]["state"], cancelled["job_id"]) == ("done", "cancelled", job_id)
    assert (cancelled["request_id"], cancelled["key"]["name"]) == ("of-the-test", "first")
    assert (submitted["type"], submitted["number"]) == ("stage", 1)
    assert submitted["request_id"] != "of-the-test"


async def test_the_trail_is_filtered(client: Client) -> None:
    """Each filter keeps out what it should."""
    first, second = await cancelled_job(client, "one"), await cancelled_job(client, "two")
    items = (await client.get("/v1/events")).json()["items"]
    assert len(items) == 4
    moment, key = items[1]["created_at"], items[0]["key"]["id"]
    after = (datetime.fromisoformat(moment) + timedelta(microseconds=1)).isoformat()
    expected = {
        ("type", "done"): 2,
        ("job_id", first): 2,
        ("document_id", items[0]["document_id"]): 2,
        ("request_id", "two"): 1,
        ("key_id", key): 4,
        ("key_id", str(uuid4())): 0,
        ("batch_id", str(uuid4())): 0,
        ("severity", "error"): 0,
        ("code", "document_encrypted"): 0,
        ("from", moment): 2,
        ("to", after): 3,
    }
    for (name, value), count in expected.items():
        found = (await client.get("/v1/events", params={name: value})).json()["items"]
        assert len(found) == count, (name, value)
    both = await client.get("/v1/events", params={"type": ["done", "stage"], "job_id": second})
    assert len(both.json()["items"]) == 2


async def test_the_trail_is_paged(client: Client) -> None:
    """Going on with each cursor brings every event once, in order, also while more are written."""
    for _ in range(3):
        await cancelled_job(client)
    whole = [item["id"] for item in (await client.get("/v1/events")).json()["items"]]
    seen: list[str] = []
    parameters = {"limit": "2"}
    while True:
        answer = await client.get("/v1/events", params=parameters)
        seen += [item["id"] for item in answer.json()["items"]]
        if answer.json()["next"] is None:
            break
        assert f"cursor={answer.json()['next']}" in answer.headers["link"]
        parameters["cursor"] = answer.json()["next"]
        await client.submit(PAGES)
    assert seen == whole


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cursor", "junk"),
        ("cursor", "é"),
        ("from", "yesterday"),
        ("from", "2026-11-24"),
        ("type", "page"),
        ("limit", "0"),
        ("code", "\x00"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(client: Client, name: str, value: str) -> None:
    """What can't be meant is a 422, pages of no one document among it."""
    problem_of(await client.get("/v1/events", params={name: value}), 422, "request_invalid")


async def test_pages_are_listed_with_their_job_alone(bench: Bench, client: Client) -> None:
    """A long document doesn't drown the project's trail; its job's own has all."""
    job = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    async with bench.tools.sessions.begin() as session:
        await repository.append_events(session, job, [EventDraft(EventType.PAGE, {"page": 1})])
    assert [item["type"] for item in (await client.get("/v1/events")).json()["items"]] == ["stage"]
    items = (await client.get("/v1/events", params={"job_id": str(job.id)})).json()["items"]
    assert [item["type"] for item in items] == ["page", "stage"]


async def test_the_project_s_stream_tells_what_happens(client: Client) -> None:
    """After a snapshot come the events of all jobs, as they happen; of what was before, none."""
    await cancelled_job(client)
    async with project_stream(client) as events:
        [snapshot] = await told(events, 1)
        assert (snapshot.type, snapshot.data["position"]) == ("snapshot", snapshot.id)
        job_ids = [await cancelled_job(client), await cancelled_job(client)]
        found = await told(events, 4)
    assert [event.data["job_id"] for event in found] == [job_ids[0]] * 2 + [job_ids[1]] * 2
    assert [event.type for event in found] == ["stage", "done"] * 2
    assert [event.id for event in found] == [event.data["id"] for event in found]
    assert found[1].data["key"]["name"] == "first"


async def test_the_project_s_stream_goes_on_after_each_event(client: Client) -> None:
    """A client that is cut off after every event sees each once, in the order of the trail."""
    async with project_stream(client) as events:
        [snapshot] = await told(events, 1)
    for _ in range(3):
        await cancelled_job(client)
    seen: list[str] = []
    last = snapshot.id
    while len(seen) < 6:
        async with project_stream(client, last) as events:
            snapshot, event = await told(events, 2)
        assert snapshot.id == last
        seen.append(last := event.id)
    trail = [item["id"] for item in (await client.get("/v1/events")).json()["items"]]
    assert seen == trail[::-1]


async def test_the_project_s_stream_tells_nothing_of_others(quick: Settings, address: str, client: Client) -> None:
    """A key of another project hears of its own alone; only the wanted types come."""
    async with client_of(address, await make_key(quick, "other")) as other:
        async with project_stream(other) as others, project_stream(client, type="done") as events:
            await told(others, 1)
            await told(events, 1)
            mine, theirs = await cancelled_job(client), await cancelled_job(other)
            assert {event.data["job_id"] for event in await told(others, 2)} == {theirs}
            assert [event.data["job_id"] for event in await told(events, 1)] == [mine]
        assert len((await other.get("/v1/events")).json()["items"]) == 2


async def test_alerts_of_the_whole_service_are_told_to_every_project(bench: Bench, client: Client) -> None:
    """In the trail and in the stream, in their place among the project's own events."""
    await client.submit(PAGES)
    async with bench.tools.sessions.begin() as session:
        await raise_alert(session, AlertCode.QUEUE_UNSERVED, "batch.high", {"message": "Nobody serves it."})
    async with bench.tools.sessions.begin() as session:
        await raise_alert(session, AlertCode.BUDGET_SPENT, "theirs", project_id=await bench.rows.project("other"))
    await cancelled_job(client)
    alerts = (await client.get("/v1/events", params={"type": "alert"})).json()["items"]
    assert [(each["code"], each["payload"]["subject"]) for each in alerts] == [("queue_unserved", "batch.high")]
    types = [each["type"] for each in (await client.get("/v1/events")).json()["items"]]
    assert types.index("alert") not in {0, len(types) - 1}
    assert (await client.get("/v1/events", params={"type": "alert", "job_id": str(uuid4())})).json()["items"] == []
    async with project_stream(client, "1-0") as events:
        heard = await told(events, 1 + len(types))
    assert [event.type for event in heard[1:]] == types[::-1]


async def test_a_position_from_the_future_does_not_hang(client: Client) -> None:
    """A Last-Event-ID that the log hasn't come to leads to what happens next; one that is none is a 422."""
    async with project_stream(client, "9223372036854775807-1") as events:
        await told(events, 1)
        await cancelled_job(client)
        assert len(await told(events, 2)) == 2
    answer = await client.get("/v1/events/stream", params={"type": "page"})
    problem_of(answer, 422, "request_invalid")
    for wrong in ("5", "a-b", "9223372036854775808-1"):
        answer = await client.get("/v1/events/stream", headers={"Last-Event-ID": wrong})
        problem_of(answer, 422, "request_invalid")


async def test_an_idle_project_stream_is_kept_open_by_comments(quick: Settings) -> None:
    """While nothing happens a comment comes every so often."""
    async with client_with(quick, stream_ping_seconds=0.2) as client, project_stream(client) as events:
        async with asyncio.timeout(10):
            assert [(await anext(events)).type for _ in range(3)] == ["snapshot", "comment", "comment"]


class Counted:
    """A log in memory that counts how often it is read."""

    def __init__(self) -> None:
        self.length, self.reads = 0, 0
        self.read_at_once: list[list[UUID]] = []
        self.failing: list[Exception] = []

    async def read(self, positions: Mapping[UUID, Position]) -> Mapping[UUID, Portion]:
        """Up to 500 events after each position."""
        self.reads += 1
        if self.failing:
            raise self.failing.pop()
        self.read_at_once.append(list(positions))
        await asyncio.sleep(0)
        return {key: self._after(position) for key, position in positions.items()}

    def _after(self, position: Position) -> Portion:
        last = min(self.length, position.event_id + 500)
        found = [LoggedEvent(number=number) for number in range(position.event_id + 1, last + 1)]
        return Portion(Position.numbered(last), found, is_full=len(found) == 500)

    @staticmethod
    def render(event: LoggedEvent) -> Piece:
        """The number alone."""
        number = event.number or 0
        return Piece(Position.numbered(number), "stage", b"%d " % number)


async def test_many_clients_of_one_thing_share_each_read(settings: Settings) -> None:
    """A hundred clients of one job cost one read for each thing that happens; one who comes late reads by itself."""
    log, key = Counted(), uuid4()
    async with Redis.from_url(settings.redis_url) as redis:
        bell = Bell(redis, hearing=True)
        feeds = Feeds(Kind(log.read, log.render), bell)
        streams = Streams(bell, jobs=feeds, projects=feeds, batches=feeds, most=1000, ping_seconds=60)
        running = asyncio.create_task(feeds.run())
        seen: list[list[int]] = []

        async def follow(until: int) -> None:
            numbers: list[int] = []
            seen.append(numbers)
            following = Following(feeds, key, Position(), b"")
            async for said in streams.events(following):
                numbers += [int(word) for word in said.split() if not said.startswith(b"retry")]
                if numbers and numbers[-1] >= until:
                    return

        total = 5 * KEPT_PIECES
        clients = [asyncio.create_task(follow(total)) for _ in range(100)]
        await asyncio.sleep(0.05)
        before = log.reads
        log.length += 1
        bell._watching[key]()
        await asyncio.sleep(0.05)
        assert log.reads == before + 1
        assert seen == [[1]] * 100
        log.length = total
        bell._watching[key]()
        late = asyncio.create_task(follow(total))
        async with asyncio.timeout(60):
            await asyncio.gather(*clients, late)
        running.cancel()
    assert seen == [list(range(1, total + 1))] * 101
    assert feeds.feeds == {}


async def test_a_read_that_fails_is_made_again(settings: Settings) -> None:
    """Whether Postgres was away or it is a defect of ours: nobody's stream ends or stands still."""
    log, key = Counted(), uuid4()
    log.failing = [RuntimeError("a defect"), OSError("away")]
    log.length = 3
    async with Redis.from_url(settings.redis_url) as redis:
        bell = Bell(redis, hearing=True)
        feeds = Feeds(Kind(log.read, log.render), bell)
        running = asyncio.create_task(feeds.run())
        with feeds.following(key, Position()) as feed:
            async with asyncio.timeout(10):
                await feed.news.wait()
            assert [piece.text for piece in feed.pieces] == [b"1 ", b"2 ", b"3 "]
        running.cancel()
    assert log.reads == 3


async def test_who_rings_does_not_wait_for_those_who_are_only_looked_at(settings: Settings) -> None:
    """Of a thousand things that nobody rang for, a few at a time are looked at, behind the one that has news."""
    log = Counted()
    keys = [uuid4() for _ in range(1000)]
    async with Redis.from_url(settings.redis_url) as redis, AsyncExitStack() as followed:
        bell = Bell(redis, hearing=True)
        feeds = Feeds(Kind(log.read, log.render), bell)
        for key in keys:
            feed = followed.enter_context(feeds.following(key, Position()))
            feed.read_at -= 2 * LOOK_SECONDS
        feeds.rung.clear()
        bell._watching[keys[-1]]()
        running = asyncio.create_task(feeds.run())
        async with asyncio.timeout(10):
            while len({key for read in log.read_at_once for key in read}) < len(keys):  # noqa: ASYNC110 (the log is only a list)
                await asyncio.sleep(0.01)
        running.cancel()
    assert log.read_at_once[0][0] == keys[-1]
    assert max(map(len, log.read_at_once)) <= LOOKS_AT_ONCE + 1
    assert sum(map(len, log.read_at_once)) == len(keys)


async def test_a_new_job_is_told_of_at_once(settings: Settings, bench: Bench, client: Client) -> None:
    """The bell names the project with the first event of a job, so that its stream needn't look by itself."""
    async with Redis.from_url(settings.redis_url) as redis, redis.pubsub() as listening:
        await listening.subscribe(channel(redis))
        made = await client.submit(PAGES)
        job = await bench.rows.find(UUID(made["job"]["id"]))
        expected = f"{job.id}:1:{job.project_id}:"
        async with asyncio.timeout(10):
            async for message in listening.listen():
                if message["data"] == expected.encode():
                    return


async def test_the_project_s_stream_ends_with_the_process(quick: Settings, tmp_path: Path) -> None:
    """A process that is told to stop ends its streams and goes, however many are open."""
    key = await make_key(quick)
    async with (
        server_process(quick, tmp_path / "log") as server,
        client_of(server.address, key) as client,
        project_stream(client) as events,
    ):
        assert (await told(events, 1))[0].type == "snapshot"
        await server.stop(within_seconds=20)
        assert [event.type async for event in events if event.type != "comment"] == []
