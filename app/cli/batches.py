"""`quire batch list`, `status`, `cancel`, `retry`, `report`: batches that were submitted."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from app.cli.batching import describe
from app.cli.connection import FAILED, connected
from app.cli.following import ENDED, follow_batch
from app.cli.ids import check_ids
from app.cli.output import age, say, table
from app.cli.reading import copied, opened


async def list_batches(states: Sequence[str], most: int, *, as_json: bool) -> None:
    """Print the newest batches."""
    async with connected() as server:
        batches = [each async for each in server.listed("/v1/batches", most=most, state=list(states) or None)]
    if as_json:
        for batch in batches:
            say(batch)
        return
    columns = ("id", "name", "state", "priority", "documents", "done", "refused", "failed", "age")
    table(columns, (_row(batch) for batch in batches))


async def show_batch(batch_id: str, *, wait: bool, as_json: bool) -> int:
    """Print how a batch does, once or whenever that changes until it has ended; `FAILED` where something of it failed."""
    check_ids("batch", batch_id)
    async with connected() as server:
        batch = await server.get(f"/v1/batches/{batch_id}")
        _say(batch, as_json=as_json)
        if wait and batch["state"] not in ENDED:
            async with aclosing(follow_batch(server, batch_id)) as changes:
                async for batch in changes:
                    _say(batch, as_json=as_json)
    return FAILED if wait and (batch["progress"]["errors"] or batch["state"] != "done") else 0


async def cancel_batch(batch_id: str, *, as_json: bool) -> None:
    """Cancel the rest of a batch."""
    check_ids("batch", batch_id)
    async with connected() as server:
        batch = await server.post(f"/v1/batches/{batch_id}/cancel")
    if as_json:
        say(batch)
    else:
        print(
            f"{batch['id']}  {batch['state']}: what waits is cancelled, what is being worked on stops at its next stage."
        )


async def retry_batch(batch_id: str, *, as_json: bool) -> None:
    """Try again all that failed of a batch."""
    check_ids("batch", batch_id)
    async with connected() as server:
        answer = await server.post(f"/v1/batches/{batch_id}/retry")
    if as_json:
        say(answer)
    else:
        print(f"{answer['batch']['id']}  {answer['batch']['state']}: {answer['retried']} documents are tried again.")


async def report_batch(batch_id: str, to: Path | None) -> None:
    """Print every item of a batch as a line of JSON, or write them to a file."""
    check_ids("batch", batch_id)
    async with connected() as server:
        with opened(to) as out:
            await copied(server, f"/v1/batches/{batch_id}/report.ndjson", out)


def _row(batch: Mapping[str, Any]) -> tuple[object, ...]:
    names = ("id", "external_id", "state", "priority", "item_count")
    counts = (batch["documents_refused"], batch["documents_failed"])
    return (*(batch[name] for name in names), f"{batch['percent']:.0f}%", *counts, age(batch["created_at"]))


def _say(batch: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        say(batch)
        return
    errors = "".join(f", {count} {code}" for code, count in batch["progress"]["errors"].items())
    print(f"{batch['id']}  {batch['state']}  {batch['percent']:.0f}%  {describe(batch)}{errors}", flush=True)
