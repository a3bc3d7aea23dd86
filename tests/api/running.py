"""What the tests of the API have in common: servers with other settings, real processes, and a look into the bucket."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from app.config import Settings
from app.resources import aws_session
from app.storage.s3 import CONFIG
from tests.service import Client, client_of, make_key, running_api

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def client_with(settings: Settings, **changes: Any) -> AsyncIterator[Client]:
    """A client of an API of its own, with some settings changed."""
    changed = settings.model_copy(update=changes)
    key = await make_key(settings)
    async with running_api(changed) as address, client_of(address, key) as client:
        yield client


@dataclass(frozen=True, slots=True)
class BucketView:
    """What is in the bucket that wasn't when the test began."""

    s3: Any
    name: str
    before: frozenset[str]
    uploads_before: frozenset[str]

    async def new_keys(self) -> set[str]:
        """Objects."""
        return set(await _keys(self.s3, self.name) - self.before)

    async def open_uploads(self) -> list[str]:
        """Multipart uploads that were begun, and neither completed nor aborted."""
        return sorted(await _uploads(self.s3, self.name) - self.uploads_before)

    async def settles_empty(self) -> bool:
        """Whether nothing is left behind, once what is under way has ended."""
        await until(self._is_empty)
        return True

    async def _is_empty(self) -> bool:
        return not await self.new_keys() and not await self.open_uploads()


@asynccontextmanager
async def bucket_view(settings: Settings) -> AsyncIterator[BucketView]:
    """Look into the bucket of some settings."""
    async with aws_session(settings).client("s3", endpoint_url=settings.aws_endpoint_url_s3, config=CONFIG) as s3:
        name = settings.s3_bucket
        yield BucketView(s3, name, await _keys(s3, name), await _uploads(s3, name))


async def _uploads(s3: Any, bucket: str) -> frozenset[str]:
    answer = await s3.list_multipart_uploads(Bucket=bucket)
    return frozenset(upload["Key"] for upload in answer.get("Uploads", []))


async def _keys(s3: Any, bucket: str) -> frozenset[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="documents/")
    return frozenset([entry["Key"] async for page in pages for entry in page.get("Contents", [])])


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A real `python -m app.serve`."""

    process: asyncio.subprocess.Process
    address: str
    log: Path

    async def stop(self, *, within_seconds: float) -> int:
        """SIGTERM it; its exit code. Raises `TimeoutError` where it takes longer."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(within_seconds):
            return await self.process.wait()


@asynccontextmanager
async def server_process(settings: Settings, log: Path) -> AsyncIterator[ServerProcess]:
    """Run the API as it is deployed; killed at the end where it still runs."""
    port = _free_port()
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.serve", "--port", str(port)),
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment_of(settings)},
            stderr=stderr,
        )
    server = ServerProcess(process, f"http://127.0.0.1:{port}", log)
    try:
        await _until_up(server)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Settings as a deployment gives them."""
    return {name.upper(): _plain(value) for name, value in settings.model_dump().items() if value is not None}


def multipart(*parts: tuple[str, bytes], boundary: str = "x-y-z", end: bool = True) -> tuple[bytes, dict[str, str]]:
    """A form written by hand: headers of each part as they stand, and its bytes; returns the body and its headers."""
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {said}\r\n\r\n".encode() + data + b"\r\n"
        for said, data in parts
    )
    body += f"--{boundary}--\r\n".encode() if end else b""
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer is; fails the test where it is another, or not whole."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["type"].endswith(f"#{code}")
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == answer.request.url.path
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


async def until(holds: Callable[[], Awaitable[bool]], *, within_seconds: float = 10) -> None:
    """Wait until something holds; fails the test where it never does."""
    async with asyncio.timeout(within_seconds):
        while not await holds():  # noqa: ASYNC110 (what is awaited is elsewhere)
            await asyncio.sleep(0.05)


async def bytes_of(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A body without an announced length."""
    for chunk in chunks:
        yield chunk


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _until_up(server: ServerProcess) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(90):
        while True:
            assert server.process.returncode is None, server.log.read_text()
            try:
                await client.get(f"{server.address}/health/live")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


def _plain(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
