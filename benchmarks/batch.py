"""A batch of thousands of documents: how soon it is accepted, what a document costs Postgres and Redis, how many are read
in a second, and how long an urgent document waits that is submitted in the middle.

`BATCH_DOCUMENTS` (10,000) one-page documents, whose bytes differ, are in the bucket already. The engine is the
Textract-compatible server's simulated one, so what is measured is Quire: API, worker, Postgres and Valkey on one machine.
"""

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from redis.asyncio import Redis

from app.db import new_id, open_engine, open_sessions
from app.projects.service import Projects
from app.resources import aws_session
from benchmarks.figures import milliseconds, percentile, verdict
from benchmarks.running import OK, ROOT, RunningStack, free_port
from benchmarks.simulated import Quotas, prepared, running_worker, simulated_account, worker_settings

DOCUMENTS = int(os.environ.get("BATCH_DOCUMENTS", "10000"))
WHOLE_DOCUMENTS = int(os.environ.get("BATCH_WHOLE_DOCUMENTS", "1000"))
SCALE, PAGE_SECONDS = 20, 2.0
URGENT_EVERY_SECONDS = 1.0
MOST_ACCEPT_SECONDS, MOST_URGENT_SECONDS = 2.0, 3.0
LOADED = ("batches", "batch_items", "jobs", "events", "textract_jobs", "pages", "documents")
ACCEPTED = 202


async def run(stack: RunningStack) -> None:
    """Reading alone: the options are `{"stages": ["ocr"]}`."""
    print(f"\nbatch: {DOCUMENTS:,} documents, reading alone")
    await _measure(stack, DOCUMENTS, {"stages": ["ocr"]})


async def run_whole(stack: RunningStack) -> None:
    """All stages."""
    print(f"\nbatch: {WHOLE_DOCUMENTS:,} documents, all stages")
    await _measure(stack, WHOLE_DOCUMENTS, {})


@dataclass(slots=True)
class Urgent:
    """High-priority documents, submitted one by one while the batch is under way."""

    client: httpx.AsyncClient
    options: str
    jobs: list[UUID] = field(default_factory=list)

    async def submit(self) -> None:
        """Submit the next."""
        answer = await self.client.post(
            "/v1/documents", params={"priority": "high", "options": self.options}, content=pdf(str(new_id()))
        )
        answer.raise_for_status()
        self.jobs.append(UUID(answer.json()["job"]["id"]))

    async def waits(self, connection: asyncpg.Connection) -> list[float]:
        """How long each waited for its first stage, by Postgres' clock, in seconds."""
        rows = await connection.fetch(
            "SELECT extract(epoch FROM coalesce(started_at, clock_timestamp()) - created_at)::float AS seconds"
            " FROM jobs WHERE id = ANY($1::uuid[])",
            self.jobs,
        )
        return [row["seconds"] for row in rows]


@dataclass(frozen=True, slots=True)
class Costs:
    """What has been asked of Postgres and Redis so far."""

    written: int
    commands: int

    @classmethod
    async def now(cls, connection: asyncpg.Connection, redis: Redis) -> "Costs":
        """As their own statistics say."""
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        written = await connection.fetchval(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE relname = ANY($1)",
            list(LOADED),
        )
        return cls(int(written), int((await redis.info("stats"))["total_commands_processed"]))


async def _measure(stack: RunningStack, count: int, options: dict[str, Any]) -> None:
    with simulated_account(stack, Quotas().scaled(SCALE), PAGE_SECONDS) as account:
        async with prepared(stack) as connection, _api(stack) as client:
            documents = await _uploaded(stack, connection, count)
            with running_worker(worker_settings(stack, account)):
                await _until_served(client)
                redis: Redis = Redis.from_url(stack.environment["REDIS_URL"])
                before = await Costs.now(connection, redis)
                began = time.monotonic()
                batch_id = await _submit(client, documents, options)
                accepted = time.monotonic() - began
                urgent = Urgent(client, '{"stages": ["ocr"]}')
                batch = await _until_done(client, batch_id, urgent)
                seconds = time.monotonic() - began
                await asyncio.sleep(2)  # statistics are told with a delay
                after = await Costs.now(connection, redis)
                rows = await _rows_of(connection, batch_id)
                waits = await urgent.waits(connection)
                await redis.aclose()
    print(f"  accepted in               {verdict(accepted, MOST_ACCEPT_SECONDS, ' s')}")
    print(f"  documents                 {count / seconds:.1f} a second; jobs: {batch['progress']['jobs']}")
    each = count + len(waits)
    print(f"  rows left, a document     {', '.join(f'{name} {n / count:.2f}' for name, n in rows.items())}")
    print(f"  rows written, a document  {(after.written - before.written) / each:.1f}")
    print(f"  Redis commands, a document  {(after.commands - before.commands) / each:.1f}")
    print(f"  urgent documents to their first stage  {milliseconds(waits)}")
    print(f"  p99  {verdict(percentile(waits, 0.99), MOST_URGENT_SECONDS, ' s')}")


async def _submit(client: httpx.AsyncClient, documents: Sequence[UUID], options: dict[str, Any]) -> str:
    items = [{"document_id": str(each)} for each in documents]
    answer = await client.post("/v1/batches", json={"documents": items, "options": options, "priority": "normal"})
    if answer.status_code != ACCEPTED:
        raise RuntimeError(answer.text)
    accepted = answer.json()
    assert not accepted["refused"], accepted["refused"][:3]
    return str(accepted["batch"]["id"])


async def _until_done(client: httpx.AsyncClient, batch_id: str, urgent: Urgent) -> dict[str, Any]:
    """Follow the batch to its end, submitting urgent documents from its first tenth to its last."""
    while True:
        batch: dict[str, Any] = (await client.get(f"/v1/batches/{batch_id}")).json()
        if batch["state"] == "done":
            return batch
        if 10 < batch["percent"] < 90:
            await urgent.submit()
        await asyncio.sleep(URGENT_EVERY_SECONDS)


async def _rows_of(connection: asyncpg.Connection, batch_id: str) -> dict[str, int]:
    """Rows that a batch has left in each table."""
    of_jobs = "job_id IN (SELECT id FROM jobs WHERE batch_id = $1::uuid)"
    of = dict.fromkeys(("textract_jobs", "pages"), of_jobs) | {
        "batch_items": "batch_id = $1::uuid",
        "jobs": "batch_id = $1::uuid",
        "events": "batch_id = $1::uuid OR " + of_jobs,
    }
    return {
        name: await connection.fetchval(f"SELECT count(*) FROM {name} WHERE {where}", UUID(batch_id))
        for name, where in sorted(of.items())
    }


def pdf(text: str) -> bytes:
    """A one-page PDF as small as one can be, with a comment that makes its bytes its own."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<<>>>>",
    ]
    body, places = b"%PDF-1.7\n%" + text.encode() + b"\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + table + b"trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)


async def _uploaded(stack: RunningStack, connection: asyncpg.Connection, count: int) -> list[UUID]:
    """Documents of the project `default` that are in the bucket, and that nothing was done with."""
    project = await connection.fetchval("SELECT id FROM projects WHERE name = 'default'")
    made = {new_id(): pdf(str(number)) for number in range(count)}
    await _store(stack, {f"documents/{each}.pdf": content for each, content in made.items()})
    bucket = stack.settings.s3_bucket
    await connection.executemany(
        "INSERT INTO documents (id, project_id, media_type, size_bytes, sha256, s3_bucket, s3_key)"
        " VALUES ($1, $2, 'application/pdf', $3, $4, $5, $6)",
        [
            (each, project, len(content), hashlib.sha256(content).hexdigest(), bucket, f"documents/{each}.pdf")
            for each, content in made.items()
        ],
    )
    await connection.execute("ANALYZE documents")
    return list(made)


async def _store(stack: RunningStack, objects: dict[str, bytes]) -> None:
    settings, waiting = stack.settings, iter(objects.items())
    async with aws_session(settings).client("s3", endpoint_url=settings.aws_endpoint_url_s3) as s3:

        async def one_after_another() -> None:
            for key, content in waiting:
                await s3.put_object(Bucket=settings.s3_bucket, Key=key, Body=content)

        await asyncio.gather(*(one_after_another() for _ in range(10)))


async def _until_served(client: httpx.AsyncClient) -> None:
    """Wait until a worker serves every queue."""
    async with asyncio.timeout(60):
        while not (await client.get("/health/ready")).json()["checks"]["workers"]["ok"]:  # noqa: ASYNC110 (nobody tells us)
            await asyncio.sleep(0.5)


@asynccontextmanager
async def _api(stack: RunningStack) -> AsyncIterator[httpx.AsyncClient]:
    """An API process of its own, and a client of it."""
    engine = open_engine(stack.settings)
    await Projects(open_sessions(engine)).ensure_key(stack.environment["QUIRE_API_KEY"])
    await engine.dispose()
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **stack.environment, "LOG_LEVEL": "ERROR"}
    environment |= {"REQUESTS_PER_SECOND": "0", "OCR_ENGINES": "textract"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.serve", "--port", str(port)), cwd="/", env=environment
    )
    try:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base, headers=stack.authorization, timeout=60) as client:
            await _until_up(client)
            yield client
    finally:
        process.terminate()
        await process.wait()


async def _until_up(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await client.get("/health/live")).status_code == OK:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.2)
