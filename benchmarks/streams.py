"""Event streams: many clients of one API process, while things happen.

`STREAM_CLIENTS` (5,000) follow jobs, each its own and then ten to a job, while `STREAM_EVENTS` (500) events a second are
written, each by a transaction of its own, and rung for as the service does. The clients are a process of their own; how late
an event is counts from before its transaction to its arrival there.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import psutil
from redis.asyncio import Redis

from app import events
from app.db import new_id, open_engine, open_sessions
from app.projects.service import Projects
from app.ringing import finish_ringing
from benchmarks.figures import milliseconds, percentile, verdict
from benchmarks.running import ROOT, RunningStack, free_port
from benchmarks.simulated import prepared

CLIENTS = int(os.environ.get("STREAM_CLIENTS", "5000"))
EVENTS_PER_SECOND = int(os.environ.get("STREAM_EVENTS", "500"))
SECONDS = 20.0
WRITERS = 8
MOST_P99_MS, MOST_CONNECTIONS, MOST_KB = 50, 2, 50
SPARE_FILES = 500

WRITE = """
    WITH told AS (
        UPDATE jobs SET last_event_number = last_event_number + 1 WHERE id = $1
        RETURNING project_id, document_id, id, last_event_number
    )
    INSERT INTO events (project_id, document_id, job_id, number, type, payload)
    SELECT project_id, document_id, id, last_event_number, 'progress', jsonb_build_object('sent', $2::float)
    FROM told RETURNING number
"""


@dataclass(frozen=True, slots=True)
class Server:
    """The API process that is measured."""

    process: psutil.Process
    port: int

    def redis_connections(self, redis_port: int) -> int:
        """How many connections it has to Redis."""
        return sum(
            1
            for each in self.process.net_connections("tcp")
            if each.raddr and each.raddr.port == redis_port and each.status == psutil.CONN_ESTABLISHED
        )


async def run(stack: RunningStack) -> None:
    """Each client its own job; then ten clients to a job."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    clients = min(CLIENTS, most - SPARE_FILES) if most != resource.RLIM_INFINITY else CLIENTS
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"\nevent streams: {clients} clients of one API process, {EVENTS_PER_SECOND} events a second, {SECONDS:g} s")
    async with prepared(stack) as connection:
        for followers in (1, 10):
            async with _server(stack) as server:
                await _measure(stack, server, await _jobs(connection, clients // followers), followers)


async def _measure(stack: RunningStack, server: Server, jobs: Sequence[UUID], followers: int) -> None:
    await asyncio.sleep(2)
    before = server.process.memory_info().rss
    paths = [f"/v1/jobs/{job}/events" for job in jobs for _ in range(followers)]
    key = stack.environment["QUIRE_API_KEY"]
    listening = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.stream_clients", "127.0.0.1", str(server.port), key, str(SECONDS + 5)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**28,
    )
    assert listening.stdin is not None
    assert listening.stdout is not None
    began = time.monotonic()
    listening.stdin.write("\n".join(paths).encode())
    listening.stdin.close()
    assert (await listening.stdout.readline()).strip() == b"ready"
    opened = time.monotonic() - began
    kilobytes = (server.process.memory_info().rss - before) / 1000 / len(paths)
    cpu_before = _cpu(server)
    written = await _write(stack, jobs)
    cpu = (_cpu(server) - cpu_before) / SECONDS
    redis_port = urlsplit(stack.environment["REDIS_URL"]).port or 6379
    connections = server.redis_connections(redis_port)
    heard = json.loads(await listening.stdout.readline())
    await listening.wait()
    _say(followers, heard, written, opened=opened, kilobytes=kilobytes, cpu=cpu, connections=connections)


def _say(
    followers: int,
    heard: dict[str, Any],
    written: int,
    *,
    opened: float,
    kilobytes: float,
    cpu: float,
    connections: int,
) -> None:
    late: Sequence[float] = heard["late"]
    print(f"  {followers} to a job: {heard['snapshots']} opened in {opened:.1f} s, {heard['lost']} lost")
    print(f"    {written} events written, {len(late)} of {written * followers} heard; API at {cpu:.0%} of a core")
    if not late:
        return
    print(f"    {milliseconds(late)}")
    print(f"    p99          {verdict(percentile(late, 0.99) * 1000, MOST_P99_MS, ' ms')}")
    print(f"    memory       {verdict(kilobytes, MOST_KB, ' KB a client')}")
    print(f"    to Redis     {verdict(connections, MOST_CONNECTIONS, ' connections')}")


async def _write(stack: RunningStack, jobs: Sequence[UUID]) -> int:
    """Write events at an even pace, job after job; returns how many."""
    pool = await asyncpg.create_pool(stack.environment["DATABASE_URL"], min_size=WRITERS, max_size=WRITERS)
    total = int(EVENTS_PER_SECOND * SECONDS)
    began = time.monotonic()
    async with Redis.from_url(stack.environment["REDIS_URL"]) as redis:

        async def write(first: int) -> int:
            count = 0
            for index in range(first, total, WRITERS):
                await asyncio.sleep(began + index / EVENTS_PER_SECOND - time.monotonic())
                job = jobs[index % len(jobs)]
                number = await pool.fetchval(WRITE, job, time.time())
                await events.ring(redis, job, number)
                count += 1
            return count

        counts = await asyncio.gather(*map(write, range(WRITERS)))
        await finish_ringing(redis)
    await pool.close()
    return sum(counts)


async def _jobs(connection: asyncpg.Connection, count: int) -> list[UUID]:
    """Jobs at work, each of a document of its own."""
    project_id = await connection.fetchval("SELECT id FROM projects LIMIT 1")
    documents, jobs = [new_id() for _ in range(count)], [new_id() for _ in range(count)]
    await connection.execute(
        """INSERT INTO documents (id, project_id, media_type, size_bytes, sha256, s3_bucket, s3_key)
           SELECT id, $2, 'application/pdf', 1, repeat('0', 64), 'none', id::text FROM unnest($1::uuid[]) AS id""",
        documents,
        project_id,
    )
    await connection.execute(
        """INSERT INTO jobs (id, project_id, document_id, state, claimed_by, lease_until, fence)
           SELECT j, $3, d, 'working', 'nobody', now() + interval '1 day', 1
           FROM unnest($1::uuid[], $2::uuid[]) AS each(j, d)""",
        jobs,
        documents,
        project_id,
    )
    return jobs


@asynccontextmanager
async def _server(stack: RunningStack) -> AsyncIterator[Server]:
    """An API process of its own, on the stack's Postgres and Redis, with its key."""
    port = free_port()
    environment = {**os.environ, **stack.environment, "PYTHONPATH": str(ROOT), "LOG_LEVEL": "WARNING"}
    environment |= {"MAX_STREAMS": "20000", "REQUESTS_PER_SECOND": "0", "OCR_ENGINES": "textract"}
    await _make_key(stack)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.serve", "--port", str(port)), cwd="/tmp", env=environment
    )
    try:
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"http://127.0.0.1:{port}/health/live")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield Server(psutil.Process(process.pid), port)
    finally:
        process.terminate()
        await process.wait()


async def _make_key(stack: RunningStack) -> None:
    engine = open_engine(stack.settings)
    await Projects(open_sessions(engine)).ensure_key(stack.environment["QUIRE_API_KEY"])
    await engine.dispose()


def _cpu(server: Server) -> float:
    times = server.process.cpu_times()
    return times.user + times.system
