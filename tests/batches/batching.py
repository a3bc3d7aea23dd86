"""The core of batches on a bench: submitted, taken apart and swept one step at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.batches.contents import ItemFilter, ItemFound, list_items
from app.batches.drafts import BatchDraft, ItemDraft, Strictness, each_once
from app.batches.models import Batch
from app.batches.preflight import Preflight
from app.batches.progress import ProgressBook
from app.batches.service import Accepted, Batches
from app.batches.sweeping import sweep_batches
from app.batches.taking import Taking
from app.batches.warming import Warming
from app.documents.arrivals import Arrivals
from app.documents.intake import SizeLimits
from app.documents.sources import AllowedSources
from app.events import Event
from app.pipeline.stages import STEPS, queues_for
from app.queue import BATCH_QUEUES, queue_key
from tests.bench import Bench


@dataclass(frozen=True, slots=True)
class BatchBench:
    """What batches are tested with."""

    bench: Bench
    project_id: UUID

    @property
    def batches(self) -> Batches:
        """What a caller can ask."""
        tools = self.bench.tools
        preflight = Preflight(tools.sessions, tools.redis, tools.bucket, tools.ocr, queues_for, None)
        book = ProgressBook(tools.sessions, tools.redis)
        return Batches(tools.sessions, tools.redis, self.bench.queue, preflight, book)

    def taking(self, slice_items: int = 2) -> Taking:
        """One worker that takes batches apart."""
        tools = self.bench.tools
        arrivals = Arrivals(tools.sessions, tools.bucket, SizeLimits(10**6, 10**6), AllowedSources())
        warming = Warming(tools.sessions, tools.redis, STEPS)
        return Taking(tools.sessions, tools.redis, self.bench.queue, arrivals, warming, slice_items)

    async def submit(self, *document_ids: UUID, **said: Any) -> Accepted:
        """A batch of documents, whoever serves its queues."""
        items = [ItemDraft(n, {"document_id": str(each)}, each) for n, each in enumerate(document_ids, start=1)]
        draft = BatchDraft(each_once(items), **{"preflight": Strictness.WARN, **said})
        return await self.batches.submit(self.project_id, draft)

    async def of_new(self, count: int, **said: Any) -> Batch:
        """A batch of so many documents that nothing was done with."""
        documents = [await self.bench.rows.document() for _ in range(count)]
        return (await self.submit(*(document.id for document in documents), **said)).batch

    async def items(self, batch: Batch) -> list[ItemFound]:
        """All items of a batch."""
        async with self.bench.tools.sessions() as session:
            return await list_items(session, batch.id, ItemFilter(), after=0, limit=1000)

    async def find(self, batch: Batch) -> Batch:
        """A batch as it is now."""
        return await self.batches.find(self.project_id, batch.id)

    async def sweep(self) -> None:
        """One look over the open batches."""
        tools = self.bench.tools
        await sweep_batches(tools.sessions, tools.redis, self.bench.queue, again=timedelta(seconds=10))

    async def rung_for(self, priority: str = "normal") -> Sequence[bytes]:
        """The tasks on a queue of batches."""
        found: Sequence[bytes] = await self.bench.tools.redis.zrange(queue_key(BATCH_QUEUES[priority]), 0, -1)
        return found

    async def codes(self, batch: Batch) -> list[str]:
        """What the events of the batch itself are called, in order."""
        query = select(Event.code).where(Event.batch_id == batch.id, Event.job_id.is_(None)).order_by(Event.id)
        async with self.bench.tools.sessions() as session:
            return [str(code) for code in await session.scalars(query)]
