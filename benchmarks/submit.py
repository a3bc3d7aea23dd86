"""(1) `POST /v1/documents` with a 100 KB PDF, against a bare S3 put of the same bytes and one Postgres commit.

The workers are stopped meanwhile: they would read what is submitted, on the cores that are being measured.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import aiohttp
import asyncpg

from app.resources import aws_session
from benchmarks.figures import milliseconds, percentile, verdict
from benchmarks.running import RunningStack

MOST = 1.5
ROUNDS = 10
PER_ROUND = {1: 30, 16: 160}

Request = Callable[[], Awaitable[None]]


async def run(stack: RunningStack) -> None:
    """Measure in turns, at concurrency 1 and 16."""
    print("\n(1) submit a 100 KB PDF, against an S3 put and a commit")
    body = b"%PDF-1.7\n" + os.urandom(100 * 1024)
    worker = stack.named("quire worker")
    worker.suspend()
    try:
        async with (
            aiohttp.ClientSession(stack.address, headers=stack.authorization) as client,
            aws_session(stack.settings).client("s3", endpoint_url=stack.settings.aws_endpoint_url_s3) as s3,
            asyncpg.create_pool(stack.environment["DATABASE_URL"], min_size=16, max_size=16) as pool,
        ):
            await pool.execute("CREATE TABLE IF NOT EXISTS bench (id uuid PRIMARY KEY, key text NOT NULL)")

            async def ours() -> None:
                async with client.post(
                    "/v1/documents", data=body, headers={"Content-Type": "application/pdf"}
                ) as answer:
                    assert answer.status == 202, await answer.text()
                    await answer.read()

            async def bare() -> None:
                key = uuid4()
                await s3.put_object(Bucket=stack.settings.s3_bucket, Key=f"bench/{key}", Body=body)
                await pool.execute("INSERT INTO bench VALUES ($1, $2)", key, f"bench/{key}")

            for concurrency in PER_ROUND:
                await _compare(concurrency, ours, bare)
    finally:
        worker.resume()


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
