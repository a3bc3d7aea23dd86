"""Keys: who gets in, and what they see."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from app.config import Settings
from app.db import new_id, open_engine
from app.projects.service import hash_key, new_key
from tests.api.running import problem_of
from tests.documents import letter
from tests.service import Client, client_of, make_key

OPEN_PATHS = ("/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json")


async def change_key(settings: Settings, key: str, change: str) -> None:
    """Change the row of a key."""
    engine = open_engine(settings)
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE api_keys SET {change} WHERE key_sha256 = :sha"), {"sha": hash_key(key)})
    await engine.dispose()


@pytest.fixture
async def anyone(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with httpx.AsyncClient(base_url=address) as anyone:
        yield anyone


async def test_only_a_valid_key_opens(quick: Settings, anyone: httpx.AsyncClient) -> None:
    """No key, an unknown one, a revoked one, an expired one and another scheme are all a 401 that names the scheme."""
    revoked, expired, valid = [await make_key(quick) for _ in range(3)]
    await change_key(quick, revoked, "revoked_at = now()")
    await change_key(quick, expired, "expires_at = now() - interval '1 second'")
    await change_key(quick, valid, "expires_at = now() + interval '1 hour'")
    path = f"/v1/jobs/{uuid4()}"
    wrong = ["", "Bearer", f"Bearer {new_key()}", f"Bearer {revoked}", f"Bearer {expired}", f"Basic {valid}", valid]
    for given in [*wrong, f"Bearer {'x' * 5000}", "Bearer é"]:
        answer = await anyone.get(path, headers=[(b"Authorization", given.encode("latin-1"))] if given else [])
        problem_of(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem_of(await anyone.get(path, headers={"Authorization": f"Bearer {valid}"}), 404, "job_not_found")
    problem_of(await anyone.get(path, headers={"Authorization": f"bearer {valid}"}), 404, "job_not_found")


async def test_every_route_asks_for_a_key(client: Client, anyone: httpx.AsyncClient) -> None:
    """Whatever is asked without a key under /v1 is a 401, and nothing is said before that."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    asked = 0
    for path, operations in paths.items():
        for method in operations:
            if path.startswith("/v1"):
                problem_of(await anyone.request(method, path.replace("{", "").replace("}", "")), 401, "unauthorized")
                asked += 1
    assert asked >= 9


async def test_other_projects_see_nothing(quick: Settings, address: str, client: Client) -> None:
    """A document, its job and what it names answer 404 to a key of another project, on every route."""
    submitted = await client.submit(letter("Secret"))
    ids = {"document_id": submitted["document"]["id"], "job_id": submitted["job"]["id"], "number": 1}
    ids |= {name: str(new_id()) for name in ("entity_id", "batch_id", "upload_id", "webhook_id", "delivery_id")}
    bodies = {"/merge": {"entity_ids": [ids["entity_id"]]}, "/split": {"merge_id": ids["entity_id"]}}
    bodies |= {"/v1/webhooks/{webhook_id}": {}}
    names = ("document", "entity", "job", "batch", "upload", "webhook")
    codes = {f"{{{name}_id}}": f"{name}_not_found" for name in names}
    paths = (await client.get("/openapi.json")).json()["paths"]
    asked = []
    async with client_of(address, await make_key(quick, "other")) as other:
        for path, operations in paths.items():
            for method in operations:
                if "{" in path:
                    body = next((body for end, body in bodies.items() if path.endswith(end)), None)
                    answer = await other.request(method, path.format(**ids), json=body)
                    problem_of(answer, 404, next(code for name, code in codes.items() if name in path))
                    asked.append(path)
    assert {"/v1/jobs/{job_id}/events", "/v1/jobs/{job_id}/cancel", "/v1/documents/{document_id}/text"} <= set(asked)
    assert (await client.get(f"/v1/jobs/{ids['job_id']}")).json()["state"] == "queued"


async def test_operations_need_no_key_and_tell_no_secrets(client: Client, anyone: httpx.AsyncClient) -> None:
    """Health, metrics and the API's description are open, and say nothing of documents."""
    submitted = await client.submit(letter("Secret"), filename="secret-name.pdf", external_id="secret-id")
    for path in OPEN_PATHS:
        answer = await anyone.get(path)
        assert answer.status_code in {200, 503}, path
        for secret in ("secret-name", "secret-id", submitted["document"]["id"], submitted["job"]["id"]):
            assert secret not in answer.text, path
