"""Documents that go on in the process that has collected their results, each in a task of its own."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from app.jobs.states import Priority
from app.turns import URGENT

AT_MOST = 64
"""What is beyond goes by way of the queue, from where any process takes it, in the order of priorities: a process that falls
behind holds on to no more than this. The way by the queue takes a twentieth of a one-page document's processor."""


@dataclass(slots=True, eq=False)
class Carried:
    """The tasks of one process."""

    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _is_stopping: bool = False

    def has_room(self, priority: Priority) -> bool:
        """Whether one more may go on here; urgent ones have places of their own."""
        most = AT_MOST + (URGENT if priority is Priority.HIGH else 0)
        return not self._is_stopping and len(self._tasks) < most

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Have a document go on beside whoever asks for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, *, within_seconds: float) -> None:
        """Begin no more, let those under way finish for a while, and cancel the rest."""
        self._is_stopping = True
        if tasks := set(self._tasks):
            _, late = await asyncio.wait(tasks, timeout=within_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
