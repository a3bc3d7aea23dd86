"""What is in a batch: its items by number, each with the job that came of it. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.models import ItemStatus
from app.batches.repository import items
from app.jobs.models import Job
from app.jobs.repository import jobs
from app.jobs.states import JobState, Stage


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items are wanted; all without any."""

    statuses: Sequence[ItemStatus] = ()
    states: Sequence[JobState] = ()
    stages: Sequence[Stage] = ()
    codes: Sequence[str] = ()
    """Of the item's refusal, or of the job's error."""


@dataclass(frozen=True, slots=True)
class ItemFound:
    """An item and its job, where it has one."""

    number: int
    status: ItemStatus
    asked: dict[str, Any]
    external_id: str | None
    metadata: dict[str, Any]
    document_id: UUID | None
    error_code: str | None
    error_message: str | None
    job: Job | None


_OF_ITEM = (
    items.c.number,
    items.c.status,
    items.c.asked,
    items.c.external_id,
    items.c.metadata,
    items.c.document_id,
    items.c.error_code,
    items.c.error_message,
)
_OF_JOB = tuple(column.label(f"job_{column.name}") for column in jobs.columns)
_ITEMS = select(*_OF_ITEM, *_OF_JOB).select_from(items.outerjoin(jobs, jobs.c.id == items.c.job_id))


async def list_items(
    session: AsyncSession, batch_id: UUID, wanted: ItemFilter, *, after: int, limit: int
) -> list[ItemFound]:
    """Items of a batch after a number, in order."""
    query = _ITEMS.where(items.c.batch_id == batch_id, items.c.number > after)
    if wanted.statuses:
        query = query.where(items.c.status.in_(wanted.statuses))
    if wanted.states:
        query = query.where(jobs.c.state.in_(wanted.states))
    if wanted.stages:
        query = query.where(jobs.c.stage.in_(wanted.stages))
    if wanted.codes:
        query = query.where(or_(items.c.error_code.in_(wanted.codes), jobs.c.error_code.in_(wanted.codes)))
    rows = await session.execute(query.order_by(items.c.number).limit(limit))
    return [_found(row) for row in rows]


def _found(row: Any) -> ItemFound:
    values = row._mapping
    job = None
    if values["job_id"] is not None:
        job = Job(**{column.name: values[f"job_{column.name}"] for column in jobs.columns})
    return ItemFound(**{column.name: values[column.name] for column in _OF_ITEM}, job=job)
