"""Feeds: what is told of a job, a batch or a project, read once for all who follow it.

However many clients follow the same thing, its events are read from Postgres and written as text once; and however many
things have news at the same moment, one statement reads it all. Clients take what is kept of a feed; one that comes late,
or falls behind what is kept, reads what it lacks by itself, and joins the others then.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, takewhile
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.api.bell import LOOK_ANYWAY_SECONDS, Bell
from app.event_log import Portion, Position
from app.events import Event

log = structlog.get_logger(__name__)

KEPT_PIECES = 200
"""So many pieces of a feed are kept at least, and twice as many at most, once there were so many."""
FEEDS_AT_ONCE = 200
HELD_UP_SECONDS = 0.005
"""When to look again for what is committed and can't be told yet, at first; later after twice as long each time.

Transactions are short, but for those of people who look after the database.
"""
LOOK_SECONDS = 15.0
"""When to look again at what nobody rang for."""
LOOKS_AT_ONCE = 25
"""So many feeds that nobody rang for are looked at along with others at most: who rang is not to wait for them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An event as it is sent."""

    position: Position
    type: str
    text: bytes
    is_end: bool = False
    """Nothing comes after it, unless somebody begins anew."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How feeds of a kind are read, and which of their events are told in which words."""

    read: Callable[[Mapping[UUID, Position]], Awaitable[Mapping[UUID, Portion]]]
    render: Callable[[Event], Piece | None]


@dataclass(slots=True, eq=False)
class Feed:
    """What is kept of one thing's events."""

    key: UUID
    start: Position
    """All pieces after it, up to `position`, are kept."""
    position: Position
    pieces: list[Piece] = field(default_factory=list)
    dropped: int = 0
    """Pieces before those that are kept."""
    followers: int = 0
    patience: float = HELD_UP_SECONDS
    """How long it waited last for what it can't tell yet."""
    read_at: float = 0.0
    """When it was read last, by the clock of the event loop."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced by another, when there is something new."""

    def add(self, pieces: Sequence[Piece], position: Position) -> None:
        """Take in what comes next."""
        self.position = position
        if not pieces:
            return
        self.pieces += pieces
        if len(self.pieces) > 2 * KEPT_PIECES:
            self.start = self.pieces[-KEPT_PIECES - 1].position
            self.dropped += len(self.pieces) - KEPT_PIECES
            del self.pieces[:-KEPT_PIECES]
        self.tell()

    def tell(self) -> None:
        """Have all who wait look."""
        news, self.news = self.news, asyncio.Event()
        news.set()

    def index_after(self, position: Position) -> int:
        """Where to go on after a position, counted over all pieces that there ever were."""
        return self.dropped + bisect_right(self.pieces, position, key=lambda piece: piece.position)


@dataclass(slots=True)
class Feeds:
    """All feeds of one kind that somebody follows."""

    kind: Kind
    bell: Bell
    feeds: dict[UUID, Feed] = field(default_factory=dict)
    """Those that were read last come last."""
    rung: dict[Feed, None] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Read what has news, until cancelled, through absences of Postgres and Redis."""
        while True:
            if not self.rung:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._wake.wait()
            self._wake.clear()
            feeds = self._due()
            if feeds:
                await self._read(feeds)

    def _pause(self) -> float:
        """The seconds until a feed is looked at that nobody rings for."""
        patience = self._patience()
        longest = next(iter(self.feeds.values()), None)
        return patience if longest is None else max(0.0, longest.read_at + patience - asyncio.get_running_loop().time())

    def _patience(self) -> float:
        return LOOK_SECONDS if self.bell.hearing else LOOK_ANYWAY_SECONDS

    def _due(self) -> list[Feed]:
        """What to read now: those that were rung for, in turn, and some that were not for long."""
        due = dict.fromkeys(islice(self.rung, FEEDS_AT_ONCE))
        before = asyncio.get_running_loop().time() - self._patience()
        quiet = takewhile(lambda feed: feed.read_at <= before, self.feeds.values())
        due.update(dict.fromkeys(islice(quiet, LOOKS_AT_ONCE)))
        return list(due)

    async def _read(self, feeds: Sequence[Feed]) -> None:
        now = asyncio.get_running_loop().time()
        for feed in feeds:
            self.rung.pop(feed, None)
            feed.read_at = now
            self.feeds[feed.key] = self.feeds.pop(feed.key)
        try:
            portions = await self.kind.read({feed.key: feed.position for feed in feeds})
            for feed in feeds:
                self._take(feed, portions[feed.key])
        except Exception as error:  # a defect must not end all streams
            if isinstance(error, SQLAlchemyError | OSError):
                log.warning("feeds_unread", error=str(error))
            else:
                log.exception("feeds_crashed")
            self.rung.update(dict.fromkeys(feed for feed in feeds if feed.followers))
            await asyncio.sleep(LOOK_ANYWAY_SECONDS)

    def _take(self, feed: Feed, portion: Portion) -> None:
        feed.add(self.rendered(portion), portion.position)
        if portion.events or not portion.is_held_up:
            feed.patience = HELD_UP_SECONDS
        if portion.is_full:
            self._ring(feed)
        elif portion.is_held_up:
            asyncio.get_running_loop().call_later(feed.patience, self._ring, feed)
            feed.patience = min(2 * feed.patience, LOOK_ANYWAY_SECONDS)

    def rendered(self, portion: Portion) -> list[Piece]:
        """A portion's pieces."""
        return [piece for event in portion.events if (piece := self.kind.render(event)) is not None]

    def _ring(self, feed: Feed) -> None:
        if self.bell.stopping.is_set():
            feed.tell()
        if feed.followers:
            self.rung[feed] = None
            self._wake.set()

    @contextmanager
    def following(self, key: UUID, position: Position) -> Iterator[Feed]:
        """The feed of a thing, kept while anybody follows it."""
        feed = self.feeds.get(key)
        if feed is None:
            feed = self.feeds[key] = Feed(key, position, position, read_at=asyncio.get_running_loop().time())
            self.bell.watch(key, partial(self._ring, feed))
        feed.followers += 1
        if feed.followers == 1:
            self._ring(feed)
        try:
            yield feed
        finally:
            feed.followers -= 1
            if feed.followers == 0:
                self.bell.unwatch(key)
                self.rung.pop(feed, None)
                del self.feeds[key]

    async def missed(self, feed: Feed, position: Position) -> tuple[Sequence[Piece], Position]:
        """The pieces after a position that a feed doesn't keep, as many as are read at once, and where to go on."""
        start = feed.start
        portion = (await self.kind.read({feed.key: position}))[feed.key]
        # All that the feed had told before it was read was there to be read.
        reached = portion.position if portion.is_full else max(portion.position, start)
        return self.rendered(portion), reached
