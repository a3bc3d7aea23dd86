"""Following jobs and batches by their event streams, to their ends, whatever cuts the streams off meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from httpx_sse import EventSource, ServerSentEvent, SSEError

from app.cli.connection import AWAY, CommandError, Server, check
from app.jobs.shares import share_of
from app.jobs.states import Stage

ENDED = frozenset({"done", "deadletter", "cancelled"})
"""The states in which a job stays."""

TRIES = 8
"""How often a stream is opened anew without hearing anything, before the server counts as away."""

WAIT_SECONDS = 1.0
"""Before a stream that broke is opened anew; it doubles with each try that hears nothing."""

STREAM_TIMEOUT = httpx.Timeout(30.0, read=60.0)
"""A stream says something every 15 s at least."""


async def follow(server: Server, job_id: str) -> AsyncGenerator[dict[str, Any], None]:
    """A job as it is, whenever it changes, until it has ended. Raises `CommandError` where the server stays away."""
    job: dict[str, Any] = {}
    async with aclosing(_followed(server, f"/v1/jobs/{job_id}")) as events:
        async for event in events:
            if event.type in {"snapshot", "now"}:
                job = event.data
            elif job:  # what comes first is always the whole of it
                job = after(job, event.data)
            yield job


async def follow_batch(server: Server, batch_id: str) -> AsyncGenerator[dict[str, Any], None]:
    """A batch as it is, whenever it changes, until it has ended. Raises `CommandError` where the server stays away."""
    async with aclosing(_followed(server, f"/v1/batches/{batch_id}")) as events:
        async for event in events:
            if "item_count" in event.data:  # what else is told are the ends of its jobs
                yield event.data


def after(job: dict[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """A job as it is after an event of its own: its stage and state, and how far it has come."""
    if event["number"] <= job["last_event_number"]:
        return job  # it is in there already
    said, progress = event["payload"], dict(job["progress"])
    moved = {name: said[name] for name in ("stage", "state") if name in said}
    if progress["pages_total"] is None and isinstance(said.get("pages"), int):
        progress["pages_total"] = said["pages"]
    if event["type"] == "page":
        progress["pages_done"] += 1
    now = {**job, **moved, "progress": progress, "last_event_number": event["number"]}
    if now["stage"] in set(Stage):  # a newer server may have more of them
        reached = share_of(Stage(now["stage"]), progress["pages_done"], progress["pages_total"])
        progress["fraction"] = min(1.0, max(progress["fraction"], reached))
    return now


class _NoStreamNow(Exception):
    """The server keeps no more streams for now."""


@dataclass(frozen=True, slots=True)
class _Event:
    type: str
    data: dict[str, Any]


async def _followed(server: Server, path: str) -> AsyncGenerator[_Event, None]:
    """The events of something, and the whole of it where its stream was cut off, until it has ended."""
    seen, tries = "", 0
    while True:
        try:
            async with aclosing(_events(server, path, seen)) as events:
                async for event in events:
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


async def _events(server: Server, path: str, seen: str) -> AsyncGenerator[ServerSentEvent, None]:
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
