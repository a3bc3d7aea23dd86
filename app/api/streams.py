"""Server-sent events: changes as they happen, resumable after any of them.

The first event of a stream is a `snapshot` of the whole state, under the position from which the stream goes on; so
wherever a client is cut off, its `Last-Event-ID` brings it every later event once. What follows comes from a feed, which
is read once for all who follow the same thing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Response
from prometheus_client import Gauge
from starlette.types import Receive, Scope, Send

from app.api.bell import Bell
from app.api.feeds import Feed, Feeds, Piece
from app.api.schemas import EventRead, JobRead
from app.errors import Overloaded
from app.event_log import Position
from app.events import Event
from app.jobs.models import Job
from app.jobs.states import TERMINAL_STATES

STREAMS = Gauge("quire_streams_open", "Event streams that are open.")

SEND_TIMEOUT_SECONDS = 30.0
"""A client that takes nothing for so long is dropped; it comes back with its Last-Event-ID."""

RETRY_MILLISECONDS = 1000
PIECES_AT_ONCE = 64
STILL_HERE = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Following:
    """What a client follows, and from where on."""

    feeds: Feeds
    key: UUID
    position: Position
    snapshot: bytes
    wants: Callable[[Piece], bool] = lambda _: True
    """Which of the feed's pieces this client is sent."""
    ends: Callable[[Piece], bool] = lambda piece: piece.is_end
    """Which piece is the last one for this client."""


@dataclass(slots=True)
class Streams:
    """The streams of one API process."""

    bell: Bell
    jobs: Feeds
    projects: Feeds
    batches: Feeds
    most: int
    ping_seconds: float
    open: int = 0

    @property
    def running(self) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run for as long as the process does."""
        return [self.jobs.run, self.projects.run, self.batches.run]

    def of(self, job: Job, last_event_number: int) -> Response:
        """The stream of a job's events after a number; 204 where there is nothing more to come."""
        if job.state in TERMINAL_STATES and last_event_number >= job.last_event_number:
            return Response(status_code=204)
        # A number from the future would have the stream wait for events that never come.
        position = Position.numbered(min(last_event_number, job.last_event_number))
        said = sse(str(position.event_id), "snapshot", JobRead.of(job).model_dump_json())
        # An older end than the job's is one that a retry has undone.
        last = Position.numbered(job.last_event_number)
        return self.follow(
            Following(self.jobs, job.id, position, said, ends=lambda piece: piece.is_end and piece.position >= last)
        )

    def follow(self, following: Following) -> Response:
        """A stream of what a feed tells. Raises `Overloaded` where as many are open as may be."""
        return self.serve(self.events(following))

    def serve(self, pieces: AsyncIterator[bytes]) -> Response:
        """A stream of pieces. Raises `Overloaded` where as many are open as may be."""
        if self.open >= self.most:
            raise Overloaded("As many event streams are open as this process keeps; try again in a moment.")
        return EventStream(self, pieces)

    async def events(self, following: Following) -> AsyncIterator[bytes]:
        """The stream's bytes, piece by piece, to its end."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode() + following.snapshot
        spoke_at = time.monotonic()
        with following.feeds.following(following.key, following.position) as feed:
            place = Place(following.feeds, feed, following.position)
            while not self.bell.stopping.is_set():
                news = feed.news  # before the look, so that nothing falls between
                pieces = await place.take()
                said, ended = _chosen(following, pieces)
                if said:
                    yield said
                    spoke_at = time.monotonic()
                if ended:
                    return
                if place.has_more:
                    continue
                quiet = time.monotonic() - spoke_at
                if quiet >= self.ping_seconds:
                    yield STILL_HERE
                    spoke_at, quiet = time.monotonic(), 0.0
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.ping_seconds - quiet):
                        await news.wait()


@dataclass(slots=True)
class Place:
    """How far one client has come in a feed."""

    feeds: Feeds
    feed: Feed
    position: Position
    index: int | None = None
    """In the pieces that the feed keeps; None while the client has to read by itself."""

    @property
    def is_behind(self) -> bool:
        """Whether the feed doesn't keep what comes next."""
        index = self.index
        return self.position < self.feed.start if index is None else index < self.feed.dropped

    @property
    def has_more(self) -> bool:
        """Whether there is something to take without waiting for news."""
        return self.is_behind or self.index is None or self.index < self.feed.dropped + len(self.feed.pieces)

    async def take(self) -> Sequence[Piece]:
        """What comes next, in order; nothing where nothing is known to come."""
        if self.is_behind:
            self.index = None
            pieces, self.position = await self.feeds.missed(self.feed, self.position)
            return pieces
        if self.index is None:
            self.index = self.feed.index_after(self.position)
        begin = self.index - self.feed.dropped
        pieces = self.feed.pieces[begin : begin + PIECES_AT_ONCE]
        if pieces:
            self.index += len(pieces)
            # A client may begin after what the feed has read, and is not to be told of what came before.
            pieces = [piece for piece in pieces if piece.position > self.position]
        if pieces:
            self.position = pieces[-1].position
        return pieces


class EventStream(Response):
    """An answer that goes on until its events end, the client leaves, or the process stops."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, pieces: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self.streams, self.pieces = streams, pieces

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
        async for piece in self.pieces:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _chosen(following: Following, pieces: Sequence[Piece]) -> tuple[bytes, bool]:
    """What of some pieces a client is sent, and whether that is the end."""
    said: list[bytes] = []
    for piece in pieces:
        if following.wants(piece):
            said.append(piece.text)
        if following.ends(piece):
            return b"".join(said), True
    return b"".join(said), False


def job_piece(event: Event) -> Piece:
    """An event as a job's own stream tells it."""
    number = event.number or 0
    text = sse(str(number), event.type, EventRead.of(event).model_dump_json())
    return Piece(Position.numbered(number), event.type, text, event.payload.get("state") in TERMINAL_STATES)


def sse(event_id: str, kind: str, data: str) -> bytes:
    """One event of a stream; its data is one line of JSON."""
    return f"id: {event_id}\nevent: {kind}\ndata: {data}\n\n".encode()
