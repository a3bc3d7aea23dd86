"""The job table's own thread: SQLite waits for the disk there, and never in the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from app.textract_server.jobs import JobTable

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobStore:
    """The job table for use from the event loop: `await store.ask(JobTable.unfinished)`."""

    _table: JobTable
    _thread: ThreadPoolExecutor

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the table in a thread of its own."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job table")
        table = await asyncio.get_running_loop().run_in_executor(thread, JobTable.open, path)
        return cls(table, thread)

    async def ask(self, method: Callable[Concatenate[JobTable, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one of the table's methods."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: method(self._table, *args, **kwargs))

    async def close(self) -> None:
        """Finish what was asked and let go of the file."""
        await self.ask(JobTable.close)
        self._thread.shutdown()
