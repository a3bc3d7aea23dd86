"""The stream of a batch: a snapshot, then how far it has come, about once a second, and how each of its jobs ended.

Its ids are places in the log of events, so that wherever a client is cut off, its `Last-Event-ID` brings it every later
end once. Progress is read once a second for all who follow the same batch.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from fastapi import Response

from app.api.batch_reading import LOOK_SECONDS, current, version_of
from app.api.batch_schemas import BatchRead
from app.api.feeds import Feed, Feeds, Piece
from app.api.schemas import EventRead
from app.api.streams import RETRY_MILLISECONDS, STILL_HERE, Place, Streams, sse
from app.batches.models import ENDED_STATES
from app.batches.service import Batches
from app.event_log import Position
from app.events import Event, EventType
from app.jobs.states import TERMINAL_STATES


@dataclass(slots=True)
class Latest:
    """A batch as it was read last."""

    batch: BatchRead
    read_at: float


@dataclass(frozen=True, slots=True)
class BatchStreams:
    """The streams of batches of one API process."""

    streams: Streams
    batches: Batches
    feeds: Feeds
    _latest: dict[UUID, Latest] = field(default_factory=dict)
    _following: dict[UUID, int] = field(default_factory=dict)

    async def of(self, project_id: UUID, batch_id: UUID, last_seen: Position | None) -> Response:
        """The stream of a batch after a place in the log; 204 where there is nothing more to come.

        Raises `BatchNotFound`, and `Overloaded` where as many streams are open as may be.
        """
        present = await self.batches.position()  # before the snapshot, so that nothing falls between
        batch = await current(self.batches, project_id, batch_id)
        position = min(last_seen, present) if last_seen else present
        over = batch.state in ENDED_STATES and not await self.batches.has_news(batch_id, position)
        if over and last_seen:
            return Response(status_code=204)
        return self.streams.serve(self._events(project_id, batch, position, over=over))

    async def _events(
        self, project_id: UUID, batch: BatchRead, position: Position, *, over: bool
    ) -> AsyncIterator[bytes]:
        """The stream's bytes, piece by piece, to its end; it is `over` where nothing comes after the position."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode() + _said(position, "snapshot", batch)
        if over:
            yield _said(position, "done", batch)
            return
        with self._following_feed(batch.id, position) as feed:
            told, place = Told(version_of(batch)), Place(self.feeds, feed, position)
            while not self.streams.bell.stopping.is_set():
                news = feed.news  # before the look, so that nothing falls between
                pieces = await place.take()
                if said := b"".join(piece.text for piece in pieces):
                    yield told.spoken(said)
                ended = any(piece.is_end for piece in pieces)
                batch = await self._read(project_id, batch.id, anew=ended)
                if ended and batch.state in ENDED_STATES:  # an older end is one that a retry has undone
                    yield _said(place.position, "done", batch)
                    return
                if place.has_more:
                    continue
                if said := told.progress(batch, place.position, self.streams.ping_seconds):
                    yield said
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await news.wait()

    @contextmanager
    def _following_feed(self, batch_id: UUID, position: Position) -> Iterator[Feed]:
        self._following[batch_id] = self._following.get(batch_id, 0) + 1
        try:
            with self.feeds.following(batch_id, position) as feed:
                yield feed
        finally:
            self._following[batch_id] -= 1
            if not self._following[batch_id]:
                del self._following[batch_id]
                self._latest.pop(batch_id, None)

    async def _read(self, project_id: UUID, batch_id: UUID, *, anew: bool) -> BatchRead:
        """The batch as it was within the last second; with `anew`, as it is now."""
        latest, now = self._latest.get(batch_id), time.monotonic()
        if anew or latest is None or now - latest.read_at >= LOOK_SECONDS:
            latest = self._latest[batch_id] = Latest(await current(self.batches, project_id, batch_id), now)
        return latest.batch


@dataclass(slots=True)
class Told:
    """What one client was told last, and when."""

    version: str
    progress_at: float = field(default_factory=time.monotonic)
    spoke_at: float = field(default_factory=time.monotonic)

    def spoken(self, said: bytes) -> bytes:
        """Write down that something was said."""
        self.spoke_at = time.monotonic()
        return said

    def progress(self, batch: BatchRead, position: Position, ping_seconds: float) -> bytes:
        """How far the batch has come, where that is news, and no more than once a second; else, at times, a comment."""
        now = time.monotonic()
        if now - self.progress_at >= LOOK_SECONDS and (version := version_of(batch)) != self.version:
            self.version, self.progress_at = version, now
            return self.spoken(_said(position, "progress", batch))
        return self.spoken(STILL_HERE) if now - self.spoke_at >= ping_seconds else b""


def batch_piece(event: Event) -> Piece | None:
    """An event as a batch's stream tells it: how a job has ended. The batch's own end is told when it is read."""
    position = Position.of(event)
    if event.job_id is None:
        return Piece(position, event.type, b"", is_end=True) if event.type is EventType.DONE else None
    if event.payload.get("state") not in TERMINAL_STATES:
        return None
    return Piece(position, event.type, sse(str(position), event.type, EventRead.of(event).model_dump_json()))


def _said(position: Position, kind: str, batch: BatchRead) -> bytes:
    return sse(str(position), kind, batch.model_dump_json())
