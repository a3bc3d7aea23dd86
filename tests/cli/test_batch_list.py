"""`quire batch list`: a batch that is done isn't one that went well."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from app.batches.models import Batch
from app.config import Settings
from app.jobs import repository
from app.jobs.states import JobState
from tests.batches.batching import BatchBench
from tests.bench import WORKER, Bench
from tests.cli.calling import command_on
from tests.cli.forks import Forks
from tests.service import Client


async def fail(batching: BatchBench, batch: Batch, *, most: int) -> list[UUID]:
    """Give some jobs of a batch up that wait, as a worker would; returns them."""
    waiting = [item.job for item in await batching.items(batch) if item.job and item.job.state is JobState.QUEUED]
    async with batching.bench.tools.sessions.begin() as session:
        for job in waiting[:most]:
            claimed = await repository.claim(session, job.id, job.stage, worker=WORKER, lease=timedelta(minutes=1))
            assert claimed is not None
            given_up, fence = JobState.DEADLETTER, claimed.fence
            await repository.transition(session, job.id, given_up, fence=fence, error_code="ocr_failed")
    return [job.id for job in waiting[:most]]


async def test_refused_and_failed_documents_are_counted(
    quick: Settings, address: str, client: Client, bench: Bench, tmp_path: Path, forks: Forks
) -> None:
    """At once where they are known at once, again whenever the batch is counted, and exactly at its end."""
    batching = BatchBench(bench, await bench.rows.project())
    documents = [(await bench.rows.document()).id for _ in range(2)]
    batch = (await batching.submit(*documents, uuid4())).batch
    await batching.taking().take(batch.id)

    async def counted() -> tuple[str, int, int]:
        (found,) = (await client.get("/v1/batches")).json()["items"]
        return found["state"], found["documents_refused"], found["documents_failed"]

    assert await counted() == ("working", 1, 0)
    failed = await fail(batching, batch, most=1)
    read = (await client.get(f"/v1/batches/{batch.id}")).json()
    assert (read["documents_refused"], read["documents_failed"]) == (1, 1)
    assert await counted() == ("working", 1, 1)
    failed += await fail(batching, batch, most=1)
    await batching.sweep()
    assert await counted() == ("done", 1, 2)
    quire = await command_on(quick, address, tmp_path, forks)
    heading, row = (await asyncio.to_thread(quire, "batch", "list")).stdout.splitlines()
    columns = heading.split()
    shown = dict(zip(columns[::-1], row.split()[::-1], strict=False))  # the name, which it has none of, comes early
    assert (shown["documents"], shown["done"], shown["refused"], shown["failed"]) == ("3", "100%", "1", "2")
    listed = json.loads((await asyncio.to_thread(quire, "batch", "list", "--json")).stdout)
    assert (listed["documents_refused"], listed["documents_failed"]) == (1, 2)
    await bench.jobs.retry(batching.project_id, failed[0])
    await client.get(f"/v1/batches/{batch.id}")
    assert await counted() == ("working", 1, 1)


async def test_a_batch_of_which_nothing_can_be_taken_says_so_in_its_answer(client: Client) -> None:
    unknown = [{"document_id": str(uuid4())} for _ in range(3)]
    answer = await client.post("/v1/batches", json={"documents": unknown, "preflight": "warn"})
    batch = answer.json()["batch"]
    assert (batch["state"], batch["documents_refused"], batch["documents_failed"]) == ("done", 3, 0)
