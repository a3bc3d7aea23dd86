"""`Idempotency-Key`: however often a request is sent, it counts once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.config import Settings
from app.db import open_engine
from app.errors import IdempotencyInProgress
from app.idempotency import Answer, Answered, Claim, Keys, keep
from tests.api.proxy import proxy_to
from tests.api.running import bytes_of, client_with, problem_of, until
from tests.bench import Bench
from tests.documents import letter
from tests.service import Client, client_of, make_key

PDF = letter("Hello")


async def submit(client: Client, key: str, content: Any = PDF, **said: str) -> httpx.Response:
    """Submit under a key."""
    return await client.post("/v1/documents", params=said, content=content, headers={"Idempotency-Key": key})


async def test_the_same_request_again_gets_the_first_answer(client: Client) -> None:
    """A repeated request names the document and job that the first one made, also by way of a form."""
    first, again = await submit(client, "k", filename="a.pdf"), await submit(client, "k", filename="a.pdf")
    form = await client.post("/v1/documents", files={"file": ("a.pdf", PDF)}, headers={"Idempotency-Key": "k"})
    assert [answer.status_code for answer in (first, again, form)] == [202, 202, 202]
    assert "idempotency-replayed" not in first.headers
    for answer in (again, form):
        assert answer.content == first.content
        assert answer.headers["idempotency-replayed"] == "true"
        for name in ("location", "retry-after", "content-type"):
            assert answer.headers[name] == first.headers[name]
    assert (await submit(client, "k2", filename="a.pdf")).json()["document"]["id"] != first.json()["document"]["id"]


async def test_another_request_under_the_same_key_is_refused(client: Client) -> None:
    """Other bytes, or other things said of them, under a used key are a 422 `idempotency_mismatch`."""
    await submit(client, "k")
    problem_of(await submit(client, "k", PDF + b"\n"), 422, "idempotency_mismatch")
    problem_of(await submit(client, "k", priority="high"), 422, "idempotency_mismatch")
    problem_of(await submit(client, "k", letter("Other")), 422, "idempotency_mismatch")


async def test_two_at_once_make_one_document(client: Client) -> None:
    """Of requests that come together one creates; the others get its answer, or are told to come back."""
    answers = await asyncio.gather(*(submit(client, "k") for _ in range(6)))
    made = {answer.json()["document"]["id"] for answer in answers if answer.status_code == 202}
    assert len(made) == 1
    for answer in answers:
        if answer.status_code != 202:
            problem_of(answer, 409, "idempotency_in_progress")
            assert int(answer.headers["retry-after"]) > 0
    assert (await submit(client, "k")).json()["document"]["id"] in made


async def test_a_request_under_way_holds_its_key(quick: Settings, client: Client) -> None:
    """While the first upload is still arriving, a second one is told so at once."""
    go = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield PDF[:100]
        await go.wait()
        yield PDF[100:]

    first = asyncio.create_task(submit(client, "k", slowly()))
    await until(lambda: keys_taken(quick))
    problem_of(await submit(client, "k"), 409, "idempotency_in_progress")
    go.set()
    assert (await first).status_code == 202


async def test_a_failed_request_lets_its_key_go(client: Client) -> None:
    """After a refusal the key can be used again, for the request as it should have been."""
    problem_of(await submit(client, "k", b"hello"), 415, "unsupported_media_type")
    problem_of(await submit(client, "k", b""), 422, "document_empty")
    assert (await submit(client, "k")).status_code == 202


async def test_a_client_that_went_away_lets_its_key_go(client: Client) -> None:
    """When the connection breaks in the middle of an upload, the same request can be sent again."""

    async def breaking() -> AsyncIterator[bytes]:
        yield PDF[:100]
        raise ConnectionResetError

    with suppress(ConnectionResetError):
        await submit(client, "k", breaking())
    await until(lambda: key_is_free(client))


async def keys_taken(settings: Settings) -> bool:
    """Whether any key is in the database."""
    engine = open_engine(settings)
    async with engine.connect() as connection:
        count = await connection.scalar(text("SELECT count(*) FROM idempotency_keys"))
    await engine.dispose()
    return bool(count)


async def key_is_free(client: Client) -> bool:
    """Whether a submission under the key is taken in."""
    return (await submit(client, "k")).status_code == 202


async def test_keys_belong_to_a_project(quick: Settings, address: str, client: Client) -> None:
    """Two projects that choose the same key know nothing of each other."""
    first = await submit(client, "k")
    async with client_of(address, await make_key(quick, "other")) as other:
        second = await submit(other, "k", letter("Other"))
    assert second.status_code == 202
    assert second.json()["document"]["id"] != first.json()["document"]["id"]


async def test_keys_belong_to_a_route(client: Client) -> None:
    """The same key on another call is another request; on the same call for something else it is a mismatch."""
    first, other = await submit(client, "k"), await submit(client, "other")
    for job in (first, other):
        await client.post(f"/v1/jobs/{job.json()['job']['id']}/cancel")
    headers = {"Idempotency-Key": "k"}
    paths = [f"/v1/documents/{answer.json()['document']['id']}/reprocess" for answer in (first, other)]
    again = [await client.post(paths[0], json={}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in again] == [202, 202]
    assert again[0].content == again[1].content
    assert again[0].json()["job"]["id"] != first.json()["job"]["id"]
    problem_of(await client.post(paths[1], json={}, headers=headers), 422, "idempotency_mismatch")


async def test_an_upload_is_begun_once(client: Client) -> None:
    """The same key gives the same upload, however the JSON is written, and other sizes are a mismatch."""
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    bodies = (b'{"size_bytes": 5, "priority": "low"}', b'{"priority":"low","size_bytes":5}', b'{"size_bytes": 6}')
    first, again, other = [await client.post("/v1/uploads", content=body, headers=headers) for body in bodies]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    problem_of(other, 422, "idempotency_mismatch")


async def test_a_batch_is_submitted_once(client: Client) -> None:
    """The same key gives the same batch, with what was refused of it; other documents are a mismatch."""
    document_id = (await client.submit(PDF))["document"]["id"]
    items: list[dict[str, str]] = [{"document_id": document_id}, {"source": "nowhere"}]
    said = {"documents": items, "preflight": "warn"}
    first, again = [await client.post("/v1/batches", json=said, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202), first.text
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await client.get("/v1/batches")).json()["items"]) == 1
    other = await client.post("/v1/batches", json={**said, "documents": items[:1]}, headers={"Idempotency-Key": "k"})
    problem_of(other, 422, "idempotency_mismatch")


async def test_the_key_of_a_dead_request_is_taken_over(bench: Bench) -> None:
    """Once its lock has run out another request has the key, and the first one can neither answer nor let it go."""
    keys, project_id = Keys(bench.tools.sessions), await bench.rows.project()
    answer = Answer(202, "{}", {"Location": "/v1/jobs/x"})
    dead = await keys.take(project_id, "POST /v1/documents", "k")
    assert isinstance(dead, Claim)
    with pytest.raises(IdempotencyInProgress):
        await keys.take(project_id, "POST /v1/documents", "k")
    await execute(bench, "UPDATE idempotency_keys SET locked_until = now() - interval '1 second'")
    alive = await keys.take(project_id, "POST /v1/documents", "k")
    assert isinstance(alive, Claim)
    await keys.release(dead)
    with pytest.raises(IdempotencyInProgress):
        async with bench.tools.sessions.begin() as session:
            await keep(session, dead, "the dead one's", answer)
    async with bench.tools.sessions.begin() as session:
        await keep(session, alive, "the living one's", answer)
    await keys.release(alive)
    assert await keys.take(project_id, "POST /v1/documents", "k") == Answered("the living one's", answer)


async def test_keys_are_forgotten_after_a_day(client: Client, bench: Bench) -> None:
    """The sweep forgets a key past its time, and the request counts anew."""
    first = await submit(client, "k")
    await execute(bench, "UPDATE idempotency_keys SET created_at = now() - interval '23 hours'")
    await bench.sweep.sweep()
    assert (await submit(client, "k")).content == first.content
    await execute(bench, "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    await bench.sweep.sweep()
    assert (await submit(client, "k")).json()["document"]["id"] != first.json()["document"]["id"]


async def test_an_answer_is_erased_with_its_document(client: Client, bench: Bench) -> None:
    """What a client said of a document isn't kept in an old answer."""
    document_id = (await submit(client, "k", filename="secret.pdf")).json()["document"]["id"]
    await execute(bench, f"DELETE FROM events; DELETE FROM documents WHERE id = '{document_id}'")
    assert (await submit(client, "k", filename="secret.pdf")).json()["document"]["id"] != document_id


async def execute(bench: Bench, statements: str) -> None:
    """Change rows behind the back of the service."""
    async with bench.tools.sessions.begin() as session:
        for statement in statements.split(";"):
            await session.execute(text(statement))


async def test_a_key_lives_through_an_outage_of_the_storage(quick: Settings) -> None:
    """A request that failed for want of storage can be repeated under its key."""
    async with (
        proxy_to(quick.aws_endpoint_url_s3) as s3,
        client_with(quick, aws_endpoint_url_s3=s3.url) as client,
    ):
        s3.cut()
        problem_of(await submit(client, "k"), 503, "storage_unavailable")
        s3.mend()
        assert (await submit(client, "k")).status_code == 202


async def test_a_repeated_upload_is_held_to_the_limit_too(quick: Settings) -> None:
    """A used key doesn't open the door to a body without end."""
    async with client_with(quick, max_document_bytes=20_000) as client:
        await submit(client, "k")
        problem_of(await submit(client, "k", bytes_of([PDF, bytes(20_000)])), 413, "document_too_large")


async def test_a_key_must_be_sound(client: Client) -> None:
    """A key that is empty or too long is a 422."""
    for key in ("", "x" * 256):
        problem = problem_of(await submit(client, key), 422, "request_invalid")
        assert problem["errors"][0]["pointer"].lower() == "/header/idempotency-key"
