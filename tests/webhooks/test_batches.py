"""Webhooks of batches: the end of each is told once, to the project's endpoints and to its own `callback_url`."""

from typing import Any
from uuid import uuid4

from tests.service import Client
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_webhooks import PAGES, verified, webhook


async def submitted(client: Client, *document_ids: str, **said: Any) -> str:
    """The id of a batch of some documents."""
    items = [{"document_id": document_id} for document_id in document_ids]
    answer = await client.post("/v1/batches", json={"documents": items, **said})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batch"]["id"])


async def read_document(client: Client) -> str:
    """The id of a document that has been read."""
    made = await client.submit(PAGES)
    await client.ended(made["job"]["id"])
    return str(made["document"]["id"])


async def test_the_end_of_a_batch_is_told_once(caller: Client, receiver: Receiver) -> None:
    """`batch.done` comes after the end of its jobs, and says what the API says of the batch."""
    document_id = await read_document(caller)
    made = await webhook(caller, receiver.url, event_types=["batch.done", "batch.cancelled"])
    batch_id = await submitted(caller, document_id)
    [received] = await receiver.wait(1, within_seconds=60)
    said = verified(received, made["secret"])
    assert (said["type"], said["data"]["id"], said["data"]["state"]) == ("batch.done", batch_id, "done")
    shown = (await caller.get(f"/v1/batches/{batch_id}")).json()
    assert (said["data"]["progress"]["percent"], said["data"]["item_count"]) == (100, shown["item_count"])
    assert len(receiver.received) == 1


async def test_a_cancelled_batch_is_told_of(caller: Client, receiver: Receiver) -> None:
    """`batch.cancelled` comes, and `batch.done` doesn't."""
    document_id = await read_document(caller)
    made = await webhook(caller, receiver.url, event_types=["batch.done", "batch.cancelled"])
    batch_id = await submitted(caller, document_id, options={"force_reprocess": True})
    answer = await caller.post(f"/v1/batches/{batch_id}/cancel")
    assert answer.status_code == 202, answer.text
    [received] = await receiver.wait(1, within_seconds=60)
    said = verified(received, made["secret"])
    assert (said["type"], said["data"]["id"], said["data"]["state"]) == ("batch.cancelled", batch_id, "cancelled")
    assert len(receiver.received) == 1


async def test_a_batch_calls_back_where_it_was_told_to(caller: Client, receiver: Receiver) -> None:
    """Its `callback_url` gets the end of the batch and of none of its jobs, signed with the project's own secret."""
    document_id = await read_document(caller)
    batch_id = await submitted(caller, document_id, str(uuid4()), callback_url=receiver.url)
    [received] = await receiver.wait(1, within_seconds=60)
    secret = (await caller.get("/v1/callbacks/secret")).json()["secret"]
    said = verified(received, secret)
    assert (said["type"], said["data"]["id"]) == ("batch.done", batch_id)
    assert len(receiver.received) == 1
