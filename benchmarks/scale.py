"""Thousands of OCR jobs at once on one worker process: how many calls, how much processor, and who is kept waiting.

The engine is the Textract-compatible server's simulated one, with quotas enforced: what is measured is Quire alone.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from app.jobs.states import Stage
from app.pipeline.stages import ROUTES
from app.queue import ArqQueue, open_redis
from benchmarks.figures import milliseconds, percentile, verdict
from benchmarks.running import RunningStack
from benchmarks.simulated import (
    Account,
    Quotas,
    WorkerProcess,
    prepared,
    running_worker,
    simulated_account,
    validated_documents,
    worker_settings,
)

JOBS, SCALE, PAGE_SECONDS = 10_000, 20, 60.0
UNSCALED_JOBS = 1_000
WARM_UP_JOBS = 20
"""Read first, so that Quire knows how long jobs take, as it does in a service that has run for a while."""
PROBES_EVERY_SECONDS = 0.25
MOST_GETS, MOST_PROBE_MS, MOST_KILOBYTES = 4, 50, 20


async def run(stack: RunningStack) -> None:
    """10,000 jobs of 60 s, with default quotas scaled by 20."""
    print(f"\n(6) {JOBS:,} simulated jobs of {PAGE_SECONDS:.0f} s on one worker process, quotas scaled by {SCALE}")
    await _measure(stack, Quotas().scaled(SCALE), JOBS, worker_max_jobs=40)


async def run_unscaled(stack: RunningStack) -> None:
    """1,000 jobs of 60 s, with default quotas."""
    print(f"\n(7) {UNSCALED_JOBS:,} simulated jobs of {PAGE_SECONDS:.0f} s on one worker process, default quotas")
    await _measure(stack, Quotas(), UNSCALED_JOBS)


@dataclass(slots=True)
class Probe:
    """Small tasks on the same worker: how long each waits from the commit of its job to its start, in seconds."""

    connection: asyncpg.Connection
    queue: ArqQueue
    jobs: Sequence[UUID]
    used: list[UUID] = field(default_factory=list)

    async def send(self) -> None:
        """Have the worker finish a document, whose job becomes due now."""
        job = self.jobs[len(self.used)]
        self.used.append(job)
        row = await self.connection.fetchrow(
            "UPDATE jobs SET created_at = clock_timestamp(), next_attempt_at = clock_timestamp() WHERE id = $1"
            " RETURNING id, stage, fence, rings, priority, project_id, batch_id",
            job,
        )
        assert row is not None
        await self.queue.advance(_Ring(**{**row, "stage": Stage(row["stage"])}))

    async def seconds(self) -> list[float]:
        """How long each waited, by Postgres' clock."""
        rows = await self.connection.fetch(
            "SELECT extract(epoch FROM started_at - created_at)::float AS seconds FROM jobs"
            " WHERE id = ANY($1::uuid[]) AND started_at IS NOT NULL",
            self.used,
        )
        return [row["seconds"] for row in rows]


@dataclass(frozen=True, slots=True)
class _Ring:
    id: UUID
    stage: Stage
    fence: int
    rings: int
    priority: str
    project_id: UUID
    batch_id: UUID | None


async def _measure(stack: RunningStack, quotas: Quotas, count: int, **more: object) -> None:
    with simulated_account(stack, quotas, PAGE_SECONDS) as account:
        async with prepared(stack) as connection:
            warm_up = await validated_documents(stack, connection, WARM_UP_JOBS)
            with running_worker(worker_settings(stack, account, **more)) as worker:
                await _until_ended(connection, warm_up, worker)
                # Its own commits are none of what is measured: how soon a job starts once it is there.
                await connection.execute("SET synchronous_commit = off")
                redis = open_redis(stack.environment["REDIS_URL"], retries=3)
                probes = await validated_documents(stack, connection, 4000, Stage.RELATIONSHIPS_BUILT)
                await connection.execute(
                    "UPDATE jobs SET next_attempt_at = now() + interval '1 day' WHERE id = ANY($1)", probes
                )
                await asyncio.sleep(3)
                await _run(
                    stack, account, connection, worker, Probe(connection, ArqQueue(redis, ROUTES, 200), probes), count
                )
                await redis.aclose()


async def _run(
    stack: RunningStack,
    account: Account,
    connection: asyncpg.Connection,
    worker: WorkerProcess,
    probe: Probe,
    count: int,
) -> None:
    await account.forget()
    resting, cpu = worker.look(), worker.cpu_seconds
    jobs = await validated_documents(stack, connection, count)
    began = time.monotonic()
    await _until_ended(connection, jobs, worker, probe)
    seconds = time.monotonic() - began
    after = await account.stats()
    _tell(account, after, count, seconds)
    print(f"  processor of the worker   {verdict((worker.cpu_seconds - cpu) / seconds, 1.0, ' cores')}")
    grown = (max(worker.resident) - resting) / count / 1000
    print(
        f"  memory of the worker      {max(worker.resident) / 1e6:.0f} MB at most; a job {verdict(grown, MOST_KILOBYTES, ' KB')}"
    )
    waits = await probe.seconds()
    print(f"  probe tasks to their start  {milliseconds(waits)}")
    print(f"  p99  {verdict(percentile(waits, 0.99) * 1000, MOST_PROBE_MS, ' ms')}")


def _tell(account: Account, after: dict[str, Any], count: int, seconds: float) -> None:
    throttled = after["throttled"] + after["limit_exceeded"]
    made, gets = sum(after["jobs_made"].values()), after["gets_per_job"]
    print(f"  {count:,} documents in {seconds:.0f} s: {count / seconds:.1f} a second; {made:,} jobs were made")
    print(f"  most open jobs at once    {_sum(after['most_open_jobs']):,} of {account.quotas.jobs:,}")
    print(f"  throttled calls           {verdict(throttled, 0)}")
    print(f"  Get calls a job           mean {gets['mean']:.2f}, most {verdict(gets['most'], MOST_GETS)}")
    print(f"    {gets['distribution']}")


def _sum(by_operation: dict[str, int]) -> int:
    return sum(by_operation.values())


async def _until_ended(
    connection: asyncpg.Connection, jobs: Sequence[UUID], worker: WorkerProcess, probe: Probe | None = None
) -> None:
    """Wait until all jobs have ended, sending probes meanwhile. Fails where any was given up."""
    last = 0.0
    while True:
        if probe is not None and len(probe.used) < len(probe.jobs):
            await probe.send()
        if time.monotonic() - last > 2:
            last = time.monotonic()
            worker.look()
            ((open_jobs, failed),) = await connection.fetch(
                "SELECT count(*) FILTER (WHERE finished_at IS NULL), count(*) FILTER (WHERE state = 'deadletter')"
                " FROM jobs WHERE id = ANY($1::uuid[])",
                jobs,
            )
            if failed:
                reasons = await connection.fetch(
                    "SELECT error_code, error_message, count(*) FROM jobs WHERE state = 'deadletter' GROUP BY 1, 2 LIMIT 5"
                )
                raise RuntimeError(f"{failed} jobs were given up: {reasons}")
            if not open_jobs:
                return
        await asyncio.sleep(PROBES_EVERY_SECONDS)


async def run_blocking(stack: RunningStack) -> None:
    """Documents in flight of one process, against one whose slots each sleep through a job."""
    print("\n(8) documents in flight per process, against a slot that sleeps through each job (20 slots)")
    quotas = Quotas().scaled(SCALE)
    with simulated_account(stack, quotas, PAGE_SECONDS) as account:
        async with prepared(stack) as connection:
            jobs = await validated_documents(stack, connection, 2000)
            with running_worker(worker_settings(stack, account)):
                await asyncio.sleep(PAGE_SECONDS)
                ours = _sum((await account.stats())["most_open_jobs"])
    with simulated_account(stack, quotas, PAGE_SECONDS) as account:
        theirs = await _blocking(stack, account, [str(job) for job in jobs])
    print(f"  Quire      {ours:,} at most within the first minute")
    print(f"  blocking   {theirs:,}")
    print(f"  ratio      {ours / theirs:.0f}")


async def _blocking(stack: RunningStack, account: Account, names: Sequence[str], slots: int = 20) -> int:
    """The textbook loop: start, sleep, ask, sleep, in as many slots as a worker has by default."""
    from app.resources import aws_session  # noqa: PLC0415 - for this comparison only

    waiting = iter(names)

    async def slot(client: Any) -> None:
        for name in waiting:
            document = {"S3Object": {"Bucket": "bench", "Name": name}}
            started = await client.start_document_text_detection(DocumentLocation=document)
            while True:
                await asyncio.sleep(5)
                answer = await client.get_document_text_detection(JobId=started["JobId"])
                if answer["JobStatus"] != "IN_PROGRESS":
                    break

    async with aws_session(stack.settings).client("textract", endpoint_url=account.url) as client:
        running = [asyncio.create_task(slot(client)) for _ in range(slots)]
        await asyncio.sleep(PAGE_SECONDS)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return _sum((await account.stats())["most_open_jobs"])


async def run_faults(stack: RunningStack) -> None:
    """1,000 jobs under 20 % throttles, 5 % lost responses and 2 % internal errors."""
    count = 1000
    print(f"\n(9) {count:,} jobs under 20 % throttles, 5 % lost responses, 2 % internal errors")
    with simulated_account(stack, Quotas().scaled(SCALE), 2.0) as account:
        await account.order(
            {"fault": "error", "code": "ThrottlingException", "rate": 0.2, "seed": 1},
            {"fault": "lost_response", "rate": 0.05, "seed": 2},
            {"fault": "error", "code": "InternalServerError", "rate": 0.02, "seed": 3},
        )
        async with prepared(stack) as connection:
            jobs = await validated_documents(stack, connection, count)
            with running_worker(worker_settings(stack, account)) as worker:
                began = time.monotonic()
                await _until_ended(connection, jobs, worker)
                seconds = time.monotonic() - began
            stats = await account.stats()
            rows = await connection.fetchval("SELECT count(*) FROM jobs WHERE state = 'done' AND id = ANY($1)", jobs)
    made = sum(stats["jobs_made"].values())
    print(f"  {rows:,} of {count:,} done in {seconds:.0f} s; calls by answer: {stats['calls']}")
    print(f"  jobs made (billed) for a document   {verdict(made / count, 1.0)}")
