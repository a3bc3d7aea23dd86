"""Reading and writing batches and their items. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.batches.drafts import BatchDraft, ItemDraft
from app.batches.models import Batch, BatchItem, BatchState, ItemStatus
from app.db import new_id, table_of
from app.errors import BatchNotFound, DocumentNotFound, StateConflict
from app.events import EventDraft, EventType

batches = table_of(Batch)
items = table_of(BatchItem)

OPEN_STATES = (BatchState.QUEUED, BatchState.WORKING)

REOPENED: dict[str, Any] = {"state": BatchState.WORKING, "finished_at": None, "percent": 0}
"""What a retry changes of a batch, which may be done."""

UNDER_WAY = "A job of the document is under way already; submit it again once that has ended, or cancel it."


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item that was not taken, and why."""

    number: int
    code: str
    message: str


async def add(
    session: AsyncSession, project_id: UUID, draft: BatchDraft, warnings: Sequence[dict[str, Any]]
) -> tuple[Batch, list[RefusedItem]]:
    """Store a batch with its items, and say which of them can't be taken; one statement writes all items."""
    values = {
        "id": new_id(),
        "project_id": project_id,
        "external_id": draft.external_id,
        "metadata": draft.metadata,
        "priority": draft.priority,
        "options": draft.options,
        "callback_url": draft.callback_url,
        "request_id": events.request_id(),
        "item_count": len(draft.items),
        "warnings": list(warnings),
    }
    row = (await session.execute(insert(batches).values(values).returning(batches))).one()
    batch = _batch(row)
    refused = await _add_items(session, batch, draft.items)
    if refused:
        batch = await change(session, batch.id, documents_refused=len(refused))
    return batch, refused


async def find(session: AsyncSession, project_id: UUID, batch_id: UUID, *, lock: bool = False) -> Batch:
    """One batch of a project. Raises `BatchNotFound`, also for one of another project."""
    query = select(batches).where(batches.c.id == batch_id, batches.c.project_id == project_id)
    row = (await session.execute(query.with_for_update(key_share=True) if lock else query)).one_or_none()
    if row is None:
        raise BatchNotFound
    return _batch(row)


async def list_batches(
    session: AsyncSession, project_id: UUID, *, before: UUID | None, states: Sequence[BatchState], limit: int
) -> list[Batch]:
    """Batches of a project, the newest first, from the one after a batch on."""
    query = select(batches).where(batches.c.project_id == project_id)
    if before is not None:
        query = query.where(batches.c.id < before)
    if states:
        query = query.where(batches.c.state.in_(states))
    return [_batch(row) for row in await session.execute(query.order_by(batches.c.id.desc()).limit(limit))]


async def lock_open(session: AsyncSession, batch_id: UUID, *, cancelled: bool = False) -> Batch | None:
    """A batch that hasn't ended, kept from whoever else would change it; None where it has ended, or was cancelled.

    With `cancelled`, one that was cancelled and hasn't ended yet counts too.
    """
    query = select(batches).where(batches.c.id == batch_id, batches.c.state.in_(OPEN_STATES))
    if not cancelled:
        query = query.where(batches.c.cancel_requested_at.is_(None))
    row = (await session.execute(query.with_for_update(key_share=True))).one_or_none()
    return None if row is None else _batch(row)


def chance_of(batch: Batch) -> int:
    """What tells one chance to take from a batch from the next: when it was last changed, as the sweep reckons it."""
    return int(batch.updated_at.timestamp() * 1000)


async def waiting_documents(session: AsyncSession, batch_id: UUID, *, limit: int) -> list[Row[Any]]:
    """The next items of a batch whose documents are there: `number` and `document_id`."""
    rows = await session.execute(_WAITING_DOCUMENTS, {"batch": batch_id, "limit": limit})
    return list(rows.all())


async def waiting_sources(session: AsyncSession, batch_id: UUID, *, after: int, limit: int) -> list[ItemDraft]:
    """The next items of a batch whose documents are yet to be fetched, after a number."""
    rows = await session.execute(_WAITING_SOURCES, {"batch": batch_id, "after": after, "limit": limit})
    return [ItemDraft(row.number, row.asked, None, row.external_id, row.metadata) for row in rows]


async def mark_taken(session: AsyncSession, batch_id: UUID, number: int, document_id: UUID, job_id: UUID) -> bool:
    """Write down what an item has become; False where somebody else has taken, or cancelled, it meanwhile."""
    taken = _waiting(batch_id, number).values(status=ItemStatus.TAKEN, document_id=document_id, job_id=job_id)
    return (await session.execute(taken.returning(items.c.number))).one_or_none() is not None


async def name_document(session: AsyncSession, batch_id: UUID, number: int, document_id: UUID) -> None:
    """Write down which document an item is of, that has yet to be taken."""
    await session.execute(_waiting(batch_id, number).values(document_id=document_id))


async def refuse(session: AsyncSession, batch_id: UUID, number: int, code: str, message: str) -> None:
    """Write down that an item can't be taken."""
    refused = {"status": ItemStatus.REFUSED, "error_code": code, "error_message": message}
    await session.execute(_waiting(batch_id, number).values(refused))


async def set_working(session: AsyncSession, batch_id: UUID) -> None:
    """Write down that a batch is being taken apart, now."""
    started = func.coalesce(batches.c.started_at, func.now())
    await change(session, batch_id, state=BatchState.WORKING, started_at=started)


async def cancel_waiting_items(session: AsyncSession, batch_id: UUID) -> int:
    """Cancel what was not taken yet; returns how many items that is."""
    waiting = (items.c.batch_id == batch_id) & (items.c.status == ItemStatus.WAITING)
    change = update(items).where(waiting).values(status=ItemStatus.CANCELLED, updated_at=func.now())
    return len((await session.execute(change.returning(items.c.number))).all())


async def wait_again(session: AsyncSession, batch_id: UUID, codes: Sequence[str]) -> int:
    """Have items that were refused with one of some codes wait once more; returns how many."""
    refused = (items.c.batch_id == batch_id) & items.c.error_code.in_(codes)
    waiting = {"status": ItemStatus.WAITING, "error_code": None, "error_message": None, "updated_at": func.now()}
    return len((await session.execute(update(items).where(refused).values(waiting).returning(items.c.number))).all())


async def change(session: AsyncSession, batch_id: UUID, **values: Any) -> Batch:
    """Set columns of a batch that the caller has locked, and return it as it is then."""
    statement = update(batches).where(batches.c.id == batch_id).values(updated_at=func.now(), **values)
    return _batch((await session.execute(statement.returning(batches))).one())


async def note(session: AsyncSession, batch: Batch, code: str, kind: EventType, **payload: Any) -> None:
    """Write an event of a batch itself."""
    draft = EventDraft(kind, payload, code=code)
    await events.note(session, draft, project_id=batch.project_id, batch_id=batch.id)


async def is_unfinished(session: AsyncSession, batch_id: UUID) -> bool:
    """Whether items of a batch wait, or jobs of it run; a look at two indexes."""
    return bool(await session.scalar(_IS_UNFINISHED, {"batch": batch_id}))


async def has_events_after(session: AsyncSession, batch_id: UUID, transaction_id: int, event_id: int) -> bool:
    """Whether there are events of a batch after a place in the log, whether they can be told yet or not."""
    told = {"batch": batch_id, "transaction": transaction_id, "event": event_id}
    return bool(await session.scalar(_HAS_EVENTS, told))


async def _add_items(session: AsyncSession, batch: Batch, drafts: Sequence[ItemDraft]) -> list[RefusedItem]:
    told = {
        "batch": batch.id,
        "project": batch.project_id,
        "numbers": [each.number for each in drafts],
        "asked": [_json(each.asked) for each in drafts],
        "documents": [each.document_id for each in drafts],
        "external_ids": [each.external_id for each in drafts],
        "metadata": [_json(each.metadata) for each in drafts],
        "codes": [each.error.code if each.error else None for each in drafts],
        "messages": [each.error.detail if each.error else None for each in drafts],
        "not_found": DocumentNotFound.code,
        "not_found_message": DocumentNotFound.message,
        "under_way": StateConflict.code,
        "under_way_message": UNDER_WAY,
    }
    return [RefusedItem(*row) for row in await session.execute(_ADD_ITEMS, told)]


def _waiting(batch_id: UUID, number: int) -> Any:
    this = (items.c.batch_id == batch_id) & (items.c.number == number) & (items.c.status == ItemStatus.WAITING)
    return update(items).where(this).values(updated_at=func.now())


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _batch(row: Row[Any]) -> Batch:
    """A row as its model, whose `details` are the column `metadata`."""
    values = dict(row._mapping)
    return Batch(**values, details=values.pop("metadata"))


# The three ways in which an item of an existing document can be refused are told apart by the first that applies.
_ADD_ITEMS = text("""
    WITH stored AS (
        INSERT INTO batch_items
            (batch_id, number, asked, document_id, external_id, metadata, status, error_code, error_message)
        SELECT :batch, i.number, CAST(i.asked AS jsonb), d.id, i.external_id, CAST(i.metadata AS jsonb),
            CASE WHEN why.code IS NULL THEN 'waiting' ELSE 'refused' END, why.code,
            CASE why.code WHEN i.code THEN i.message WHEN :not_found THEN :not_found_message
                WHEN :under_way THEN :under_way_message END
        FROM unnest(CAST(:numbers AS int[]), CAST(:asked AS text[]), CAST(:documents AS uuid[]),
                CAST(:external_ids AS text[]), CAST(:metadata AS text[]), CAST(:codes AS text[]),
                CAST(:messages AS text[]))
            AS i (number, asked, document_id, external_id, metadata, code, message)
        LEFT JOIN documents d ON d.id = i.document_id AND d.project_id = :project AND d.erased_at IS NULL
        CROSS JOIN LATERAL (
            SELECT CASE WHEN i.code IS NOT NULL THEN i.code
                WHEN i.document_id IS NULL THEN NULL
                WHEN d.id IS NULL THEN :not_found
                WHEN EXISTS (
                    SELECT FROM jobs j WHERE j.document_id = d.id AND j.state IN ('queued', 'working', 'retryable')
                ) THEN :under_way END AS code
        ) why
        RETURNING number, error_code, error_message
    )
    SELECT number, error_code, error_message FROM stored WHERE error_code IS NOT NULL ORDER BY number
""")

_WAITING_DOCUMENTS = text("""
    SELECT number, document_id FROM batch_items
    WHERE batch_id = :batch AND status = 'waiting' AND document_id IS NOT NULL
    ORDER BY number LIMIT :limit FOR UPDATE SKIP LOCKED
""")

_WAITING_SOURCES = text("""
    SELECT number, asked, external_id, metadata FROM batch_items
    WHERE batch_id = :batch AND status = 'waiting' AND document_id IS NULL AND number > :after
    ORDER BY number LIMIT :limit
""")

_IS_UNFINISHED = text("""
    SELECT EXISTS (SELECT FROM batch_items WHERE batch_id = :batch AND status = 'waiting')
        OR EXISTS (SELECT FROM jobs WHERE batch_id = :batch AND state IN ('queued', 'working', 'retryable'))
""")

_HAS_EVENTS = text("""
    SELECT EXISTS (
        SELECT FROM events WHERE batch_id = :batch
            AND (transaction_id, id) > (CAST(:transaction AS bigint), CAST(:event AS bigint)))
""")
