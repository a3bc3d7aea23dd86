"""Server-sent events: a job's changes as they happen, resumable after any of them.

Each stream reads its events from Postgres, by number, when the bell says that there are some. The first event is a
`snapshot` of the whole state, under the number from which the stream goes on; so wherever a client is cut off, its
`Last-Event-ID` brings it every later event once.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from fastapi import Response
from prometheus_client import Gauge
from starlette.types import Receive, Scope, Send

from app.api.bell import Bell
from app.api.schemas import EventRead, JobRead
from app.errors import Overloaded
from app.jobs.models import Job
from app.jobs.service import Jobs
from app.jobs.states import TERMINAL_STATES

STREAMS = Gauge("quire_streams_open", "Event streams that are open.")

SEND_TIMEOUT_SECONDS = 30.0
"""A client that takes nothing for so long is dropped; it comes back with its Last-Event-ID."""

RETRY_MILLISECONDS = 1000


@dataclass(slots=True)
class Streams:
    """The streams of one API process."""

    jobs: Jobs
    bell: Bell
    most: int
    ping_seconds: float
    open: int = 0

    def of(self, job: Job, last_event_number: int) -> Response:
        """The stream of a job's events after a number; 204 where there is nothing more to come."""
        if job.state in TERMINAL_STATES and last_event_number >= job.last_event_number:
            return Response(status_code=204)
        if self.open >= self.most:
            raise Overloaded("As many event streams are open as this process keeps; try again in a moment.")
        # A number from the future would have the stream wait for events that never come.
        return EventStream(self, job, min(last_event_number, job.last_event_number))

    async def events(self, job: Job, number: int) -> AsyncIterator[bytes]:
        """The stream's bytes, piece by piece, to its end."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        yield _event("snapshot", number, JobRead.of(job).model_dump_json())
        with self.bell.listening(job.id) as ear:
            spoke_at = time.monotonic()
            while not self.bell.stopping.is_set():
                for event in await self.jobs.events_after(job.id, number):
                    number = event.number or number
                    yield _event(event.type, number, EventRead.of(event).model_dump_json())
                    spoke_at = time.monotonic()
                    if event.payload.get("state") in TERMINAL_STATES and number >= job.last_event_number:
                        return  # an older end is one that a retry has undone
                quiet = time.monotonic() - spoke_at
                if quiet >= self.ping_seconds:
                    yield b": still here\n\n"
                    spoke_at = time.monotonic()
                    quiet = 0.0
                await ear.wait(self.ping_seconds - quiet)


class EventStream(Response):
    """An answer that goes on until its events end, the client leaves, or the process stops."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, job: Job, number: int) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.streams, self.job, self.number = streams, job, number

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        """Send until the end, or until the client leaves: whichever comes first."""
        self.streams.open += 1
        STREAMS.inc()
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            STREAMS.dec()
            self.streams.open -= 1
            leaving.cancel()
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError, TimeoutError):
                await sending

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self.streams.events(self.job, self.number):
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(kind: str, number: int, data: str) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode()
