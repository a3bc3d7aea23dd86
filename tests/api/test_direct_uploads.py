"""Uploads straight to S3: begun here, sent to the store, resumed where they broke off, and a document once complete."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from app.config import MEBIBYTE, Settings
from app.db import new_id, table_of
from app.documents.making import make_arrivals, make_uploads
from app.documents.models import Document
from app.documents.upload_rows import uploads
from app.documents.uploads import Uploads
from app.storage.staging import MOST_PARTS, part_size
from tests.api.running import client_with, problem_of
from tests.bench import Bench
from tests.documents import letter, padded
from tests.service import Client, client_of, make_key

PDF = letter("Hello")
PART = 5 * MEBIBYTE
IN_PARTS = padded(PDF, 2 * PART) + os.urandom(1000)
"""Three parts, the last one small."""


@pytest.fixture
def small_parts(quick: Settings) -> Settings:
    """Settings under which a few megabytes are several parts."""
    return quick.model_copy(update={"direct_upload_part_bytes": PART})


@pytest.fixture
async def parted(small_parts: Settings) -> AsyncIterator[Client]:
    """A client of an API with small parts."""
    async with client_with(small_parts) as client:
        yield client


@pytest.fixture
async def store() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the store that knows no key."""
    async with httpx.AsyncClient(timeout=60) as store:
        yield store


async def begin(client: Client, content: bytes, **said: Any) -> dict[str, Any]:
    """Begin an upload; fails the test where it is refused."""
    answer = await client.post("/v1/uploads", json={"size_bytes": len(content), **said})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/uploads/{answer.json()['id']}"
    return dict(answer.json())


def bytes_of_part(upload: dict[str, Any], part: dict[str, Any], content: bytes) -> bytes:
    """What is to be sent as a part."""
    start = (part["number"] - 1) * upload["part_size_bytes"]
    return content[start : start + part["size_bytes"]]


async def send(store: httpx.AsyncClient, upload: dict[str, Any], content: bytes) -> list[dict[str, Any]]:
    """Send all parts that came with the answer; returns what is said of them on completion."""
    sent = []
    for part in upload["parts"]["items"]:
        answer = await store.put(part["url"], content=bytes_of_part(upload, part, content))
        assert answer.status_code == 200, answer.text
        sent.append({"number": part["number"], "etag": answer.headers["etag"]})
    return sent


async def sent_upload(client: Client, store: httpx.AsyncClient, content: bytes = PDF, **said: Any) -> str:
    """An upload whose parts are all there; its id."""
    upload = await begin(client, content, **said)
    await send(store, upload, content)
    return str(upload["id"])


async def complete(client: Client, upload_id: str, **said: Any) -> httpx.Response:
    """Complete an upload."""
    return await client.post(f"/v1/uploads/{upload_id}/complete", json=said)


async def staged(bench: Bench, upload_id: str) -> bool:
    """Whether anything of an upload is in the bucket's staging folder: the whole, or parts."""
    bucket, key = bench.rows.bucket, f"uploads/{upload_id}"
    listed = await bucket.client.list_multipart_uploads(Bucket=bucket.name)
    return await bucket.head(key) is not None or any(each["Key"] == key for each in listed.get("Uploads", ()))


def sweeping(bench: Bench) -> Uploads:
    """What the sweep runs on."""
    arrivals = make_arrivals(bench.settings, bench.tools.sessions, bench.rows.bucket)
    return make_uploads(bench.settings, arrivals, bench.queue)


async def set_row(bench: Bench, upload_id: str, **values: Any) -> None:
    """Change an upload behind the back of the service."""
    async with bench.tools.sessions.begin() as session:
        await session.execute(update(uploads).where(uploads.c.id == upload_id).values(**values))


async def test_an_upload_becomes_a_document(parted: Client, store: httpx.AsyncClient, bench: Bench) -> None:
    """What was sent in parts is stored as it was, with what was said of it, and nothing is left in staging."""
    digest = hashlib.sha256(IN_PARTS).hexdigest()
    upload = await begin(
        parted, IN_PARTS, sha256=digest, filename="a/filing.pdf", external_id="x-1", metadata={"n": 1}, priority="high"
    )
    assert (upload["state"], upload["part_count"], upload["part_size_bytes"]) == ("open", 3, PART)
    assert [part["size_bytes"] for part in upload["parts"]["items"]] == [PART, PART, 1000]
    parts = await send(store, upload, IN_PARTS)
    answer = await complete(parted, upload["id"], parts=parts)
    assert answer.status_code == 202, answer.text
    document, job = answer.json()["document"], answer.json()["job"]
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (document["sha256"], document["size_bytes"]) == (digest, len(IN_PARTS))
    assert (document["filename"], document["external_id"], document["metadata"]) == ("filing.pdf", "x-1", {"n": 1})
    assert (document["media_type"], job["priority"]) == ("application/pdf", "high")
    async with bench.rows.bucket.open(f"documents/{document['id']}.pdf") as chunks:
        assert b"".join([chunk async for chunk in chunks]) == IN_PARTS
    assert not await staged(bench, upload["id"])
    found = (await parted.get(f"/v1/uploads/{upload['id']}")).json()
    assert (found["state"], found["document_id"], found["job_id"]) == ("completed", document["id"], job["id"])


async def test_an_uploaded_document_is_read(client: Client, store: httpx.AsyncClient, worker: str) -> None:
    """A small file in one part goes through the pipeline as any other."""
    made = (await complete(client, await sent_upload(client, store))).json()
    assert (await client.ended(made["job"]["id"]))["state"] == "done"
    assert "Hello" in (await client.get(f"/v1/documents/{made['document']['id']}/text")).text


async def test_a_broken_upload_is_resumed(parted: Client, store: httpx.AsyncClient) -> None:
    """The list of parts says which are there; those that are missing are sent to fresh URLs."""
    upload = await begin(parted, IN_PARTS)
    second = upload["parts"]["items"][1]
    await store.put(second["url"], content=bytes_of_part(upload, second, IN_PARTS))
    problem = problem_of(await complete(parted, upload["id"]), 409, "upload_incomplete")
    assert "1, 3" in problem["detail"]
    page = (await parted.get(f"/v1/uploads/{upload['id']}/parts", params={"limit": 2})).json()
    assert ([part["etag"] is not None for part in page["items"]], page["next"]) == ([False, True], 3)
    rest = (await parted.get(f"/v1/uploads/{upload['id']}/parts", params={"from": 3})).json()
    assert ([part["number"] for part in rest["items"]], rest["next"]) == ([3], None)
    for part in (page["items"][0], rest["items"][0]):
        await store.put(part["url"], content=bytes_of_part(upload, part, IN_PARTS))
    made = (await complete(parted, upload["id"])).json()
    assert made["document"]["sha256"] == hashlib.sha256(IN_PARTS).hexdigest()


async def test_a_part_that_is_sent_again_counts_as_it_was_sent_last(parted: Client, store: httpx.AsyncClient) -> None:
    """Other bytes under the same number take the place of the first."""
    upload = await begin(parted, IN_PARTS)
    await send(store, upload, bytes(len(IN_PARTS)))
    await asyncio.sleep(1.1)  # the store tells times by the second
    await send(store, upload, IN_PARTS)
    made = (await complete(parted, upload["id"])).json()
    assert made["document"]["sha256"] == hashlib.sha256(IN_PARTS).hexdigest()


async def test_the_store_takes_nothing_of_another_size_or_checksum(client: Client, store: httpx.AsyncClient) -> None:
    """A part that is cut short, or too long, or not what its Content-MD5 says, is refused by the store itself."""
    part = (await begin(client, PDF))["parts"]["items"][0]
    for content in (PDF[:-1], PDF + b"x"):
        assert (await store.put(part["url"], content=content)).status_code == 403
    other = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    assert (await store.put(part["url"], content=PDF, headers={"Content-MD5": other})).status_code == 400
    right = base64.b64encode(hashlib.md5(PDF, usedforsecurity=False).digest()).decode()
    assert (await store.put(part["url"], content=PDF, headers={"Content-MD5": right})).status_code == 200


async def test_another_etag_than_the_stores_is_noticed(client: Client, store: httpx.AsyncClient) -> None:
    """A client whose part was overwritten by somebody else is told so."""
    upload_id = await sent_upload(client, store)
    answer = await complete(client, upload_id, parts=[{"number": 1, "etag": '"0000"'}])
    problem_of(answer, 409, "upload_incomplete")
    assert (await complete(client, upload_id)).status_code == 202


async def test_completing_at_the_same_time_makes_one_document(
    parted: Client, store: httpx.AsyncClient, bench: Bench
) -> None:
    """Of several requests one makes the document; the others are told to come back, and get the same one then."""
    upload_id = await sent_upload(parted, store, IN_PARTS)
    answers = await asyncio.gather(*(complete(parted, upload_id) for _ in range(5)))
    made = [answer.json() for answer in answers if answer.status_code == 202]
    assert made
    for answer in answers:
        if answer.status_code != 202:
            problem_of(answer, 409, "upload_in_progress")
            assert int(answer.headers["retry-after"]) > 0
    again = (await complete(parted, upload_id)).json()
    assert {each["document"]["id"] for each in [*made, again]} == {again["document"]["id"]}
    assert {each["job"]["id"] for each in [*made, again]} == {again["job"]["id"]}
    async with bench.tools.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(table_of(Document))) == 1


@pytest.mark.parametrize(
    ("content", "said", "status", "code"),
    [
        (b"hello", {}, 415, "unsupported_media_type"),
        (PDF, {"sha256": "0" * 64}, 422, "checksum_mismatch"),
    ],
)
async def test_bytes_that_are_refused_end_the_upload(
    client: Client, store: httpx.AsyncClient, bench: Bench, content: bytes, said: dict[str, Any], status: int, code: str
) -> None:
    """Another type or another checksum is refused once and for all, and nothing is kept."""
    upload_id = await sent_upload(client, store, content, **said)
    for _ in range(2):
        problem_of(await complete(client, upload_id), status, code)
    found = (await client.get(f"/v1/uploads/{upload_id}")).json()
    assert (found["state"], found["error"]["code"], found["document_id"]) == ("refused", code, None)
    assert not await staged(bench, upload_id)
    problem_of(await client.get(f"/v1/uploads/{upload_id}/parts"), status, code)


async def test_a_checksum_that_is_known_only_at_the_end_is_held_to(client: Client, store: httpx.AsyncClient) -> None:
    """What was said on completion is checked as what was said at the beginning."""
    upload_id = await sent_upload(client, store)
    problem_of(await complete(client, upload_id, sha256="0" * 64), 422, "checksum_mismatch")


async def test_too_large_is_said_before_anything_is_sent(quick: Settings, store: httpx.AsyncClient) -> None:
    """A size over the limit is refused at the beginning, one over that of its type at the end."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(1000)
    async with client_with(quick, max_document_bytes=MEBIBYTE, max_image_bytes=500) as client:
        answer = await client.post("/v1/uploads", json={"size_bytes": MEBIBYTE + 1})
        problem_of(answer, 413, "document_too_large")
        problem_of(await complete(client, await sent_upload(client, store, png)), 413, "document_too_large")


async def test_what_is_said_of_an_upload_must_be_sound(client: Client) -> None:
    """Sizes, checksums and options are checked before S3 hears of it."""
    for said in ({"size_bytes": 0}, {}, {"size_bytes": 5, "sha256": "x"}, {"size_bytes": 5, "metadata": {"a": "\x00"}}):
        problem_of(await client.post("/v1/uploads", json=said), 422, "request_invalid")


async def test_an_upload_of_another_project_is_not_there(
    quick: Settings, address: str, client: Client, store: httpx.AsyncClient
) -> None:
    """Nothing can be seen, completed or aborted with the key of another project."""
    upload_id = await sent_upload(client, store)
    async with client_of(address, await make_key(quick, "other")) as other:
        for answer in (
            await other.get(f"/v1/uploads/{upload_id}"),
            await other.get(f"/v1/uploads/{upload_id}/parts"),
            await complete(other, upload_id),
            await other.delete(f"/v1/uploads/{upload_id}"),
        ):
            problem_of(answer, 404, "upload_not_found")
    problem_of(await client.get(f"/v1/uploads/{new_id()}"), 404, "upload_not_found")
    assert (await complete(client, upload_id)).status_code == 202


async def test_an_aborted_upload_is_gone(client: Client, store: httpx.AsyncClient, bench: Bench) -> None:
    """Its parts are taken away, later parts find nothing, and it can't be completed; aborting again changes nothing."""
    upload = await begin(client, PDF)
    await send(store, upload, PDF)
    for _ in range(2):
        assert (await client.delete(f"/v1/uploads/{upload['id']}")).status_code == 204
    assert not await staged(bench, upload["id"])
    assert (await store.put(upload["parts"]["items"][0]["url"], content=PDF)).status_code == 404
    problem_of(await complete(client, upload["id"]), 409, "upload_ended")
    problem_of(await client.get(f"/v1/uploads/{upload['id']}/parts"), 409, "upload_ended")


async def test_a_completed_upload_is_not_aborted(client: Client, store: httpx.AsyncClient) -> None:
    """Its document stays: a document is deleted as a document."""
    upload_id = await sent_upload(client, store)
    made = (await complete(client, upload_id)).json()
    problem_of(await client.delete(f"/v1/uploads/{upload_id}"), 409, "upload_completed")
    assert (await client.get(f"/v1/documents/{made['document']['id']}")).status_code == 200


async def test_an_upload_that_nobody_completes_expires(client: Client, store: httpx.AsyncClient, bench: Bench) -> None:
    """Past its time it can't be completed, the sweep takes its parts away, and in the end it is forgotten."""
    upload_id, sweep = await sent_upload(client, store), sweeping(bench)
    await sweep.sweep()
    assert (await client.get(f"/v1/uploads/{upload_id}")).json()["state"] == "open"
    past = datetime.now(UTC) - timedelta(seconds=1)
    await set_row(bench, upload_id, expires_at=past, due_at=past)
    problem_of(await complete(client, upload_id), 409, "upload_ended")
    problem_of(await client.get(f"/v1/uploads/{upload_id}/parts"), 409, "upload_ended")
    await sweep.sweep()
    assert (await client.get(f"/v1/uploads/{upload_id}")).json()["state"] == "expired"
    assert not await staged(bench, upload_id)
    await set_row(bench, upload_id, due_at=past)
    await sweep.sweep()
    problem_of(await client.get(f"/v1/uploads/{upload_id}"), 404, "upload_not_found")


async def test_a_completion_that_died_is_taken_over(client: Client, store: httpx.AsyncClient, bench: Bench) -> None:
    """Once the lock of a dead request has run out, the next one goes on, though the parts were joined already."""
    upload_id = await sent_upload(client, store)
    bucket = bench.rows.bucket
    async with bench.tools.sessions() as session:
        row = (await session.execute(select(uploads).where(uploads.c.id == upload_id))).one()
    listed = await bucket.client.list_parts(Bucket=bucket.name, Key=row.s3_key, UploadId=row.s3_upload_id)
    parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in listed["Parts"]]
    await bucket.client.complete_multipart_upload(
        Bucket=bucket.name,
        Key=row.s3_key,
        UploadId=row.s3_upload_id,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]  # what was listed
    )
    later = datetime.now(UTC) + timedelta(minutes=1)
    await set_row(bench, upload_id, state="completing", locked_until=later, fence=1)
    problem_of(await complete(client, upload_id), 409, "upload_in_progress")
    problem_of(await client.delete(f"/v1/uploads/{upload_id}"), 409, "upload_in_progress")
    await set_row(bench, upload_id, locked_until=datetime.now(UTC) - timedelta(seconds=1))
    assert (await complete(client, upload_id)).status_code == 202


async def test_an_upload_whose_parts_are_gone_says_so(client: Client, store: httpx.AsyncClient, bench: Bench) -> None:
    """Parts that a rule of the bucket has taken away are not waited for."""
    upload_id = await sent_upload(client, store)
    async with bench.tools.sessions() as session:
        row = (await session.execute(select(uploads).where(uploads.c.id == upload_id))).one()
    await bench.rows.bucket.abort(row.s3_key, row.s3_upload_id)
    problem_of(await complete(client, upload_id), 409, "upload_ended")


async def test_urls_lead_to_where_clients_reach_the_store(quick: Settings) -> None:
    """With a public endpoint all URLs are of it, and hold no longer than is set."""
    changes = {"s3_public_endpoint_url": "https://files.example.com", "presigned_url_seconds": 60}
    async with client_with(quick, **changes) as client:
        part = (await begin(client, PDF))["parts"]["items"][0]
        document = (await client.submit(PDF))["document"]
        original = (await client.get(f"/v1/documents/{document['id']}/original")).json()
    for url in (part["url"], original["url"]):
        assert url.startswith("https://files.example.com/")
        assert "X-Amz-Expires=60&" in url or "X-Amz-Expires=59&" in url


async def test_the_original_is_fetched_from_the_store(
    quick: Settings, address: str, client: Client, store: httpx.AsyncClient
) -> None:
    """The URL gives the bytes as a file of its name, to whoever has it; another project gets none."""
    document = (await client.submit(PDF, filename="Gerichtsbescheid für Köln.pdf"))["document"]
    path = f"/v1/documents/{document['id']}/original"
    original = (await client.get(path)).json()
    fetched = await store.get(original["url"])
    assert (fetched.content, fetched.headers["content-type"]) == (PDF, "application/pdf")
    assert fetched.headers["content-disposition"].startswith("attachment; filename*=UTF-8''Gerichtsbescheid%20f%C3%BCr")
    redirect = await client.get(path, params={"redirect": "true"}, follow_redirects=False)
    assert redirect.status_code == 307
    assert (await store.get(redirect.headers["location"])).content == PDF
    async with client_of(address, await make_key(quick, "other")) as other:
        problem_of(await other.get(path), 404, "document_not_found")


def test_the_size_of_parts_keeps_within_the_limits_of_s3() -> None:
    """Parts are as large as preferred, and larger where there would be too many."""
    assert part_size(1, 16 * MEBIBYTE) == 16 * MEBIBYTE
    assert part_size(1, 1) == PART
    for size in (10_000 * PART, 10_000 * PART + 1, 5 * 1024**4):
        assert size / part_size(size, PART) <= MOST_PARTS
