"""A client of event streams that does no more than the standard says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.service import Client


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or a comment, which has a type of its own here."""

    type: str
    number: int
    data: dict[str, Any]
    id: str = ""


async def events_of(answer: httpx.Response) -> AsyncIterator[Event]:
    """Events as they arrive; comments come out as events of type `comment`."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            yield Event("comment", -1, {})
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            number = int(fields["id"]) if fields["id"].isdigit() else -1
            yield Event(fields["event"], number, json.loads(fields["data"]), fields["id"])
            fields = {}
        else:
            fields = {}


@asynccontextmanager
async def open_stream(
    client: Client, job_id: str, last_event_id: int | None = None
) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[Event]]]:
    """A stream and its events; leaving closes the connection."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    async with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
        yield answer, events_of(answer)


async def read_stream(client: Client, job_id: str, last_event_id: int | None = None) -> list[Event]:
    """All events of a stream that ends by itself, without comments."""
    async with open_stream(client, job_id, last_event_id) as (answer, events):
        assert answer.status_code == 200, await answer.aread()
        return [event async for event in events if event.type != "comment"]
