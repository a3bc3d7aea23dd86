"""Ways to ask a server whether it is ready: each returns once it is, and raises while it isn't."""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg

from app.embedded.errors import StackError

Probe = Callable[[], Awaitable[None]]
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class NotReadyError(Exception):
    """The server answered, but not as one that is ready."""


def postgres_answers(url: str) -> Probe:
    """Ready when a connection can be opened."""

    async def probe() -> None:
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except asyncpg.PostgresError as error:
            raise NotReadyError(str(error)) from error
        await connection.close()

    return probe


def valkey_answers(port: int, password: str) -> Probe:
    """Ready when PING is answered; while it still loads its data it says so instead."""

    async def probe() -> None:
        answer = await _exchange("127.0.0.1", port, f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
        if b"+PONG" not in answer:
            raise NotReadyError(answer.decode(errors="replace"))

    return probe


def http_answers(url: str) -> Probe:
    """Ready when GET is answered with 200."""

    async def probe() -> None:
        await _expect_200("GET", url, {})

    return probe


def all_answer(*probes: Probe) -> Probe:
    """Ready when each of these is."""

    async def probe() -> None:
        for part in probes:
            await part()

    return probe


def bucket_answers(endpoint: str, bucket: str, region: str, access_key_id: str, secret_access_key: str) -> Probe:
    """Ready when HEAD of the bucket is answered with 200, signed with our own key."""
    url = f"{endpoint}/{bucket}"

    async def probe() -> None:
        await _expect_200("HEAD", url, _sigv4_headers(url, region, access_key_id, secret_access_key))

    return probe


async def _expect_200(method: str, url: str, headers: dict[str, str]) -> None:
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise StackError(f"{url} has no host and port.")
    lines = [
        f"{method} {parts.path or '/'}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    answer = await _exchange(parts.hostname, parts.port, "\r\n".join([*lines, "", ""]).encode())
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        raise NotReadyError(answer.decode(errors="replace"))


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


def _sigv4_headers(url: str, region: str, access_key_id: str, secret_access_key: str) -> dict[str, str]:
    """Sign a HEAD without query by AWS Signature Version 4; the AWS SDK would weigh as much as the rest of us."""
    parts = urlsplit(url)
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time[:8]}/{region}/s3/aws4_request"
    headers = {"host": parts.netloc, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": time}
    names = ";".join(headers)
    canonical = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"HEAD\n{parts.path}\n\n{canonical}\n{names}\n{EMPTY_SHA256}"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + secret_access_key.encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"AWS4-HMAC-SHA256 Credential={access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {"x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": time, "Authorization": credential}
