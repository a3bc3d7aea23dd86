"""The job table's own thread: SQLite waits for the disk there, and never in the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

import orjson

from app.textract_server.blocks import unpack
from app.textract_server.jobs import JobTable
from app.textract_server.results import Portion

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

    async def portion(self, job_id: str, offset: int, limit: int) -> Portion:
        """Collect `limit` of a job's blocks from `offset` on, opening only the pages that they are on."""
        blocks: list[orjson.Fragment] = []
        before = 0
        for page, count in await self.ask(JobTable.block_counts, job_id):
            if before + count > offset and len(blocks) < limit:
                page_blocks = unpack(await self.ask(JobTable.packed_blocks, job_id, page))
                first = max(0, offset - before)
                blocks += page_blocks[first : first + limit - len(blocks)]
            before += count
        return Portion(blocks, before > offset + limit)

    async def close(self) -> None:
        """Finish what was asked and let go of the file."""
        await self.ask(JobTable.close)
        self._thread.shutdown()
