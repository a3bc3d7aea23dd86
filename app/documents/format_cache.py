"""What is made out of documents, kept in the bucket: made once, however many ask for it at once, on however many machines.

Objects lie under `formats/{document_id}/`, so they go with their document. Whoever asks first makes it; in a process,
the others wait for the same task, and other processes of the fleet wait for a lock in Redis. Without Redis each process
makes its own, which costs time, and gives the same bytes.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from app.errors import FormatNotReady, QuireError
from app.storage.s3 import Bucket, StoredObject
from app.storage.upload import store_file

log = structlog.get_logger(__name__)

LOCK_SECONDS = 20.0
"""How long a lock outlives a process that died with it; it is renewed while the making goes on."""

Make = Callable[[Path], Awaitable[Path]]
"""Makes something in a folder of its own; returns the file."""


def folder_of(document_id: UUID) -> str:
    """Where everything lies that is made out of a document; what erases the document erases this prefix."""
    return f"formats/{document_id}/"


@dataclass(frozen=True, slots=True)
class FormatCache:
    """Objects that are made when they are first asked for."""

    bucket: Bucket
    redis: Redis
    wait_seconds: float
    most_at_once: int
    part_bytes: int
    parts_in_flight: int
    _making: "dict[str, asyncio.Task[StoredObject]]" = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slots", asyncio.Semaphore(self.most_at_once))

    async def get(self, key: str, media_type: str, make: Make) -> StoredObject:
        """An object, made where it isn't there. Raises `FormatNotReady` where that takes longer than a caller waits.

        Then it goes on all the same, and a later call finds it. Raises what `make` raises, to all who wait for it.
        """
        if (found := await self.bucket.head(key)) is not None:
            return found
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._made_once(key, media_type, make))
            task.add_done_callback(lambda ended: self._ended(key, ended))
        done, _ = await asyncio.wait({task}, timeout=self.wait_seconds)
        if not done:
            raise FormatNotReady
        return task.result()

    async def erase(self, document_id: UUID) -> None:
        """Remove everything that was made out of a document."""
        await self.bucket.delete_all(folder_of(document_id))

    async def close(self) -> None:
        """Give up what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: str, task: "asyncio.Task[StoredObject]") -> None:
        del self._making[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Also where nobody waits for it any more.
            log.warning("format_not_made", key=key, error=str(error), defect=not isinstance(error, QuireError))

    async def _made_once(self, key: str, media_type: str, make: Make) -> StoredObject:
        # The turn first: who waits for another process keeps no slot from those who could work.
        async with self._turn(key), self._slots:
            if (found := await self.bucket.head(key)) is not None:
                return found
            with tempfile.TemporaryDirectory(prefix="quire-") as folder:
                file = await make(Path(folder))
                await store_file(self.bucket, key, file, media_type, self.part_bytes, self.parts_in_flight)
            stored = await self.bucket.head(key)
            if stored is None:
                raise FormatNotReady  # its document was erased meanwhile, and this with it
            return stored

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        """The right to make an object, which one process of the fleet has at a time."""
        lock = self.redis.lock(f"quire:making:{key}", timeout=LOCK_SECONDS, sleep=0.2)
        try:
            await lock.acquire()
        except (RedisError, OSError) as error:
            log.warning("format_made_without_lock", key=key, error=str(error))
            yield
            return
        renewing = asyncio.create_task(_renew(lock))
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(LockError, RedisError, OSError):
                await lock.release()


async def _renew(lock: Lock) -> None:
    while True:
        await asyncio.sleep(LOCK_SECONDS / 4)
        with suppress(RedisError, OSError):
            await lock.extend(LOCK_SECONDS, replace_ttl=True)
