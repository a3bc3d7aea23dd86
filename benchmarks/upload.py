"""(2) A 500 MB upload through the API, against aioboto3's own multipart upload of the same file; and the API's memory."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil

from app.resources import aws_session
from benchmarks.figures import ratio, verdict
from benchmarks.running import RunningStack

SIZE_BYTES = 500 * 1024 * 1024
MOST = 1.2
MOST_MEBIBYTES = 64
ROUNDS = 3
READ_BYTES = 1024 * 1024


async def run(stack: RunningStack) -> None:
    """Measure in turns, and watch the API's resident memory meanwhile."""
    print("\n(2) upload 500 MB, against aioboto3's own multipart upload of the same file")
    api, worker = stack.named("quire api"), stack.named("quire worker")
    worker.suspend()
    try:
        with tempfile.NamedTemporaryFile(dir="/var/tmp", suffix=".pdf") as file:
            _fill(Path(file.name))
            before = api.memory_info().rss
            ours, theirs, highest = [], [], before
            for _ in range(ROUNDS):
                watching = asyncio.create_task(_highest(api))
                ours.append(await _through_quire(stack, Path(file.name)))
                watching.cancel()
                highest = max(highest, await watching)
                theirs.append(await _straight(stack, Path(file.name)))
    finally:
        worker.resume()
    print(f"  Quire     {_seconds(ours)}\n  aioboto3  {_seconds(theirs)}")
    print(f"  ratio     {verdict(ratio(ours, theirs), MOST)}")
    print(f"  memory of the API above rest   {verdict((highest - before) / 1024**2, MOST_MEBIBYTES, ' MiB')}")


def _fill(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n".ljust(READ_BYTES))
        for _ in range(SIZE_BYTES // READ_BYTES - 1):
            file.write(os.urandom(READ_BYTES))


def _seconds(values: list[float]) -> str:
    return "median {:.2f} s   ({})".format(
        sorted(values)[len(values) // 2], ", ".join(f"{value:.2f}" for value in values)
    )


async def _through_quire(stack: RunningStack, path: Path) -> float:
    async def chunks() -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, READ_BYTES):
                yield chunk

    began = time.perf_counter()
    headers = {"Content-Type": "application/pdf", "Content-Length": str(SIZE_BYTES)}
    async with (
        aiohttp.ClientSession(stack.address, headers=stack.authorization) as client,
        client.post("/v1/documents", data=chunks(), headers=headers) as answer,
    ):
        assert answer.status == 202, await answer.text()
    return time.perf_counter() - began


async def _straight(stack: RunningStack, path: Path) -> float:
    settings = stack.settings
    async with aws_session(settings).client("s3", endpoint_url=settings.aws_endpoint_url_s3) as client:
        began = time.perf_counter()
        with path.open("rb") as file:
            await client.upload_fileobj(file, settings.s3_bucket, "bench/straight.pdf")
        return time.perf_counter() - began


async def _highest(process: psutil.Process) -> int:
    """The most resident memory that a process is seen with, until cancelled."""
    highest = 0
    try:
        while True:
            highest = max(highest, process.memory_info().rss)
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        return highest
