"""A worker process and a simulated Textract, on a stack's Postgres, Valkey and S3: what thousands of OCR jobs run on."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import psutil

from app.config import Settings
from app.db import new_id
from app.resources import aws_session
from benchmarks.running import RunningStack, free_port

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Quotas:
    """What an account allows: calls a second, and jobs at once."""

    start: float = 15
    get: float = 25
    jobs: int = 600

    def scaled(self, factor: int) -> "Quotas":
        """So many times as much."""
        return Quotas(self.start * factor, self.get * factor, self.jobs * factor)


@dataclass(slots=True)
class Account:
    """A simulated Textract account."""

    url: str
    quotas: Quotas
    process: psutil.Process
    """The server."""

    async def stats(self) -> dict[str, Any]:
        """What it has counted."""
        async with httpx.AsyncClient(timeout=30) as client:
            counted: dict[str, Any] = (await client.get(f"{self.url}/admin/stats")).json()
            return counted

    async def forget(self) -> None:
        """Begin to count anew."""
        async with httpx.AsyncClient(timeout=30) as client:
            (await client.delete(f"{self.url}/admin/stats")).raise_for_status()

    async def order(self, *faults: dict[str, Any]) -> None:
        """Order faults."""
        async with httpx.AsyncClient(timeout=30) as client:
            (await client.post(f"{self.url}/admin/faults", json=list(faults))).raise_for_status()


@contextmanager
def simulated_account(
    stack: RunningStack, quotas: Quotas, seconds_per_page: float, pages: int = 1, text: Path | None = None
) -> Iterator[Account]:
    """Run the Textract-compatible server with its simulated engine, quotas enforced; every document has so many pages."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="quire-bench-textract-") as folder:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TEXTRACT_SERVER_ACCESS_KEY_ID": stack.environment["AWS_ACCESS_KEY_ID"],
            "TEXTRACT_SERVER_SECRET_ACCESS_KEY": stack.environment["AWS_SECRET_ACCESS_KEY"],
        }
        flags = {
            "port": port,
            "data-dir": folder,
            "engine": "simulated",
            "simulated-seconds-per-page": seconds_per_page,
            "simulated-pages": pages,
            "tps-start": quotas.start,
            "tps-get": quotas.get,
            "max-jobs": quotas.jobs,
            "log-level": "WARNING",
        } | ({} if text is None else {"simulated-text": text})
        told = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "app.textract_server.main", "--simulated-no-s3", "--admin", *told]
        process = subprocess.Popen(command, cwd=folder, env=environment)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/health")
            yield Account(url, quotas, psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _wait_for(url: str, within_seconds: float = 30) -> None:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(url)
            return
        time.sleep(0.1)
    raise TimeoutError(url)


@asynccontextmanager
async def prepared(stack: RunningStack) -> AsyncIterator[asyncpg.Connection]:
    """A database with its tables, and a connection to it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **stack.environment}
    command = [sys.executable, "-m", "app.setup", "tables", "bucket"]
    await asyncio.to_thread(subprocess.run, command, env=environment, cwd="/", check=True)
    connection = await asyncpg.connect(stack.environment["DATABASE_URL"])
    try:
        yield connection
    finally:
        await connection.close()


def worker_settings(stack: RunningStack, account: Account, **more: object) -> dict[str, str]:
    """The environment of a worker that reads with an account."""
    quotas = account.quotas
    told: dict[str, object] = {
        "OCR_ENGINES": "textract",
        "AWS_ENDPOINT_URL_TEXTRACT": account.url,
        "TEXTRACT_START_PER_SECOND": quotas.start,
        "TEXTRACT_GET_PER_SECOND": quotas.get,
        "TEXTRACT_MAX_CONCURRENT_JOBS": quotas.jobs,
        "LOG_LEVEL": "ERROR",
        **more,
    }
    return {**stack.environment, **{name.upper(): str(value) for name, value in told.items()}}


@dataclass(slots=True)
class WorkerProcess:
    """A worker at work, and what it takes of the machine."""

    process: psutil.Popen
    resident: list[int] = field(default_factory=list)

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return cpu_seconds([self.process])

    @property
    def family(self) -> list[psutil.Process]:
        """The worker, and the processes that it has work done in."""
        return [self.process, *self.process.children(recursive=True)]

    def look(self) -> int:
        """Resident bytes now."""
        self.resident.append(self.process.memory_info().rss)
        return self.resident[-1]


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system time of processes so far."""
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


@contextmanager
def running_worker(environment: dict[str, str]) -> Iterator[WorkerProcess]:
    """Run a worker process on all queues."""
    with tempfile.TemporaryDirectory(prefix="quire-bench-worker-") as folder:
        process = psutil.Popen(
            [sys.executable, "-m", "workers"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        try:
            yield WorkerProcess(process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)


async def validated_documents(
    stack: RunningStack,
    connection: asyncpg.Connection,
    count: int,
    stage: str = "job_validated",
    *,
    steps: Sequence[str] | None = ("ocr",),
    pages: int = 1,
) -> list[UUID]:
    """Documents, each with a job that waits for its OCR to be started and takes some steps (all, if None); returns the jobs' ids."""
    project = await connection.fetchval(
        "INSERT INTO projects (id, name) VALUES ($1, 'bench') ON CONFLICT (name) DO UPDATE SET name = 'bench' RETURNING id",
        new_id(),
    )
    documents = [new_id() for _ in range(count)]
    await _store(stack, [f"documents/{each}.pdf" for each in documents])
    bucket = stack.settings.s3_bucket
    await connection.executemany(
        "INSERT INTO documents (id, project_id, media_type, size_bytes, sha256, s3_bucket, s3_key, page_count)"
        " VALUES ($1, $2, 'application/pdf', 9, $3, $4, $5, $6)",
        [
            (each, project, hashlib.sha256(each.bytes).hexdigest(), bucket, f"documents/{each}.pdf", pages)
            for each in documents
        ],
    )
    jobs = [new_id() for _ in range(count)]
    options = json.dumps({} if steps is None else {"stages": list(steps)})
    await connection.executemany(
        "INSERT INTO jobs (id, project_id, document_id, stage, pages_total, content_key, options)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (job, project, document, stage, pages, hashlib.sha256(document.bytes).hexdigest(), options)
            for job, document in zip(jobs, documents, strict=True)
        ],
    )
    return jobs


async def _store(stack: RunningStack, keys: Sequence[str]) -> None:
    settings: Settings = stack.settings
    waiting = iter(keys)
    async with aws_session(settings).client("s3", endpoint_url=settings.aws_endpoint_url_s3) as s3:

        async def one_after_another() -> None:
            for key in waiting:
                await s3.put_object(Bucket=settings.s3_bucket, Key=key, Body=b"%PDF-1.7\n")

        await asyncio.gather(*(one_after_another() for _ in range(10)))
