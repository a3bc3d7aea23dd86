"""Following jobs and batches by their event streams, to their ends, whatever cuts the streams off meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
    async for event in _followed(server, f"/v1/jobs/{job_id}"):
        if event.type in {"snapshot", "now"}:
            yield event.data
        else:
            told = event.data["payload"]
            yield {"event": event.data, **{name: told[name] for name in ("stage", "state") if name in told}}


async def follow_batch(server: Server, batch_id: str) -> AsyncIterator[dict[str, Any]]:
    """A batch as it is, whenever it changes, until it has ended. Raises `CommandError` where the server stays away."""
    async for event in _followed(server, f"/v1/batches/{batch_id}"):
        if "item_count" in event.data:  # what else is told are the ends of its jobs
            yield event.data


class _NoStreamNow(Exception):
    """The server keeps no more streams for now."""


@dataclass(frozen=True, slots=True)
class _Event:
    type: str
    data: dict[str, Any]


async def _followed(server: Server, path: str) -> AsyncIterator[_Event]:
    """The events of something, and the whole of it where its stream was cut off, until it has ended."""
    seen, tries = "", 0
    while True:
        try:
            async for event in _events(server, path, seen):
                if not event.data:  # how long to wait before coming back, and nothing else
                    continue
                seen, tries = event.id or seen, 0
                told = _Event(event.event, orjson.loads(event.data))
                yield told
                if event.event == "snapshot" and told.data["state"] in ENDED:
                    return
        except (httpx.TransportError, SSEError, _NoStreamNow):
            tries += 1
        now = await _now(server, path, tries)
        if now is not None:
            yield _Event("now", now)
            if now["state"] in ENDED:
                return
        await asyncio.sleep(WAIT_SECONDS * 2 ** min(tries, 5))


async def _events(server: Server, path: str, seen: str) -> AsyncIterator[ServerSentEvent]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": seen} if seen else {})
    async with server.client.stream("GET", f"{path}/events", headers=headers, timeout=STREAM_TIMEOUT) as answer:
        if answer.status_code == httpx.codes.NO_CONTENT:
            return
        if answer.status_code in {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}:
            raise _NoStreamNow  # as many streams are open as the server keeps
        await check(answer)
        async for event in EventSource(answer).aiter_sse():
            yield event


async def _now(server: Server, path: str, tries: int) -> dict[str, Any] | None:
    """What is followed, where the server answers; None where it doesn't for now."""
    try:
        found: dict[str, Any] = await server.get(path)
    except CommandError as error:
        if not (error.exit_code == AWAY or error.is_busy) or tries >= TRIES:
            raise
        return None
    return found
