"""(3) `GET /v1/jobs/{id}` with and without a matching ETag, against a route of the bare framework that answers as much.

Both run on one core as one process of the same server, and are asked over kept connections, by turns: what the machine does
beside them is shared by both.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from benchmarks.latency import locked_pdf
from benchmarks.running import OK, RunningStack, free_port

CONNECTIONS = 16
ROUNDS, SECONDS = 5, 3.0
NOT_MODIFIED = 304
BARE = """
import gc, sys
from pathlib import Path
import uvicorn
from fastapi import FastAPI, Response

app = FastAPI()
answer = Path(sys.argv[2]).read_bytes()

@app.get("/v1/jobs/{job_id}")
async def get_job(job_id: str) -> Response:
    return Response(answer, media_type="application/json")

uvicorn.run(app, port=int(sys.argv[1]), log_level="critical", access_log=False)
"""


async def run(stack: RunningStack) -> None:
    """Ask for a job that waits, one that has ended, and the same with their ETags; and the bare framework."""
    print(f"\n(3) GET /v1/jobs/{{id}}, {CONNECTIONS} connections, the best of {ROUNDS} times {SECONDS:.0f} s each")
    async with aiohttp.ClientSession(stack.address, headers=stack.authorization) as client:
        job_id = await _ended_job(client)
        async with client.get(f"/v1/jobs/{job_id}") as answer:
            body, etag = await answer.read(), answer.headers["ETag"]
    path = f"/v1/jobs/{job_id}"
    async with bare_framework(body) as address:
        asked: dict[str, tuple[str, Mapping[str, str], int]] = {
            "bare framework": (address, {}, OK),
            "whole": (stack.address, stack.authorization, OK),
            "with its ETag": (stack.address, {**stack.authorization, "If-None-Match": etag}, NOT_MODIFIED),
        }
        rates = await _measure(asked, path)
    bare = rates["bare framework"]
    for name, rate in rates.items():
        print(f"  {name:16} {rate:7,.0f} requests/s   {rate / bare:5.0%} of the bare framework")


async def _measure(asked: Mapping[str, tuple[str, Mapping[str, str], int]], path: str) -> dict[str, float]:
    """Requests a second of each, by turns; the best of some rounds, for whatever else runs only slows."""
    rates: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(ROUNDS):
        for name, (address, headers, status) in asked.items():
            rates[name].append(await _rate(address, headers, path, status))
    for name, seen in rates.items():
        print(f"    {name}: {', '.join(f'{rate:,.0f}' for rate in seen)} (median {statistics.median(seen):,.0f})")
    return {name: max(seen) for name, seen in rates.items()}


async def _rate(address: str, headers: Mapping[str, str], path: str, status: int) -> float:
    counts = [0] * CONNECTIONS
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(address, headers=headers, connector=connector) as client:
        began = time.monotonic()

        async def ask(place: int) -> None:
            while time.monotonic() - began < SECONDS:
                async with client.get(path) as answer:
                    await answer.read()
                    assert answer.status == status, answer.status
                counts[place] += 1

        await asyncio.gather(*(ask(place) for place in range(CONNECTIONS)))
        return sum(counts) / (time.monotonic() - began)


@asynccontextmanager
async def bare_framework(body: bytes) -> AsyncIterator[str]:
    """A FastAPI of one route that answers with these bytes."""
    port, folder = free_port(), Path(os.environ.get("TMPDIR", "/tmp"))
    program, answer = folder / f"quire-bare-{port}.py", folder / f"quire-bare-{port}.json"
    program.write_text(BARE)
    answer.write_bytes(body)
    process = await asyncio.create_subprocess_exec(sys.executable, str(program), str(port), str(answer))
    try:
        await _until_up(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
        program.unlink()
        answer.unlink()


async def _until_up(address: str) -> None:
    async with asyncio.timeout(30), aiohttp.ClientSession(address) as client:
        while True:
            try:
                async with client.get("/v1/jobs/x"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def _ended_job(client: aiohttp.ClientSession) -> str:
    headers = {"Content-Type": "application/pdf"}
    async with client.post("/v1/documents", data=locked_pdf(), headers=headers) as answer:
        job_id: str = (await answer.json())["job"]["id"]
    while True:
        async with client.get(f"/v1/jobs/{job_id}", params={"wait": "5"}) as answer:
            if (await answer.json())["state"] == "deadletter":
                return job_id
