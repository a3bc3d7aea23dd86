"""`Idempotency-Key` on actions: however often it is sent, a secret changes once, and is kept in no answer."""

from typing import Any

import httpx
from sqlalchemy import text

from tests.api.running import problem_of
from tests.bench import Bench
from tests.service import Client

KEY = {"Idempotency-Key": "k"}
WANTED = {"url": "https://example.org/"}


def replayed(answer: httpx.Response) -> bool:
    """Whether an answer is that of an earlier request."""
    return str(answer.headers.get("idempotency-replayed")) == "true"


async def kept(bench: Bench) -> str:
    """All answers that are kept."""
    async with bench.tools.sessions() as session:
        return "\n".join(await session.scalars(text("SELECT body FROM idempotency_keys")))


async def twice(client: Client, path: str, body: Any = None) -> dict[str, Any]:
    """Ask twice under one key; what both answers say."""
    first = await client.post(path, json=body, headers=KEY)
    again = await client.post(path, json=body, headers=KEY)
    assert (first.is_success, again.status_code) == (True, first.status_code), first.text
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.json() == again.json()
    return dict(first.json())


async def test_a_webhook_is_made_once_and_its_secret_not_kept_with_the_answer(client: Client, bench: Bench) -> None:
    """The answer to a repeated request has the secret too, from the webhook itself."""
    made = await twice(client, "/v1/webhooks", WANTED)
    assert made["secret"].startswith("whsec_")
    assert len((await client.get("/v1/webhooks")).json()["items"]) == 1
    assert made["id"] in await kept(bench)
    assert "whsec_" not in await kept(bench)
    problem_of(
        await client.post("/v1/webhooks", json={"url": "https://example.com/"}, headers=KEY),
        422,
        "idempotency_mismatch",
    )


async def test_a_secret_is_replaced_once(client: Client, bench: Bench) -> None:
    """A second rotation would end the secret before: under the same key there is none."""
    path = f"/v1/webhooks/{(await client.post('/v1/webhooks', json=WANTED)).json()['id']}/rotate-secret"
    rotated = await twice(client, path)
    callbacks = await twice(client, "/v1/callbacks/rotate-secret")
    assert callbacks["secret"] == (await client.get("/v1/callbacks/secret")).json()["secret"]
    assert rotated["secret"] != callbacks["secret"]
    codes = [item["code"] for item in (await client.get("/v1/events")).json()["items"]]
    assert codes == ["callback_secret_rotated", "webhook_secret_rotated", "webhook_created"]
    assert "whsec_" not in await kept(bench)


async def test_a_message_is_sent_once(client: Client) -> None:
    """Asking for a test message twice under one key makes one."""
    path = f"/v1/webhooks/{(await client.post('/v1/webhooks', json=WANTED)).json()['id']}"
    delivery = await twice(client, f"{path}/test")
    assert [each["id"] for each in (await client.get(f"{path}/deliveries")).json()["items"]] == [delivery["id"]]


async def test_many_jobs_are_retried_once(client: Client) -> None:
    """The count is that of the first time."""
    assert await twice(client, "/v1/jobs/retry", {}) == {"retried": 0, "more": False}
