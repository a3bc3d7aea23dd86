"""How large the bodies of requests may be, and how many uploads may be open."""

import pytest

from app.config import Settings
from tests.api.running import bytes_of, client_with, problem_of
from tests.documents import letter
from tests.service import Client

LONG = b'{"a": "' + b"x" * 2000 + b'"}'


@pytest.mark.parametrize(
    "path", ["/v1/webhooks", "/v1/jobs/retry", "/v1/uploads", "/v1/search", "/v1/documents/import"]
)
async def test_a_body_that_is_too_long_is_not_read(quick: Settings, path: str) -> None:
    """413, whether it says how long it is or not."""
    async with client_with(quick, json_request_bytes=1000) as client:
        for body in (LONG, bytes_of([LONG[:700], LONG[700:]])):
            answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert "1000 bytes" in problem_of(answer, 413, "request_too_large")["detail"]


async def test_documents_and_batches_have_limits_of_their_own(quick: Settings) -> None:
    """A document of any size that is allowed, and a batch of many items, pass the limit of other calls."""
    async with client_with(quick, json_request_bytes=100) as client:
        assert (await client.submit(letter("Hello")))["job"]["id"]
        items = [{"source": f"s3://bucket/{number}"} for number in range(100)]
        answer = await client.post("/v1/batches", json={"documents": items, "preflight": "warn"})
        assert answer.status_code == 202, answer.text


async def test_a_body_within_the_limit_arrives_whole(client: Client) -> None:
    """In however many pieces it comes."""
    body = b'{"url": "https://example.org/", "description": "Inbox"}'
    headers = {"Content-Type": "application/json"}
    made = await client.post("/v1/webhooks", content=bytes_of([body[:9], body[9:]]), headers=headers)
    assert (made.status_code, made.json()["description"]) == (201, "Inbox")


async def test_a_project_has_so_many_uploads_open(quick: Settings) -> None:
    """One more is a 429; when one is given up there is room again."""
    async with client_with(quick, max_open_uploads=2) as client:
        begun = [await client.post("/v1/uploads", json={"size_bytes": 10}) for _ in range(3)]
        assert [answer.status_code for answer in begun[:2]] == [201, 201]
        problem_of(begun[2], 429, "too_many_uploads")
        assert int(begun[2].headers["retry-after"]) > 0
        assert (await client.delete(begun[0].headers["location"])).status_code == 204
        assert (await client.post("/v1/uploads", json={"size_bytes": 10})).status_code == 201
