"""What messages to webhooks say: jobs and batches, as the API shows them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.batch_schemas import BatchRead
from app.api.schemas import JobRead
from app.batches.models import Batch
from app.batches.progress import ProgressBook
from app.events import Event
from app.jobs.models import Job
from app.webhooks.fanout import Told


@dataclass(frozen=True, slots=True)
class Bodies:
    """Says of jobs and batches what the API says of them."""

    book: ProgressBook

    async def describe(
        self, session: AsyncSession, events: Sequence[Event], listening: Collection[UUID]
    ) -> Mapping[int, Told]:
        """What the events are about that are to be told, by the events' ids; those whose subject is gone are left out."""
        jobs = await self._jobs(session, {event.job_id for event in events if event.job_id is not None}, listening)
        batches = await self._batches(session, {event.batch_id for event in events if _is_of_batch(event)}, listening)
        found: dict[int, Told] = {}
        for event in events:
            told = batches.get(event.batch_id) if _is_of_batch(event) else jobs.get(event.job_id)
            if told is not None:
                found[event.id] = told
        return found

    async def _jobs(
        self, session: AsyncSession, ids: set[UUID], listening: Collection[UUID]
    ) -> Mapping[UUID | None, Told]:
        if not ids:
            return {}
        wanted = Job.callback_url.is_not(None) | Job.project_id.in_(listening)
        jobs = await session.scalars(select(Job).where(Job.id.in_(ids), wanted))
        return {job.id: Told(_said(JobRead.of(job)), job.callback_url) for job in jobs}

    async def _batches(
        self, session: AsyncSession, ids: set[UUID | None], listening: Collection[UUID]
    ) -> Mapping[UUID | None, Told]:
        if not ids:
            return {}
        wanted = Batch.callback_url.is_not(None) | Batch.project_id.in_(listening)
        batches = (await session.scalars(select(Batch).where(Batch.id.in_(ids), wanted))).all()
        return {
            batch.id: Told(_said(BatchRead.read(batch, await self.book.of(batch))), batch.callback_url)
            for batch in batches
        }


def _is_of_batch(event: Event) -> bool:
    return event.job_id is None and event.batch_id is not None


def _said(read: BaseModel) -> Mapping[str, Any]:
    return read.model_dump(mode="json")
