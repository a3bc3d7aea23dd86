"""Hears which jobs, batches and projects have news: one Redis subscription for the whole process, whoever waits for what.

A bell only says "look": what there is to see is read from Postgres, so a ring that is lost, doubled or late can
neither lose an event nor repeat one. While Redis is away, those who wait look by themselves every second.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.ringing import channel, subjects_of

log = structlog.get_logger(__name__)

LOOK_ANYWAY_SECONDS = 1.0


@dataclass(slots=True)
class Bell:
    """Wakes those who wait for a job, a batch or a project."""

    redis: Redis
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is told to stop: whoever waits must end."""
    hearing: bool = False
    _waiting: dict[UUID, set[asyncio.Event]] = field(default_factory=lambda: defaultdict(set))
    _watching: dict[UUID, Callable[[], None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Listen until cancelled, through restarts of Redis."""
        while True:
            try:
                async with self.redis.pubsub() as subscription:
                    await subscription.subscribe(channel(self.redis))
                    async for message in subscription.listen():
                        self._hear(message)
            except (RedisError, OSError) as error:
                log.warning("bell_lost", error=str(error))
                self.hearing = False
                self._wake_all()
                await asyncio.sleep(LOOK_ANYWAY_SECONDS)

    def stop(self) -> None:
        """Have all who wait end."""
        self.stopping.set()
        self._wake_all()

    @contextmanager
    def listening(self, job_id: UUID) -> Iterator["Ear"]:
        """An ear for one job. Listen first, then look: so nothing falls between."""
        woken = asyncio.Event()
        self._waiting[job_id].add(woken)
        try:
            yield Ear(self, woken)
        finally:
            self._waiting[job_id].discard(woken)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def watch(self, key: UUID, tell: Callable[[], None]) -> None:
        """Have something called whenever there may be news of a key, once for all who follow it."""
        self._watching[key] = tell

    def unwatch(self, key: UUID) -> None:
        """End a watch."""
        del self._watching[key]

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "subscribe":
            # Also after the client library has silently connected anew: what rang before was not heard.
            self.hearing = True
            self._wake_all()
        elif message["type"] == "message":
            for subject in subjects_of(message["data"]):
                self._wake(subject)

    def _wake(self, key: UUID) -> None:
        for woken in self._waiting.get(key, ()):
            woken.set()
        if tell := self._watching.get(key):
            tell()

    def _wake_all(self) -> None:
        for ears in self._waiting.values():
            for woken in ears:
                woken.set()
        for tell in list(self._watching.values()):
            tell()


@dataclass(frozen=True, slots=True)
class Ear:
    """Waits for one job's news."""

    bell: Bell
    woken: asyncio.Event

    async def wait(self, seconds: float) -> None:
        """Until there may be news, at most so long."""
        patience = seconds if self.bell.hearing else min(seconds, LOOK_ANYWAY_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self.woken.wait()
        self.woken.clear()
