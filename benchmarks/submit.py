"""`POST /v1/documents` with a 100 KB PDF: against a bare S3 put of the same bytes and one Postgres commit, and for a minute.

The workers are stopped meanwhile: they would read what is submitted, on the cores that are being measured.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import uuid4

import aiohttp
import asyncpg
import psutil

from app.resources import aws_session
from benchmarks.figures import milliseconds, percentile, verdict
from benchmarks.running import RunningStack

ACCEPTED = 202
MOST = 1.5
ROUNDS = 10
PER_ROUND = {1: 30, 16: 160}
BODY_BYTES = 100 * 1024
CLIENTS, SECONDS = 50, 60
WARM_SECONDS = 15
MOST_GROWTH_MEBIBYTES = 5

Request = Callable[[], Awaitable[None]]


async def run(stack: RunningStack) -> None:
    """Measure in turns, at concurrency 1 and 16."""
    print("\n(1) submit a 100 KB PDF, against an S3 put and a commit")
    body = _pdf()
    async with (
        _suspended(stack.named("quire worker")),
        aiohttp.ClientSession(stack.address, headers=stack.authorization) as client,
        aws_session(stack.settings).client("s3", endpoint_url=stack.settings.aws_endpoint_url_s3) as s3,
        asyncpg.create_pool(stack.environment["DATABASE_URL"], min_size=16, max_size=16) as pool,
    ):
        await pool.execute("CREATE TABLE IF NOT EXISTS bench (id uuid PRIMARY KEY, key text NOT NULL)")

        async def bare() -> None:
            key = uuid4()
            await s3.put_object(Bucket=stack.settings.s3_bucket, Key=f"bench/{key}", Body=body)
            await pool.execute("INSERT INTO bench VALUES ($1, $2)", key, f"bench/{key}")

        for concurrency in PER_ROUND:
            await _compare(concurrency, partial(_submit, client, body), bare)


async def run_minute(stack: RunningStack) -> None:
    """50 clients for 60 s: errors, how long each answer takes, and the API's memory every few seconds."""
    print(f"\nsubmit a 100 KB PDF, {CLIENTS} clients for {SECONDS} s")
    api, body = stack.named("quire api"), _pdf()
    seconds: list[float] = []
    async with (
        _suspended(stack.named("quire worker")),
        aiohttp.ClientSession(
            stack.address, headers=stack.authorization, connector=aiohttp.TCPConnector(limit=CLIENTS)
        ) as client,
    ):
        began = time.perf_counter()

        async def one_after_another() -> None:
            while (now := time.perf_counter()) < began + SECONDS:
                await _submit(client, body)
                seconds.append(time.perf_counter() - now)

        watching = asyncio.create_task(_curve(api))
        await asyncio.gather(*(one_after_another() for _ in range(CLIENTS)))
        watching.cancel()
        curve = await watching
    print(f"  {len(seconds)} submitted, {len(seconds) / SECONDS:.0f} a second, without an error")
    print(f"  {milliseconds(seconds)}")
    shown = "  ".join(f"{after} s: {mebibytes:.0f}" for after, mebibytes in enumerate(curve) if after % 10 == 0)
    print(f"  memory of the API in MiB   {shown}")
    growth = max(curve[-WARM_SECONDS:]) - max(curve[:WARM_SECONDS])
    print(f"  last {WARM_SECONDS} s over first {WARM_SECONDS} s   {verdict(growth, MOST_GROWTH_MEBIBYTES, ' MiB')}")


async def _submit(client: aiohttp.ClientSession, body: bytes) -> None:
    async with client.post("/v1/documents", data=body, headers={"Content-Type": "application/pdf"}) as answer:
        assert answer.status == ACCEPTED, await answer.text()
        await answer.read()


async def _curve(process: psutil.Process) -> list[float]:
    """A process's resident mebibytes, second by second, until cancelled."""
    curve: list[float] = []
    with suppress(asyncio.CancelledError):
        while True:
            curve.append(process.memory_info().rss / 1024**2)
            await asyncio.sleep(1)
    return curve


def _pdf() -> bytes:
    return b"%PDF-1.7\n" + os.urandom(BODY_BYTES)


@asynccontextmanager
async def _suspended(process: psutil.Process) -> AsyncIterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


async def _compare(concurrency: int, ours: Request, bare: Request) -> None:
    samples: dict[str, list[float]] = {"ours": [], "bare": []}
    for request in (ours, bare):
        await _sample(request, concurrency, concurrency * 3)  # connections are opened before anything counts
    for _ in range(ROUNDS):
        for name, request in (("ours", ours), ("bare", bare)):
            samples[name] += await _sample(request, concurrency, PER_ROUND[concurrency])
    figure = percentile(samples["ours"], 0.5) / percentile(samples["bare"], 0.5)
    print(f"  concurrency {concurrency:2}   Quire          {milliseconds(samples['ours'])}")
    print(f"                   put + commit   {milliseconds(samples['bare'])}")
    print(f"                   ratio of p50   {verdict(figure, MOST)}")


async def _sample(request: Request, concurrency: int, count: int) -> list[float]:
    """Seconds of so many requests, so many at once."""
    left, seconds = iter(range(count)), []

    async def one_after_another() -> None:
        for _ in left:
            began = time.perf_counter()
            await request()
            seconds.append(time.perf_counter() - began)

    await asyncio.gather(*(one_after_another() for _ in range(concurrency)))
    return seconds
