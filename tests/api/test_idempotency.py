"""`Idempotency-Key`: however often a request is sent, it counts once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
from sqlalchemy import text

from app.config import Settings
from app.db import open_engine
from tests.api.proxy import proxy_to
from tests.api.running import bytes_of, client_with, problem_of, until
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
    for answer in (again, form):
        assert answer.json()["document"] == first.json()["document"]
        assert answer.json()["job"]["id"] == first.json()["job"]["id"]
        assert answer.headers["location"] == first.headers["location"]
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
