"""Documents that are imported from buckets of others."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from app.config import MEBIBYTE, Settings
from app.db import new_id
from app.documents.sources import AllowedSources, Source
from app.errors import SourceInvalid, SourceNotAllowed, SourceUnreadable
from app.storage import origins
from tests.api.proxy import proxy_to
from tests.api.running import client_with, problem_of
from tests.bench import Bench
from tests.documents import letter, padded
from tests.service import Client

PDF = letter("Hello")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A bucket that isn't ours, and a client that may import from it."""

    client: Client
    s3: Any
    bucket: str

    async def put(self, key: str, content: bytes) -> str:
        """Store an object there; its address."""
        await self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"

    async def take(self, source: str, **said: Any) -> httpx.Response:
        """Import it."""
        return await self.client.post("/v1/documents/import", json={"source": source, **said})


@pytest.fixture
async def incoming(quick: Settings, bench: Bench) -> AsyncIterator[Incoming]:
    """A bucket of the test's own that may be imported from."""
    bucket, s3 = f"incoming-{new_id()}", bench.rows.bucket.client
    await s3.create_bucket(Bucket=bucket)
    async with client_with(quick, import_buckets=f"elsewhere/folder/, {bucket}", max_image_bytes=500) as client:
        yield Incoming(client, s3, bucket)


async def test_a_document_is_copied_in(incoming: Incoming, bench: Bench) -> None:
    """It is ours then: what becomes of the object it was copied from doesn't matter."""
    source = await incoming.put("2026/brief & answer#1 ü.pdf", PDF)
    answer = await incoming.take(source, external_id="x", metadata={"n": 1}, priority="low")
    assert answer.status_code == 202, answer.text
    document, job = answer.json()["document"], answer.json()["job"]
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (document["filename"], document["external_id"], document["metadata"]) == (
        "brief & answer#1 ü.pdf",
        "x",
        {"n": 1},
    )
    assert (document["sha256"], document["size_bytes"]) == (hashlib.sha256(PDF).hexdigest(), len(PDF))
    assert job["priority"] == "low"
    await incoming.s3.delete_object(Bucket=incoming.bucket, Key="2026/brief & answer#1 ü.pdf")
    stored = await incoming.s3.get_object(Bucket=bench.rows.bucket.name, Key=f"documents/{document['id']}.pdf")
    assert (await stored["Body"].read(), stored["ContentType"]) == (PDF, "application/pdf")


async def test_what_cannot_be_imported_is_refused_with_its_reason(incoming: Incoming, bench: Bench) -> None:
    """Addresses, buckets, missing objects, types and sizes each have their own code, and nothing is left behind."""
    ours = f"s3://{bench.rows.bucket.name}/documents/x.pdf"
    png = b"\x89PNG\r\n\x1a\n" + bytes(1000)
    cases = {
        "https://example.com/a.pdf": (422, "source_invalid"),
        f"s3://{incoming.bucket}/": (422, "source_invalid"),
        f"s3://{incoming.bucket}/../{bench.rows.bucket.name}/documents/x.pdf": (422, "source_invalid"),
        f"s3://{incoming.bucket}/a/%2e%2e/x.pdf": (422, "source_invalid"),
        "s3://elsewhere/a.pdf": (403, "source_not_allowed"),
        "s3://elsewhere/folder/a.pdf": (422, "source_not_found"),
        ours: (403, "source_not_allowed"),
        f"s3://{incoming.bucket}-2/a.pdf": (403, "source_not_allowed"),
        f"s3://{incoming.bucket}/nothing.pdf": (422, "source_not_found"),
        await incoming.put("empty.pdf", b""): (422, "document_empty"),
        await incoming.put("text.pdf", b"hello"): (415, "unsupported_media_type"),
        await incoming.put("large.png", png): (413, "document_too_large"),
    }
    for source, (status, code) in cases.items():
        problem_of(await incoming.take(source), status, code)
    problem_of(await incoming.client.post("/v1/documents/import", json={}), 422, "request_invalid")
    listed = (await incoming.s3.list_multipart_uploads(Bucket=bench.rows.bucket.name)).get("Uploads", [])
    assert not [each for each in listed if each["Key"].startswith("documents/")]


async def test_a_size_over_the_limit_is_refused_before_anything_is_copied(incoming: Incoming, quick: Settings) -> None:
    """The store's word for the size is enough."""
    source = await incoming.put("large.pdf", padded(PDF, 2 * MEBIBYTE))
    async with client_with(quick, import_buckets=incoming.bucket, max_document_bytes=MEBIBYTE) as client:
        answer = await client.post("/v1/documents/import", json={"source": source})
        problem_of(answer, 413, "document_too_large")


async def test_nothing_may_be_imported_where_nothing_is_said(client: Client) -> None:
    """Without the setting no bucket is allowed."""
    answer = await client.post("/v1/documents/import", json={"source": "s3://incoming/a.pdf"})
    problem_of(answer, 403, "source_not_allowed")


async def test_a_store_that_is_away_is_a_503(incoming: Incoming, quick: Settings) -> None:
    """An import can be tried again when the store is back, under its key."""
    source = await incoming.put("a.pdf", PDF)
    async with (
        proxy_to(quick.aws_endpoint_url_s3) as s3,
        client_with(quick, aws_endpoint_url_s3=s3.url, import_buckets=incoming.bucket) as client,
    ):
        s3.cut()
        said: dict[str, Any] = {"json": {"source": source}, "headers": {"Idempotency-Key": "k"}}
        problem_of(await client.post("/v1/documents/import", **said), 503, "storage_unavailable")
        s3.mend()
        first = await client.post("/v1/documents/import", **said)
        assert first.status_code == 202
        again = await client.post("/v1/documents/import", **said)
        assert again.content == first.content
        assert again.headers["idempotency-replayed"] == "true"


async def test_large_objects_are_copied_in_parts(incoming: Incoming, bench: Bench) -> None:
    """The copy is the object, and a copy of what was changed meanwhile fails as a whole."""
    content, bucket = padded(PDF, 12 * MEBIBYTE) + b"the end", bench.rows.bucket
    await incoming.put("large.pdf", content)
    origin = await origins.look_at(bucket, incoming.bucket, "large.pdf")
    sizes = origins.CopySizes(at_once_bytes=MEBIBYTE, part_bytes=5 * MEBIBYTE)
    key = f"documents/{new_id()}.pdf"
    assert await origins.copy_in(bucket, origin, key, "application/pdf", sizes) == hashlib.sha256(content).hexdigest()
    await incoming.put("large.pdf", content + b"!")
    for size in (sizes, origins.CopySizes()):
        with pytest.raises(SourceUnreadable):
            await origins.copy_in(bucket, origin, other := f"documents/{new_id()}.pdf", "application/pdf", size)
        assert await bucket.head(other) is None
    open_uploads = (await incoming.s3.list_multipart_uploads(Bucket=bucket.name)).get("Uploads", [])
    assert other not in {each["Key"] for each in open_uploads}


async def test_imports_at_the_same_time_are_documents_of_their_own(incoming: Incoming) -> None:
    """Without a key every import makes a document."""
    source = await incoming.put("a.pdf", PDF)
    answers = await asyncio.gather(*(incoming.take(source) for _ in range(3)))
    assert len({answer.json()["document"]["id"] for answer in answers}) == 3


def test_folders_are_allowed_by_their_whole_beginning() -> None:
    """`bucket/folder/` allows what is in the folder, and nothing beside it."""
    allowed = AllowedSources.from_setting(["one", "two/in/"])
    for address in ("s3://one/a", "s3://two/in/a"):
        allowed.check(Source.parse(address))
    for address in ("s3://two/a", "s3://two/into/a", "s3://one-more/a"):
        with pytest.raises(SourceNotAllowed):
            allowed.check(Source.parse(address))
    for address in ("s3://x/a", "s3://one", "s3:///a", "S3://one/a", "s3://one/a\nb", f"s3://one/{'ü' * 513}"):
        with pytest.raises(SourceInvalid):
            Source.parse(address)


def test_our_own_bucket_is_never_imported_from() -> None:
    """A setting that would open every project's documents to all is refused at start."""
    with pytest.raises(ValidationError, match="IMPORT_BUCKETS"):
        Settings(_env_file=None, s3_bucket="quire", import_buckets="other,quire/documents/")
