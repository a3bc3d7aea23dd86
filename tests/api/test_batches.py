"""Batches as their users meet them: submitted, watched, stopped, and never accepted in silence for nobody to work on."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest

from app.config import Settings
from app.documents.state_cache import KeptState, kept_state, renew_state, state_key
from app.documents.text_cache import text_key
from app.queue import QueueName
from tests.api.running import client_with, problem_of, until
from tests.api.sse import Event, events_of
from tests.bench import Bench, open_bench
from tests.documents import letter
from tests.ocr.textract import FakeTextract, running_fake
from tests.service import Client, client_of, make_key
from workers.main import serving


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def told(quick: Settings, fake: FakeTextract) -> Settings:
    """Settings that lead to it."""
    return quick.model_copy(update={"ocr_engines": "textract", "aws_endpoint_url_textract": fake.url})


async def documents(bench: Bench, count: int) -> list[dict[str, str]]:
    """Items of so many letters that nothing was done with."""
    made = [await bench.rows.document(letter(f"Letter {number}")) for number in range(count)]
    return [{"document_id": str(document.id), "external_id": f"mine-{n}"} for n, document in enumerate(made)]


async def submitted(client: Client, **body: Any) -> dict[str, Any]:
    """Submit a batch and return the answer's JSON; fails the test where it is refused."""
    answer = await client.post("/v1/batches", json=body)
    assert answer.status_code == 202, answer.text
    accepted: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{accepted['batch']['id']}"
    return accepted


async def ended(client: Client, batch_id: str) -> dict[str, Any]:
    """The batch once it has ended."""
    async with asyncio.timeout(60):
        while True:
            batch: dict[str, Any] = (await client.get(f"/v1/batches/{batch_id}", params={"wait": 5})).json()
            if batch["state"] in {"done", "cancelled"}:
                return batch


async def test_a_batch_from_its_submission_to_its_report(told: Settings) -> None:
    """Sound items are read, broken ones are reported by number; the counts, the list and the report agree."""
    async with open_bench(told) as bench, client_with(told) as client, serving(told):
        items: list[Any] = await documents(bench, 3)
        body = {"documents": [*items, {"document_id": str(uuid4())}, {"nonsense": 1}], "options": {"stages": ["ocr"]}}
        accepted = await submitted(client, **body, external_id="case-7", metadata={"a": 1}, preflight="warn")
        assert [(each["number"], each["code"]) for each in accepted["refused"]] == [
            (4, "document_not_found"), (5, "request_invalid"),
        ]  # fmt: skip
        path = f"/v1/batches/{accepted['batch']['id']}"
        batch = await ended(client, accepted["batch"]["id"])
        progress = batch["progress"]
        assert (batch["state"], batch["percent"], batch["external_id"]) == ("done", 100, "case-7")
        assert (progress["items"], progress["jobs"]) == ({"taken": 3, "refused": 2}, {"done": 3})
        assert (progress["documents_done"], progress["pages_done"], progress["pages_total"]) == (3, 3, 3)
        assert progress["errors"] == {"document_not_found": 1, "request_invalid": 1}
        assert progress["cost_microdollars"] == 3 * 1500
        listed = (await client.get(f"{path}/jobs", params={"limit": 2})).json()
        rest = (await client.get(f"{path}/jobs", params={"limit": 200, "cursor": listed["next"]})).json()
        found = listed["items"] + rest["items"]
        assert [item["number"] for item in found] == [1, 2, 3, 4, 5]
        assert [item["external_id"] for item in found] == ["mine-0", "mine-1", "mine-2", None, None]
        assert {item["job"]["priority"] for item in found if item["job"]} == {"normal"}
        failed = (await client.get(f"{path}/jobs", params={"code": "request_invalid"})).json()["items"]
        assert [item["number"] for item in failed] == [5]
        report = await client.get(f"{path}/report.ndjson")
        assert report.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in report.text.splitlines()] == found
        plain = await client.get(f"{path}/report.ndjson", headers={"Accept": "text/plain"})
        assert (plain.headers["content-type"], plain.content) == ("text/plain; charset=utf-8", report.content)
        batches = (await client.get("/v1/batches", params={"state": "done"})).json()["items"]
        assert [each["id"] for each in batches] == [batch["id"]]


async def test_no_worker_serves_the_queue_and_the_caller_is_told(told: Settings) -> None:
    """The story: nobody serves batch.high. The caller hears it at once; with a worker started the batch runs."""
    async with open_bench(told) as bench, client_with(told) as client:
        body = {"priority": "high", "documents": await documents(bench, 2), "options": {"stages": ["ocr"]}}
        others = [queue for queue in QueueName if queue is not QueueName.BATCH_HIGH]
        async with serving(told, others):
            problem = problem_of(await client.post("/v1/batches", json=body), 503, "no_workers")
            assert "batch.high" in problem["detail"]
            assert "ocr" not in problem["detail"]
            accepted = await submitted(client, **body, preflight="warn")
            [warning] = accepted["batch"]["warnings"]
            assert (warning["code"], warning["queues"]) == ("no_workers", ["batch.high"])
            async with serving(told, [QueueName.BATCH_HIGH]):
                batch = await ended(client, accepted["batch"]["id"])
    assert (batch["state"], batch["progress"]["jobs"]) == ("done", {"done": 2})


async def test_what_is_refused_as_a_whole(client: Client) -> None:
    """No items, too many, no JSON, unknown fields, too many bytes: the caller is told which."""
    path = "/v1/batches"
    problem = problem_of(await client.post(path, json={"documents": []}), 422, "request_invalid")
    assert problem["errors"][0]["pointer"] == "/body/documents"
    many = [{"document_id": str(UUID(int=number))} for number in range(10_001)]
    problem_of(await client.post(path, json={"documents": many}), 422, "request_invalid")
    problem_of(await client.post(path, content=b"{"), 422, "request_invalid")
    problem_of(await client.post(path, json={"documents": [{}], "priorty": "high"}), 422, "request_invalid")
    problem_of(await client.post(path, json={"documents": [{}], "metadata": {"a": "\x00"}}), 422, "request_invalid")


async def test_a_body_that_is_too_long(quick: Settings) -> None:
    """It is not read to its end."""
    async with client_with(quick, batch_request_bytes=1000) as client:
        problem_of(await client.post("/v1/batches", content=b" " * 1001), 413, "request_too_large")


async def test_ten_thousand_ids_are_accepted_by_one_statement(client: Client) -> None:
    """Of which none is there: each is refused in place, and the call succeeds."""
    many = [{"document_id": str(UUID(int=number + 1))} for number in range(10_000)]
    accepted = await submitted(client, documents=many, preflight="warn")
    assert [each["number"] for each in accepted["refused"]] == list(range(1, 10_001))
    assert accepted["batch"]["state"] == "done"


async def test_broken_items_fail_nothing_else(client: Client) -> None:
    """Whatever stands in the list, the answer names its number and says what is wrong."""
    broken: list[Any] = [None, 7, "x", [], {}, {"document_id": "no"}, {"source": "a", "upload_id": str(uuid4())}]
    broken += [{"document_id": str(uuid4()), "metadata": {"a": "\x00"}}, {"source": "x\x00"}]
    accepted = await submitted(client, documents=broken, preflight="warn")
    assert [(each["number"], each["code"]) for each in accepted["refused"]] == [
        (number, "request_invalid") for number in range(1, len(broken) + 1)
    ]
    assert "exactly one of" in accepted["refused"][4]["message"]


async def test_a_batch_is_stopped(quick: Settings, address: str, client: Client, bench: Bench) -> None:
    """Cancelling ends it, again it answers the same; it can't be tried again, and a stranger sees nothing of it."""
    accepted = await submitted(client, documents=await documents(bench, 2), preflight="warn")
    path = f"/v1/batches/{accepted['batch']['id']}"
    for _ in range(2):
        answer = await client.post(f"{path}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    problem_of(await client.post(f"{path}/retry"), 409, "state_conflict")
    async with client_of(address, await make_key(quick, "another")) as stranger:
        for ask in ("", "/jobs", "/report.ndjson"):
            problem_of(await stranger.get(path + ask), 404, "batch_not_found")
        for ask in ("/cancel", "/retry"):
            problem_of(await stranger.post(path + ask), 404, "batch_not_found")
        assert (await stranger.get("/v1/batches")).json() == {"items": [], "next": None}


async def test_a_status_read_that_has_nothing_new(client: Client, bench: Bench) -> None:
    """The same version is a 304 without a body; after a change there is another."""
    accepted = await submitted(client, documents=await documents(bench, 1), preflight="warn")
    path = f"/v1/batches/{accepted['batch']['id']}"
    first = await client.get(path)
    same = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    await client.post(f"{path}/cancel")
    changed = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")


async def stream_of(client: Client, path: str, last_event_id: str | None = None) -> list[Event]:
    """All events of a batch's stream, to its end."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with client.stream("GET", f"{path}/events", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        return [event async for event in events_of(answer) if event.type != "comment"]


async def test_the_stream_of_a_batch(told: Settings) -> None:
    """A snapshot, the end of every job once, and the batch's own end; whoever was cut off gets the rest, and then 204."""
    async with open_bench(told) as bench, client_with(told) as client:
        items = await documents(bench, 4)
        body = {"documents": items, "options": {"stages": ["ocr"]}, "preflight": "warn"}
        path = f"/v1/batches/{(await submitted(client, **body))['batch']['id']}"
        reading = asyncio.create_task(stream_of(client, path))
        async with serving(told):
            events = await reading
        assert (events[0].type, events[0].data["item_count"]) == ("snapshot", 4)
        ends = [event for event in events if "job_id" in event.data]
        assert [event.data["payload"]["state"] for event in ends] == ["done"] * 4
        assert len({event.data["job_id"] for event in ends}) == 4
        assert (events[-1].type, events[-1].data["state"], events[-1].data["percent"]) == ("done", "done", 100)
        percents = [event.data["percent"] for event in events if "percent" in event.data]
        assert percents == sorted(percents)
        rest = await stream_of(client, path, ends[1].id)
        assert [event.data["job_id"] for event in rest if "job_id" in event.data] == [
            event.data["job_id"] for event in ends[2:]
        ]
        assert rest[-1].type == "done"
        over = await client.get(f"{path}/events", headers={"Last-Event-ID": events[-1].id})
        assert over.status_code == 204
        late = await stream_of(client, path)
        assert [event.type for event in late] == ["snapshot", "done"]
        problem_of(await client.get(f"{path}/events", headers={"Last-Event-ID": "x"}), 422, "request_invalid")


async def test_states_come_out_of_a_warm_cache(bench: Bench, client: Client) -> None:
    """As long as nothing has happened since; then what is kept is renewed, and Redis that is broken is no matter."""
    redis = bench.tools.redis
    made = await client.submit(letter("A letter"))
    document_id, path = UUID(made["document"]["id"]), f"/v1/documents/{made['document']['id']}"
    job = await bench.rows.find(UUID(made["job"]["id"]))
    state = (await client.get(path)).json()["state"]
    assert await kept_state(redis, document_id) is None
    await renew_state(redis, document_id, KeptState.of(job, state | {"ocr": {"status": "from the cache"}}))
    assert (await client.get(path)).json()["state"]["ocr"] == {"status": "from the cache"}
    await client.post(f"/v1/jobs/{job.id}/cancel")
    assert (await client.get(path)).json()["state"]["ocr"]["status"] == "cancelled"
    kept = await kept_state(redis, document_id)
    assert kept is not None
    assert kept.state["ocr"]["status"] == "cancelled"
    await redis.set(state_key(document_id), b"[]")
    assert (await client.get(path)).json()["state"]["ocr"]["status"] == "cancelled"


async def test_texts_come_out_of_a_warm_cache(told: Settings) -> None:
    """While a batch is under way, the text of an earlier run is read where the batch has had it put; and it is that run's."""
    async with open_bench(told) as bench, client_with(told) as client:
        [item] = await documents(bench, 1)
        document_id = UUID(item["document_id"])
        async with serving(told):
            first = await submitted(client, documents=[item], options={"stages": ["ocr"]}, preflight="warn")
            await ended(client, first["batch"]["id"])
        path, redis, key = f"/v1/documents/{document_id}/text", bench.tools.redis, text_key(document_id)
        text = (await client.get(path)).text
        async with serving(told, [QueueName.BATCH_LOW]):
            body = {"documents": [item], "options": {"warm_cache": True}, "priority": "low", "preflight": "warn"}
            second = await submitted(client, **body)
            await until(lambda: _is_taken(client, second["batch"]["id"]))
        assert ((await cast("Awaitable[Any]", redis.hget(key, "text"))).decode()) + "\n" == text
        assert (await client.get(path)).text == text
        await cast("Awaitable[int]", redis.hset(key, "text", "from the cache"))
        assert (await client.get(path)).text == "from the cache\n"
        await cast("Awaitable[int]", redis.hset(key, "job_id", str(uuid4())))
        assert (await client.get(path)).text == text


async def _is_taken(client: Client, batch_id: str) -> bool:
    listed = (await client.get(f"/v1/batches/{batch_id}/jobs", params={"status": "taken"})).json()
    return bool(listed["items"])


async def test_imports_and_uploads_come_with_a_batch(told: Settings) -> None:
    """What isn't a document yet becomes one when it is taken, with what was said of it; a missing source is refused."""
    async with open_bench(told) as bench:
        bucket, s3 = f"incoming-{uuid4()}", bench.rows.bucket.client
        await s3.create_bucket(Bucket=bucket)
        await s3.put_object(Bucket=bucket, Key="brief.pdf", Body=letter("A brief"))
        allowing = told.model_copy(update={"import_buckets": bucket})
        async with client_with(allowing) as client, httpx.AsyncClient() as store, serving(allowing):
            content = letter("An upload")
            upload = (await client.post("/v1/uploads", json={"size_bytes": len(content)})).json()
            for part in upload["parts"]["items"]:
                (await store.put(part["url"], content=content)).raise_for_status()
            items = [
                {"source": f"s3://{bucket}/brief.pdf", "external_id": "b", "metadata": {"n": 1}},
                {"source": f"s3://{bucket}/gone.pdf"},
                {"upload_id": upload["id"]},
            ]
            accepted = await submitted(client, documents=items, options={"stages": ["ocr"]}, priority="high")
            assert accepted["refused"] == []
            batch = await ended(client, accepted["batch"]["id"])
            assert batch["progress"]["jobs"] == {"done": 2}
            assert batch["progress"]["errors"] == {"source_not_found": 1}
            found = (await client.get(f"/v1/batches/{batch['id']}/jobs")).json()["items"]
            assert [item["status"] for item in found] == ["taken", "refused", "taken"]
            assert {item["job"]["priority"] for item in found if item["job"]} == {"high"}
            document = (await client.get(f"/v1/documents/{found[0]['document_id']}")).json()
            assert (document["filename"], document["external_id"], document["metadata"]) == ("brief.pdf", "b", {"n": 1})


async def test_a_key_makes_a_submission_count_once(client: Client, bench: Bench) -> None:
    """The second answer is the first one's, and there is one batch."""
    body = {"documents": await documents(bench, 1), "preflight": "warn"}
    headers = {"Idempotency-Key": "once"}
    answers = [await client.post("/v1/batches", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert len((await client.get("/v1/batches")).json()["items"]) == 1
    other = await client.post("/v1/batches", json={**body, "priority": "low"}, headers=headers)
    problem_of(other, 422, "idempotency_mismatch")


async def test_batches_are_listed_page_by_page(client: Client) -> None:
    """The newest first, each once."""
    made = [(await submitted(client, documents=[{}], preflight="warn"))["batch"]["id"] for _ in range(3)]
    first = await client.get("/v1/batches", params={"limit": 2})
    rest = (await client.get("/v1/batches", params={"limit": 2, "cursor": first.json()["next"]})).json()
    assert [each["id"] for each in first.json()["items"] + rest["items"]] == made[::-1]
    assert 'rel="next"' in first.headers["link"]
    assert rest["next"] is None
