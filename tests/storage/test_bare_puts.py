"""Small objects are stored by bare requests, and by the SDK's client wherever one of those does not do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from uuid import uuid4

import pytest

from app.config import Settings
from app.errors import StorageUnavailable
from app.resources import aws_session, open_bucket
from app.storage.bare_puts import LEFT_OUT_SECONDS
from app.storage.s3 import Bucket

BY_THE_CLIENT = "amz-sdk-invocation-id"
"""A header that the SDK's client gives each request."""

SAID = ("", "content-type", "x-amz-checksum-crc32", "x-amz-content-sha256", "content-length", "host")
"""What both say alike."""


@dataclass(slots=True)
class Store:
    """A store that takes whatever comes, but for what it is told to answer first: a status, or 0 to hang up.

    A 303 leads back to itself, by a GET.
    """

    before: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request, and its method and path under an empty name."""
    bodies: list[bytes] = field(default_factory=list)

    @property
    def by_the_client(self) -> list[bool]:
        """Of each request, whether the SDK's client has sent it."""
        return [BY_THE_CLIENT in headers for headers in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self.asked.append(headers | {"": head[0].rpartition(" ")[0]})
        self.bodies.append(await reader.readexactly(int(headers.get("content-length", 0))))
        status = self.before.pop(0) if self.before else 200
        if status:
            there = "Location: /elsewhere\r\n" if status == HTTPStatus.SEE_OTHER else ""
            writer.write(f"HTTP/1.1 {status} Said\r\n{there}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()


@asynccontextmanager
async def opened(settings: Settings, *before: int) -> AsyncIterator[tuple[Store, Bucket]]:
    """A bucket in such a store."""
    store = Store([*before])
    server = await asyncio.start_server(store.serve, "127.0.0.1", 0)
    there = {"aws_endpoint_url_s3": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "s3_bucket": "a-bucket"}
    changed = settings.model_copy(update=there)
    async with server, open_bucket(aws_session(changed), changed) as bucket:
        yield store, bucket


async def test_a_small_object_takes_one_bare_request(settings: Settings) -> None:
    async with opened(settings) as (store, bucket):
        await bucket.put("texts/1 + 1.txt", b"two", "text/plain", "gzip")
    (headers,) = store.asked
    assert store.by_the_client == [False]
    assert headers[""] == "PUT /a-bucket/texts/1%20%2B%201.txt"
    assert (headers["content-type"], headers["content-encoding"]) == ("text/plain", "gzip")
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert store.bodies == [b"two"]


@pytest.mark.parametrize("before", [(0, 0), (301,), (403,), (503,)], ids=["hang-up", "redirect", "refusal", "busy"])
async def test_the_client_stores_what_a_bare_request_did_not(settings: Settings, before: tuple[int, ...]) -> None:
    """It knows redirects and when to try again; the connections below both send once more where they are hung up on."""
    async with opened(settings, *before) as (store, bucket):
        await bucket.put("texts/1.txt", b"two", "text/plain")
    assert store.by_the_client == [*(False for _ in before), True]
    assert set(store.bodies) == {b"two"}
    ours, theirs = ({name: store.asked[at][name] for name in SAID} for at in (0, -1))
    assert ours == theirs


async def test_a_redirect_that_was_followed_has_stored_nothing(settings: Settings) -> None:
    """The connections follow it by themselves, by a GET, whose 200 says nothing of the object."""
    async with opened(settings, 303) as (store, bucket):
        await bucket.put("texts/1.txt", b"two", "text/plain")
    assert [headers[""].split(" ")[0] for headers in store.asked] == ["PUT", "GET", "PUT"]
    assert store.by_the_client == [False, False, True]


async def test_bare_requests_that_are_in_vain_are_left_out_for_a_while(settings: Settings) -> None:
    """After three in a row; one in between that stores its object begins the count anew."""
    now = 0.0
    async with opened(settings, *(403, 200) * 2, 200, *(403, 200) * 3) as (store, bucket):
        assert bucket.bare_puts is not None
        clocked = replace(bucket, bare_puts=replace(bucket.bare_puts, clock=lambda: now))
        for _ in range(8):
            await clocked.put("texts/1.txt", b"two", "text/plain")
        assert store.by_the_client == [*(False, True) * 2, False, *(False, True) * 3, True, True]
        now = LEFT_OUT_SECONDS + 1
        await clocked.put("texts/1.txt", b"two", "text/plain")
    assert not store.by_the_client[-1]


async def test_a_checksum_is_sent_where_the_client_sends_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operators tell the SDK to leave it out, for stores that don't know the header."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    async with opened(settings, 403) as (store, bucket):
        await bucket.put("texts/1.txt", b"two", "text/plain")
    assert store.by_the_client == [False, True]
    assert ["x-amz-checksum-crc32" in headers for headers in store.asked] == [False, False]


async def test_what_both_are_refused_is_told(settings: Settings) -> None:
    async with opened(settings, 403, 403) as (store, bucket):
        with pytest.raises(StorageUnavailable, match="403"):
            await bucket.put("texts/1.txt", b"two", "text/plain")
    assert store.by_the_client == [False, True]


async def test_a_real_store_keeps_it_under_its_key(settings: Settings) -> None:
    """Also where the key has characters that a URL can't."""
    key = f"texts/{uuid4()}/Über 100 % & more+.txt"
    async with open_bucket(aws_session(settings), settings) as bucket:
        await bucket.put(key, b"two", "text/plain")
        stored = await bucket.client.get_object(Bucket=bucket.name, Key=key)
        assert stored["ContentType"] == "text/plain"
        assert await stored["Body"].read() == b"two"
