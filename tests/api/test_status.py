"""Reading where a job is: versions, and answers that wait for a change."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

from app.config import Settings
from tests.api.running import client_with, problem_of, server_process
from tests.documents import letter
from tests.service import Client, client_of, make_key


async def test_a_status_has_a_version(client: Client) -> None:
    """A weak ETag stands for the job as it is; whoever has it gets a 304, until the job changes."""
    submitted = await client.submit(letter("Hello"))
    job, document = f"/v1/jobs/{submitted['job']['id']}", f"/v1/documents/{submitted['document']['id']}"
    for path in (job, document):
        answer = await client.get(path)
        etag = answer.headers["etag"]
        assert etag.startswith('W/"')
        assert answer.headers["cache-control"] == "no-cache"
        assert int(answer.headers["retry-after"]) > 0
        for seen in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
            again = await client.get(path, headers={"If-None-Match": seen})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag), seen
        assert (await client.get(path, headers={"If-None-Match": 'W/"other"'})).status_code == 200
    await client.post(f"{job}/cancel")
    for path in (job, document):
        answer = await client.get(path, headers={"If-None-Match": etag})
        assert answer.status_code == 200
        assert "retry-after" not in answer.headers


async def test_a_wait_ends_when_the_job_changes(client: Client) -> None:
    """`?wait=` holds the answer, and gives it as soon as there is something new."""
    path = f"/v1/jobs/{(await client.submit(letter('Hello')))['job']['id']}"
    etag = (await client.get(path)).headers["etag"]
    for headers in ({}, {"If-None-Match": etag}):
        began = time.monotonic()
        answer = await client.get(path, params={"wait": 0.5}, headers=headers)
        assert 0.5 <= time.monotonic() - began < 5
        assert answer.status_code == (304 if headers else 200)
    waiting = asyncio.create_task(client.get(path, params={"wait": 50}, headers={"If-None-Match": etag}))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    began = time.monotonic()
    await client.post(f"{path}/cancel")
    answer = await waiting
    assert time.monotonic() - began < 5
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")


async def test_a_wait_does_not_hold_what_is_new_or_over(client: Client) -> None:
    """A caller with an old version is answered at once, and nobody waits for a job that has ended."""
    path = f"/v1/jobs/{(await client.submit(letter('Hello')))['job']['id']}"
    async with asyncio.timeout(10):
        answer = await client.get(path, params={"wait": 50}, headers={"If-None-Match": 'W/"old"'})
        assert answer.status_code == 200
        await client.post(f"{path}/cancel")
        etag = (await client.get(path, params={"wait": 50})).headers["etag"]
        assert (await client.get(path, params={"wait": 50}, headers={"If-None-Match": etag})).status_code == 304


async def test_a_wait_is_at_most_a_minute(client: Client) -> None:
    """Longer, shorter than nothing, or no number at all is a 422; an unknown job is a 404 without waiting."""
    for wait in ("61", "-1", "soon", "nan"):
        problem = problem_of(await client.get(f"/v1/jobs/{uuid4()}", params={"wait": wait}), 422, "request_invalid")
        assert [each["pointer"] for each in problem["errors"]] == ["/query/wait"]
    async with asyncio.timeout(10):
        problem_of(await client.get(f"/v1/jobs/{uuid4()}", params={"wait": 50}), 404, "job_not_found")


async def test_a_wait_hears_of_changes_without_redis(quick: Settings) -> None:
    """With the bell out of reach, a wait still ends soon after the job changes."""
    nowhere = "redis://127.0.0.1:1/0"
    async with client_with(quick, redis_url=nowhere) as client:
        path = f"/v1/jobs/{(await client.submit(letter('Hello')))['job']['id']}"
        waiting = asyncio.create_task(client.get(path, params={"wait": 50}))
        await asyncio.sleep(0.3)
        await client.post(f"{path}/cancel")
        async with asyncio.timeout(10):
            assert (await waiting).json()["state"] == "cancelled"


async def test_cancelling_twice_changes_nothing(client: Client) -> None:
    """A cancelled job stays cancelled, under the same version; a job that isn't there is a 404."""
    path = f"/v1/jobs/{(await client.submit(letter('Hello')))['job']['id']}"
    first, second = await client.post(f"{path}/cancel"), await client.post(f"{path}/cancel")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["last_event_number"] == second.json()["last_event_number"] == 2
    assert second.headers["location"] == path
    problem_of(await client.post(f"/v1/jobs/{uuid4()}/cancel"), 404, "job_not_found")


async def test_a_queue_position_counts_those_before(client: Client) -> None:
    """A job that hasn't begun says how many of its project stand before it."""
    ids = [(await client.submit(letter("Hello")))["job"]["id"] for _ in range(3)]
    positions = [(await client.get(f"/v1/jobs/{job_id}")).json()["queue_position"] for job_id in ids]
    assert positions == [0, 1, 2]


async def test_a_server_that_stops_lets_nobody_wait(quick: Settings, tmp_path: Path) -> None:
    """On SIGTERM the process ends long before the waits would, and they and the streams are answered before it does."""
    key = await make_key(quick)
    async with server_process(quick, tmp_path / "log") as server, client_of(server.address, key) as client:
        path = f"/v1/jobs/{(await client.submit(letter('Hello')))['job']['id']}"
        waiting = [asyncio.create_task(client.get(path, params={"wait": 50})) for _ in range(5)]
        streams = [asyncio.create_task(client.get(f"{path}/events", timeout=60)) for _ in range(5)]
        await asyncio.sleep(1)
        assert await server.stop(within_seconds=15) in {0, -15}
        assert [answer.status_code for answer in await asyncio.gather(*waiting, *streams)] == [200] * 10
    assert '"level": "error"' not in server.log.read_text()
