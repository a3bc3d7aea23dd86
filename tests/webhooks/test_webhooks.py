"""Webhooks as a receiver meets them: signed, repeated until they arrive, once for each event, and nowhere private."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from app.config import Settings
from app.webhooks.delivery import backoff
from app.webhooks.models import Webhook
from app.webhooks.sending import retry_after
from tests.api.running import client_with, problem_of
from tests.bench import Bench, eventually
from tests.documents import letter
from tests.service import Client, client_of, make_key
from tests.webhooks.receiver import Received, Receiver, answer, running_receiver
from workers.main import serving

PAGES = letter("One")


async def webhook(client: Client, url: str, **said: Any) -> dict[str, Any]:
    """A new webhook."""
    made = await client.post("/v1/webhooks", json={"url": url, **said})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def cancelled(client: Client, **said: str) -> str:
    """A job that somebody cancelled."""
    job_id = (await client.submit(PAGES, **said))["job"]["id"]
    await client.post(f"/v1/jobs/{job_id}/cancel")
    return str(job_id)


async def deliveries(client: Client, webhook_id: str, **said: str) -> list[dict[str, Any]]:
    """What a webhook was sent."""
    return list((await client.get(f"/v1/webhooks/{webhook_id}/deliveries", params=said)).json()["items"])


async def ended(client: Client, webhook_id: str, state: str) -> dict[str, Any]:
    """A delivery, once there is one that has ended so."""
    found = await eventually(lambda: deliveries(client, webhook_id, state=state))
    return found[0]


def verified(received: Received, secret: str) -> dict[str, Any]:
    """What a message says, where its signature is right. Raises `WebhookVerificationError`."""
    return dict(Verifier(secret).verify(received.body, dict(received.headers)))


async def test_an_endpoint_is_told_of_the_end_of_a_job(caller: Client, receiver: Receiver) -> None:
    """A signed message says what the API says of the job; its log says that it arrived."""
    made = await webhook(caller, receiver.url)
    job_id = (await caller.submit(PAGES))["job"]["id"]
    await caller.ended(job_id)
    [received] = await receiver.wait(1)
    said = verified(received, made["secret"])
    assert (said["type"], said["data"]["id"]) == ("job.done", job_id)
    assert said["data"]["state"] == "done"
    assert datetime.fromisoformat(said["timestamp"]) <= datetime.now(UTC)
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + "A" * 44).verify(received.body, dict(received.headers))
    delivery = await ended(caller, made["id"], "delivered")
    assert delivery["message_id"] == received.headers["webhook-id"]
    assert (delivery["attempts"], delivery["tries"][0]["status"]) == (1, 204)
    assert delivery["tries"][0]["duration_seconds"] >= 0


async def test_a_message_is_repeated_until_it_arrives(caller: Client, receiver: Receiver) -> None:
    """Failures, redirects and broken answers are tried again: the same bytes, under the same id."""
    receiver.answers = [
        answer(500, b"x" * 5000),
        answer(302, location="http://127.0.0.1:1/"),
        b"nonsense\r\n\r\n",
        answer(204),
    ]
    made = await webhook(caller, receiver.url)
    await cancelled(caller)
    received = await receiver.wait(4)
    assert len({each.headers["webhook-id"] for each in received}) == 1
    assert len({each.body for each in received}) == 1
    for each in received:
        assert verified(each, made["secret"])["type"] == "job.cancelled"
    delivery = await ended(caller, made["id"], "delivered")
    assert [each["status"] for each in delivery["tries"]] == [500, 302, None, 204]
    assert len(delivery["tries"][0]["answer"]) == 1024
    assert "connection failed" in delivery["tries"][2]["error"]
    shown = (await caller.get(f"/v1/webhooks/{made['id']}")).json()
    assert await eventually(lambda: _is_well(caller, made["id"])), shown


async def _is_well(client: Client, webhook_id: str) -> bool:
    return (await client.get(f"/v1/webhooks/{webhook_id}")).json()["failing_since"] is None


async def test_an_endpoint_that_is_gone_is_disabled(caller: Client, receiver: Receiver) -> None:
    """410 ends it, with an event; enabling it again makes it work again."""
    receiver.answers = [answer(410)]
    made = await webhook(caller, receiver.url)
    await cancelled(caller)
    await ended(caller, made["id"], "failed")

    async def disabled() -> bool:
        return not (await caller.get(f"/v1/webhooks/{made['id']}")).json()["enabled"]

    assert await eventually(disabled)
    alerts = (await caller.get("/v1/events", params={"code": "webhook_disabled"})).json()["items"]
    assert [alert["payload"]["webhook_id"] for alert in alerts] == [made["id"]]
    problem_of(await caller.post(f"/v1/webhooks/{made['id']}/test"), 409, "state_conflict")
    receiver.answers = [answer(204)]
    enabled = (await caller.patch(f"/v1/webhooks/{made['id']}", json={"enabled": True})).json()
    assert (enabled["enabled"], enabled["disabled_reason"]) == (True, None)
    await cancelled(caller)
    await ended(caller, made["id"], "delivered")


async def test_an_endpoint_that_fails_for_long_is_disabled(bench: Bench, caller: Client, receiver: Receiver) -> None:
    """Where nothing has arrived for days, one more failure disables it."""
    receiver.answers = [answer(500)]
    made = await webhook(caller, receiver.url)
    async with bench.tools.sessions.begin() as session:
        long_ago = datetime.now(UTC) - timedelta(days=4)
        await session.execute(update(Webhook).where(Webhook.id == UUID(made["id"])).values(failing_since=long_ago))
    await caller.post(f"/v1/webhooks/{made['id']}/test")

    async def reason() -> str:
        return str((await caller.get(f"/v1/webhooks/{made['id']}")).json()["disabled_reason"] or "")

    assert "Nothing has arrived since" in await eventually(reason)


async def test_retry_after_is_honoured(caller: Client, receiver: Receiver) -> None:
    """An endpoint that asks for patience is given it."""
    receiver.answers = [answer(429, retry_after="3600"), answer(204)]
    made = await webhook(caller, receiver.url)
    await cancelled(caller)
    await receiver.wait(1)

    async def put_off() -> list[dict[str, Any]]:
        return [each for each in await deliveries(caller, made["id"], state="pending") if each["tries"]]

    [delivery] = await eventually(put_off)
    due = datetime.fromisoformat(delivery["next_attempt_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < due <= timedelta(minutes=60)


async def test_only_wanted_types_are_told(caller: Client, receiver: Receiver) -> None:
    """An endpoint that names types hears of no others."""
    await webhook(caller, receiver.url, event_types=["job.done"])
    other = await webhook(caller, receiver.url + "/all")
    await cancelled(caller)
    [received] = await receiver.wait(1)
    assert received.path == "/hook/all"
    await ended(caller, other["id"], "delivered")
    assert len(receiver.received) == 1


async def test_a_secret_is_replaced_without_a_gap(caller: Client, receiver: Receiver) -> None:
    """While both secrets are valid, a receiver with either of them can verify."""
    made = await webhook(caller, receiver.url)
    rotated = (await caller.post(f"/v1/webhooks/{made['id']}/rotate-secret")).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_valid_until"] is not None
    tested = await caller.post(f"/v1/webhooks/{made['id']}/test")
    assert tested.status_code == 202
    [received] = await receiver.wait(1)
    for secret in (made["secret"], rotated["secret"]):
        assert verified(received, secret)["type"] == "webhook.test"
    assert "secret" not in (await caller.get(f"/v1/webhooks/{made['id']}")).json()
    assert made["secret"] not in (await caller.get("/v1/events")).text


async def test_a_message_is_sent_again_on_request(caller: Client, receiver: Receiver) -> None:
    """Redelivery sends the same message under the same id."""
    made = await webhook(caller, receiver.url)
    await cancelled(caller)
    delivery = await ended(caller, made["id"], "delivered")
    path = f"/v1/webhooks/{made['id']}/deliveries/{delivery['id']}/redeliver"
    assert (await caller.post(path)).status_code == 202
    first, second = await receiver.wait(2)
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    absent = path.replace(delivery["id"], str(uuid4()))
    problem_of(await caller.post(absent), 404, "delivery_not_found")


async def test_a_request_is_called_back(caller: Client, receiver: Receiver) -> None:
    """`callback_url` gets the end of that job alone, signed with the project's own secret."""
    job_id = await cancelled(caller, callback_url=receiver.url)
    await cancelled(caller)
    [received] = await receiver.wait(1)
    secret = (await caller.get("/v1/callbacks/secret")).json()["secret"]
    assert verified(received, secret)["data"]["id"] == job_id

    async def arrived() -> list[dict[str, Any]]:
        return list((await caller.get("/v1/callbacks/deliveries", params={"state": "delivered"})).json()["items"])

    [delivery] = await eventually(arrived)
    assert delivery["url"] == receiver.url
    assert (await caller.get("/v1/webhooks")).json()["items"] == []
    rotated = (await caller.post("/v1/callbacks/rotate-secret")).json()
    assert rotated["secret"] != secret


async def test_a_slow_endpoint_is_in_nobody_s_way(caller: Client, receiver: Receiver) -> None:
    """While one endpoint keeps every connection waiting, another is told at once."""
    async with running_receiver("127.0.0.2") as slow:
        slow.slow_seconds = 60
        await webhook(caller, slow.url)
        await webhook(caller, receiver.url)
        for _ in range(12):
            await cancelled(caller)
        await receiver.wait(12, within_seconds=20)
        assert len(slow.received) < 12


async def test_what_was_missed_while_no_worker_ran_is_told_once(
    bench: Bench, client: Client, allowed: Settings, receiver: Receiver
) -> None:
    """Messages come of the log: what happened while nobody read it is told when somebody does, and once."""
    async with client_with(allowed) as caller:
        made = await webhook(caller, receiver.url)
        for _ in range(5):
            await cancelled(caller)
        async with serving(allowed), serving(allowed):
            await receiver.wait(5)
            await eventually(lambda: _count(caller, made["id"], 5))
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 5
    assert len({each.said["data"]["id"] for each in receiver.received}) == 5


async def _count(client: Client, webhook_id: str, count: int) -> bool:
    return len(await deliveries(client, webhook_id, state="delivered")) == count


async def test_webhooks_are_listed_changed_and_deleted(client: Client) -> None:
    """What was said of an endpoint can be read and changed; who did it is in the trail."""
    made = [await webhook(client, f"https://example.org/{number}") for number in range(3)]
    first = (await client.get("/v1/webhooks", params={"limit": 2})).json()
    rest = (await client.get("/v1/webhooks", params={"limit": 2, "cursor": first["next"]})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [each["id"] for each in reversed(made)]
    assert "secret" not in first["items"][0]
    path = f"/v1/webhooks/{made[0]['id']}"
    changed = (await client.patch(path, json={"description": "Inbox", "event_types": ["batch.done"]})).json()
    assert (changed["description"], changed["event_types"], changed["url"]) == (
        "Inbox",
        ["batch.done"],
        made[0]["url"],
    )
    assert (await client.patch(path, json={"enabled": False})).json()["enabled"] is False
    assert (await client.delete(path)).status_code == 204
    problem_of(await client.get(path), 404, "webhook_not_found")
    codes = [item["code"] for item in (await client.get("/v1/events")).json()["items"]]
    assert codes == ["webhook_deleted", "webhook_changed", "webhook_changed", *["webhook_created"] * 3]


async def test_webhooks_of_others_are_not_there(quick: Settings, address: str, client: Client) -> None:
    """A key of another project sees no webhook of this one, and can do nothing with it."""
    path = f"/v1/webhooks/{(await webhook(client, 'https://example.org/'))['id']}"
    async with client_of(address, await make_key(quick, "other")) as other:
        assert (await other.get("/v1/webhooks")).json()["items"] == []
        for answered in (
            await other.get(path),
            await other.patch(path, json={}),
            await other.delete(path),
            await other.post(f"{path}/test"),
            await other.post(f"{path}/rotate-secret"),
            await other.get(f"{path}/deliveries"),
            await other.post(f"{path}/deliveries/{uuid4()}/redeliver"),
        ):
            problem_of(answered, 404, "webhook_not_found")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120.0), ("0", 0.0), ("-5", None), ("soon", None), (None, None), ("99999999999", 86400.0), ("1e400", None)],
)
def test_a_retry_after_is_read(said: str | None, seconds: float | None) -> None:
    """Seconds are taken up to a day; what is no Retry-After is none."""
    assert retry_after(said) == seconds


def test_a_retry_after_may_be_a_date() -> None:
    """A date is as good as seconds; one that is past means now."""
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    later = datetime.now(UTC) + timedelta(minutes=10)
    assert 590 < (retry_after(later.strftime("%a, %d %b %Y %H:%M:%S GMT")) or 0) <= 600


def test_tries_grow_apart_over_a_day() -> None:
    """The first tries come within a minute, and a day has no more than some twenty."""
    waits = [backoff(attempts) for attempts in range(1, 40)]
    assert waits[0] < 7
    assert all(wait <= 2 * 3600 * 1.2 for wait in waits)
    total, tries = 0.0, 0
    while total < 86_400:
        total += backoff(tries + 1)
        tries += 1
    assert 12 <= tries <= 25


def test_bodies_are_json(receiver: Receiver) -> None:
    """The receiver of these tests can read what it is sent."""
    assert Received("/", {}, json.dumps({"a": 1})).said == {"a": 1}
