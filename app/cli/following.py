"""Following jobs by their event streams, to their ends, whatever cuts the streams off meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
from httpx_sse import EventSource, ServerSentEvent, SSEError

from app.cli.connection import AWAY, CommandError, Server, check

ENDED = frozenset({"done", "deadletter", "cancelled"})
"""The states in which a job stays."""

TRIES = 8
"""How often a stream is opened anew without hearing anything, before the server counts as away."""

WAIT_SECONDS = 1.0
"""Before a stream that broke is opened anew; it doubles with each try that hears nothing."""

STREAM_TIMEOUT = httpx.Timeout(30.0, read=60.0)
"""A stream says something every 15 s at least."""


async def follow(server: Server, job_id: str) -> AsyncIterator[dict[str, Any]]:
    """A job as it is, whenever it changes, until it has ended. Raises `CommandError` where the server stays away."""
    seen, tries = "", 0
    while True:
        try:
            async for event in _events(server, job_id, seen):
                if not event.data:  # how long to wait before coming back, and nothing else
                    continue
                seen, tries = event.id or seen, 0
                if event.event == "snapshot":
                    job = orjson.loads(event.data)
                    yield job
                    if job["state"] in ENDED:
                        return
                    continue
                told = orjson.loads(event.data)
                yield {
                    "event": told,
                    **{name: told["payload"][name] for name in ("stage", "state") if name in told["payload"]},
                }
        except (httpx.TransportError, SSEError):
            tries += 1
        job = await _now(server, job_id, tries)
        if job is not None:
            yield job
            if job["state"] in ENDED:
                return
        await asyncio.sleep(WAIT_SECONDS * 2 ** min(tries, 5))


async def _events(server: Server, job_id: str, seen: str) -> AsyncIterator[ServerSentEvent]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": seen} if seen else {})
    path = f"/v1/jobs/{job_id}/events"
    async with server.client.stream("GET", path, headers=headers, timeout=STREAM_TIMEOUT) as answer:
        if answer.status_code == httpx.codes.NO_CONTENT:
            return
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise SSEError  # as many streams are open as the server keeps
        await check(answer)
        async for event in EventSource(answer).aiter_sse():
            yield event


async def _now(server: Server, job_id: str, tries: int) -> dict[str, Any] | None:
    """The job, where the server answers; None where it doesn't for now."""
    try:
        job: dict[str, Any] = await server.get(f"/v1/jobs/{job_id}")
    except CommandError as error:
        if error.exit_code != AWAY or tries >= TRIES:
            raise
        return None
    return job
