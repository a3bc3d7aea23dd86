"""Uploads that are large, slow, refused halfway or broken off: what the client is told, and what is left behind."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from app.config import MEBIBYTE, Settings
from tests.api.proxy import proxy_to
from tests.api.running import BucketView, bucket_view, client_with, problem_of, server_process, until
from tests.documents import letter, padded
from tests.service import Client, client_of, make_key

PDF = letter("Hello")
PART = 5 * MEBIBYTE


@pytest.fixture
async def bucket(quick: Settings) -> AsyncIterator[BucketView]:
    """What the test leaves in the bucket."""
    async with bucket_view(quick) as view:
        yield view


@pytest.fixture
def small_parts(quick: Settings) -> Settings:
    """Settings under which a few megabytes are several parts."""
    return quick.model_copy(update={"upload_part_bytes": PART, "upload_parts_in_flight": 2})


async def megabytes(count: int) -> AsyncIterator[bytes]:
    """A PDF of so many mebibytes, made as it is sent."""
    yield padded(PDF, MEBIBYTE)
    for _ in range(count - 1):
        yield bytes(MEBIBYTE)


async def test_a_document_of_many_parts_arrives_whole(small_parts: Settings, bucket: BucketView) -> None:
    """What is stored in parts is the document as it was sent."""
    content = padded(PDF, 12 * MEBIBYTE) + os.urandom(100)
    async with client_with(small_parts) as client:
        document = (await client.submit(content))["document"]
    stored = await bucket.s3.get_object(Bucket=bucket.name, Key=f"documents/{document['id']}.pdf")
    assert await stored["Body"].read() == content
    assert await bucket.open_uploads() == []


async def test_a_client_that_goes_away_leaves_nothing(small_parts: Settings, bucket: BucketView) -> None:
    """A connection that breaks after the first parts are stored has the whole upload aborted."""
    async with client_with(small_parts, upload_parts_in_flight=1) as client:
        writer = await begin_upload(client, announced=40 * MEBIBYTE)
        writer.write(padded(PDF, MEBIBYTE) + bytes(12 * MEBIBYTE))
        await writer.drain()
        await until(lambda: is_open(bucket))
        writer.transport.abort()
        assert await bucket.settles_empty()
        assert (await client.get("/health/live")).status_code == 200


async def test_a_small_upload_that_breaks_off_leaves_nothing(client: Client, bucket: BucketView) -> None:
    """Half a small document is no document."""
    writer = await begin_upload(client, announced=len(PDF))
    writer.write(PDF[:-1])
    await writer.drain()
    writer.transport.abort()
    await asyncio.sleep(0.3)
    assert await bucket.settles_empty()


async def test_a_refusal_in_the_middle_leaves_nothing(small_parts: Settings, bucket: BucketView) -> None:
    """A document that turns out too large after parts of it are stored is refused, and its parts are gone."""
    async with client_with(small_parts, max_document_bytes=14 * MEBIBYTE) as client:
        answer = await client.post("/v1/documents", content=megabytes(30))
        problem_of(answer, 413, "document_too_large")
        assert await bucket.settles_empty()


async def test_a_storage_that_fails_in_the_middle_is_a_503(small_parts: Settings, bucket: BucketView) -> None:
    """When the storage goes away halfway, the client is told to come back, and nothing is to be seen of the document."""
    async with (
        proxy_to(small_parts.aws_endpoint_url_s3) as s3,
        client_with(small_parts, aws_endpoint_url_s3=s3.url) as client,
    ):
        s3.cut_after_bytes = 8 * MEBIBYTE
        answer = await client.post("/v1/documents", content=megabytes(20))
        problem_of(answer, 503, "storage_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        s3.mend()
        assert await bucket.new_keys() == set()
        assert await bucket.settles_empty()
        await client.submit(PDF)


async def test_a_storage_that_stumbles_is_not_noticed(small_parts: Settings) -> None:
    """A single broken connection to the storage is tried again, and the document arrives."""
    async with (
        proxy_to(small_parts.aws_endpoint_url_s3) as s3,
        client_with(small_parts, aws_endpoint_url_s3=s3.url) as client,
    ):
        s3.cut_after_bytes = 8 * MEBIBYTE
        sending = asyncio.create_task(client.post("/v1/documents", content=megabytes(12)))
        await s3.went_down.wait()
        s3.mend()
        assert (await sending).status_code == 202


async def test_a_database_that_fails_after_the_upload_leaves_nothing(quick: Settings, bucket: BucketView) -> None:
    """Bytes whose document can't be written down are taken out of the bucket again."""
    async with proxy_to(quick.database_url) as postgres, client_with(quick, database_url=postgres.url) as client:
        await client.submit(PDF)
        before = await bucket.new_keys()

        async def cut_meanwhile() -> AsyncIterator[bytes]:
            yield PDF[:100]
            postgres.cut()
            yield PDF[100:]

        problem_of(await client.post("/v1/documents", content=cut_meanwhile()), 503, "database_unavailable")
        await asyncio.sleep(0.2)
        assert await bucket.new_keys() == before


async def test_more_uploads_than_there_is_room_for_are_turned_away(quick: Settings) -> None:
    """At the cap another upload is a 503 with Retry-After, at once; when one ends there is room again."""
    async with client_with(quick, max_concurrent_uploads=1) as client:
        writer = await begin_upload(client, announced=len(PDF))
        writer.write(PDF[:100])
        await writer.drain()
        await until(lambda: uploads_are(client, 1))
        answer = await client.post("/v1/documents", content=PDF)
        problem_of(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0
        writer.transport.abort()
        await until(lambda: uploads_are(client, 0))
        await client.submit(PDF)


REFUSALS = {
    413: ("document_too_large", padded(PDF, 24 * MEBIBYTE)),
    415: ("unsupported_media_type", b"hello" + bytes(9 * MEBIBYTE)),
}


async def test_a_client_that_is_still_sending_reads_why_it_was_refused(quick: Settings, tmp_path: Path) -> None:
    """httpx, curl and a client that closes after one answer all get the problem, and no reset."""
    key = await make_key(quick)
    changed = quick.model_copy(update={"max_document_bytes": 10 * MEBIBYTE})
    async with server_process(changed, tmp_path / "log") as server, client_of(server.address, key) as client:
        for status, (code, content) in REFUSALS.items():
            for headers in ({}, {"Connection": "close"}):
                form = {"file": ("a.pdf", content)}
                for answer in (
                    await client.post("/v1/documents", content=content, headers=headers),
                    await client.post("/v1/documents", content=pieces(content), headers=headers),
                    await client.post("/v1/documents", files=form, headers=headers),
                ):
                    problem_of(answer, status, code)
            (tmp_path / "body").write_bytes(content)
            body = ("--data-binary", f"@{tmp_path / 'body'}")
            for arguments in (
                body,
                (*body, "-H", "Expect:"),
                (*body, "-H", "Expect:", "--http1.0"),
                (*body, "-H", "Transfer-Encoding: chunked"),
                ("-F", f"file=@{tmp_path / 'body'}"),
            ):
                said = await curl(server.address, key, *arguments)
                assert said == f"{status} application/problem+json", arguments


async def test_too_large_is_said_before_anything_is_sent(quick: Settings) -> None:
    """An announced size over the limit is refused on its headers alone."""
    async with client_with(quick, max_document_bytes=MEBIBYTE) as client:
        reader, writer = await open_upload(client, announced=100 * MEBIBYTE)
        async with asyncio.timeout(2):
            assert (await reader.readline()).split()[1] == b"413"
        writer.close()


async def test_memory_does_not_grow_with_the_document(quick: Settings, tmp_path: Path) -> None:
    """A hundred megabytes pass through a server that grows by less than 64 MiB, as bytes and as a form."""
    async with (
        server_process(quick, tmp_path / "log") as server,
        client_of(server.address, await make_key(quick)) as client,
    ):
        await client.submit(PDF)
        process = psutil.Process(server.process.pid)
        before = peak = process.memory_info().rss

        async def watched(count: int) -> AsyncIterator[bytes]:
            nonlocal peak
            async for piece in megabytes(count):
                yield piece
                peak = max(peak, process.memory_info().rss)

        async def form(count: int) -> AsyncIterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
            async for piece in watched(count):
                yield piece
            yield b"\r\n--b--\r\n"

        answer = await client.post("/v1/documents", content=watched(100))
        assert answer.json()["document"]["size_bytes"] == 100 * MEBIBYTE
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await client.post("/v1/documents", content=form(50), headers=headers)
        assert answer.json()["document"]["size_bytes"] == 50 * MEBIBYTE
        assert peak - before < 64 * MEBIBYTE


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """A body without an announced length."""
    for at in range(0, len(content), 100_000):
        yield content[at : at + 100_000]


async def begin_upload(client: Client, *, announced: int) -> asyncio.StreamWriter:
    """A raw connection on which the headers of an upload were sent."""
    return (await open_upload(client, announced=announced))[1]


async def open_upload(client: Client, *, announced: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The same, to read from as well."""
    address = urlsplit(str(client.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    authorization = client.headers["authorization"]
    head = f"POST /v1/documents HTTP/1.1\r\nHost: quire\r\nAuthorization: {authorization}\r\n"
    writer.write(f"{head}Content-Length: {announced}\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def curl(address: str, key: str, *arguments: str) -> str:
    """What curl says of its answer: status and type. Fails the test where curl itself fails."""
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--show-error", "--output", "/dev/null", "--noproxy", "*"),
        *("--write-out", "%{http_code} %{content_type}", "--header", f"Authorization: Bearer {key}"),
        *arguments,
        f"{address}/v1/documents",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    assert process.returncode == 0, (arguments, complaint.decode())
    return said.decode()


async def is_open(bucket: BucketView) -> bool:
    """Whether a multipart upload is under way."""
    return bool(await bucket.open_uploads())


async def uploads_are(client: httpx.AsyncClient, count: int) -> bool:
    """Whether so many uploads are under way."""
    return f"quire_uploads_open {count}.0\n" in (await client.get("/metrics")).text
