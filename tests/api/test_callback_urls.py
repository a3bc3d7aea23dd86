"""A `callback_url` that may not be called is refused when it is given, before anything is made."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from app.config import Settings
from tests.api.running import bucket_view, multipart, problem_of
from tests.documents import letter
from tests.service import Client

PRIVATE = "https://169.254.169.254/latest"
PDF = letter("Hello")

BODIES: Mapping[str, Mapping[str, Any]] = {
    "/v1/documents/import": {"source": "s3://bucket/key.pdf"},
    "/v1/uploads": {"size_bytes": 1000},
    "/v1/batches": {"documents": [{"document_id": str(uuid4())}]},
    "/v1/documents/019aa6c1-8f11-7b11-8a4e-2f0e6a7d9c10/reprocess": {},
}


async def nothing_was_made(client: Client) -> bool:
    """Whether the project has no document and no batch."""
    made = [(await client.get(path)).json()["items"] for path in ("/v1/documents", "/v1/batches")]
    return not any(made)


@pytest.mark.parametrize("path", BODIES)
async def test_of_a_json_request(client: Client, path: str) -> None:
    """The answer says what is wrong with the URL, whatever else would have been wrong."""
    answer = await client.post(path, json={**BODIES[path], "callback_url": PRIVATE})
    assert "private network" in problem_of(answer, 422, "webhook_url_refused")["detail"]
    assert await nothing_was_made(client)


async def test_of_a_submission_before_its_bytes(client: Client) -> None:
    """In the query it is seen before a byte is read."""
    answer = await client.post("/v1/documents", params={"callback_url": "http://example.org/"}, content=PDF)
    assert "https://" in problem_of(answer, 422, "webhook_url_refused")["detail"]
    assert await nothing_was_made(client)


async def test_of_a_form(quick: Settings, client: Client) -> None:
    """In a form it is seen when the form has ended, and what was stored is taken away."""
    body, headers = multipart(
        ('name="file"; filename="a.pdf"', PDF),
        ('name="callback_url"', PRIVATE.encode()),
    )
    async with bucket_view(quick) as bucket:
        problem_of(await client.post("/v1/documents", content=body, headers=headers), 422, "webhook_url_refused")
        assert await bucket.settles_empty()
    assert await nothing_was_made(client)
