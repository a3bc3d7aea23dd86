"""One document of a project at a time: within a process, before Postgres is asked to keep other processes waiting.

Who waits in Postgres holds a connection and a turn, which nobody else can work with: a dozen documents of one project would keep
all others from going on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakValueDictionary

from app.turns import aside


@dataclass(frozen=True, slots=True)
class ProjectTurns:
    """Who changes what a project knows, in this process."""

    _locks: WeakValueDictionary[UUID, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def of(self, project_id: UUID) -> AsyncIterator[None]:
        """A project's turn in this process. Who has to wait for it lets others work, and goes on beside them when it comes."""
        lock = self._locks.get(project_id)
        if lock is None:
            lock = self._locks[project_id] = asyncio.Lock()
        if lock.locked():
            async with aside(), lock:
                yield
        else:
            async with lock:
                yield
