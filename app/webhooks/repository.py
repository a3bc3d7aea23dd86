"""Reading and changing webhooks and their messages in the database. Nothing here commits."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Interval, Text, Uuid, any_, bindparam, delete, func, select, update
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app import event_log
from app.db import new_id, table_of
from app.errors import DeliveryNotFound, WebhookNotFound
from app.event_log import Position
from app.webhooks.models import DeliveryState, Webhook, WebhookCursor, WebhookDelivery
from app.webhooks.signing import new_secret

webhooks = table_of(Webhook)
deliveries = table_of(WebhookDelivery)

FANOUT_LOCK = 0x71756972_77686B31
"""The advisory lock of whoever reads the log for messages."""
BEGINNING = Position(1, 0)
"""After the events from before there were webhooks, whose transaction is 0."""


async def find(session: AsyncSession, project_id: UUID, webhook_id: UUID) -> Webhook:
    """An endpoint of a project. Raises `WebhookNotFound`."""
    query = select(Webhook).where(Webhook.id == webhook_id, Webhook.project_id == project_id, Webhook.url.is_not(None))
    found = await session.scalar(query)
    if found is None:
        raise WebhookNotFound
    return found


async def add(session: AsyncSession, webhook: Webhook) -> None:
    """Write a new endpoint."""
    session.add(webhook)
    await session.flush()
    await session.refresh(webhook)


async def move(session: AsyncSession, webhook_id: UUID, host: str) -> None:
    """Have what is still to be sent go to another host."""
    pending = (deliveries.c.webhook_id == webhook_id) & (deliveries.c.state == DeliveryState.PENDING)
    await session.execute(update(deliveries).where(pending).values(host=host))


async def list_webhooks(
    session: AsyncSession, project_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[Webhook]:
    """A project's endpoints, the newest first."""
    query = select(Webhook).where(Webhook.project_id == project_id, Webhook.url.is_not(None))
    if before is not None:
        query = query.where(Webhook.id < before)
    return (await session.scalars(query.order_by(Webhook.id.desc()).limit(limit))).all()


async def count_webhooks(session: AsyncSession, project_id: UUID) -> int:
    """How many endpoints a project has."""
    query = select(func.count()).where(Webhook.project_id == project_id, Webhook.url.is_not(None))
    return int(await session.scalar(query) or 0)


async def callbacks_of(session: AsyncSession, project_id: UUID) -> Webhook:
    """What stands for a project's `callback_url`s, made where it isn't there."""
    values = {"id": new_id(), "project_id": project_id, "url": None, "secret": new_secret()}
    await session.execute(upsert(webhooks).values(values).on_conflict_do_nothing())
    found = await session.scalar(select(Webhook).where(Webhook.project_id == project_id, Webhook.url.is_(None)))
    assert found is not None  # noqa: S101 (it was made above)
    return found


async def change(session: AsyncSession, webhook_id: UUID, **values: Any) -> Webhook:
    """Change an endpoint. Raises `WebhookNotFound`."""
    statement = update(webhooks).where(webhooks.c.id == webhook_id).values(**values, updated_at=func.now())
    row = (await session.execute(statement.returning(webhooks))).one_or_none()
    if row is None:
        raise WebhookNotFound
    return Webhook.of(row)


async def note_arrival(session: AsyncSession, webhook_id: UUID) -> None:
    """Note that an endpoint works."""
    failing = (webhooks.c.id == webhook_id) & webhooks.c.failing_since.is_not(None)
    await session.execute(update(webhooks).where(failing).values(failing_since=None))


async def note_failure(session: AsyncSession, webhook_id: UUID) -> datetime | None:
    """Note that an endpoint fails; returns since when it does, and None where it is gone."""
    since = func.coalesce(webhooks.c.failing_since, func.now())
    statement = update(webhooks).where(webhooks.c.id == webhook_id).values(failing_since=since)
    found: datetime | None = await session.scalar(statement.returning(webhooks.c.failing_since))
    return found


async def disable(session: AsyncSession, webhook_id: UUID, reason: str) -> bool:
    """Disable an endpoint; False where it is disabled, or gone, already."""
    enabled = (webhooks.c.id == webhook_id) & webhooks.c.disabled_at.is_(None)
    values = {"disabled_at": func.now(), "disabled_reason": reason, "updated_at": func.now()}
    row = await session.execute(update(webhooks).where(enabled).values(values).returning(webhooks.c.id))
    return row.one_or_none() is not None


async def remove(session: AsyncSession, webhook_id: UUID) -> None:
    """Delete an endpoint and its messages."""
    await session.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


async def enabled_of(session: AsyncSession, project_ids: Collection[UUID]) -> Sequence[Webhook]:
    """The endpoints of some projects that are to be told."""
    query = select(Webhook).where(
        Webhook.project_id.in_(project_ids), Webhook.disabled_at.is_(None), Webhook.url.is_not(None)
    )
    return (await session.scalars(query)).all()


async def add_deliveries(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write messages that are still to be sent; one that is there already stays as it is."""
    if rows:
        await session.execute(upsert(deliveries).on_conflict_do_nothing(), list(rows))


async def find_delivery(session: AsyncSession, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """One message to an endpoint. Raises `DeliveryNotFound`."""
    query = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id, WebhookDelivery.webhook_id == webhook_id)
    found = await session.scalar(query)
    if found is None:
        raise DeliveryNotFound
    return found


async def list_deliveries(
    session: AsyncSession, webhook_id: UUID, *, state: DeliveryState | None, before: UUID | None, limit: int
) -> Sequence[WebhookDelivery]:
    """An endpoint's messages, the newest first."""
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if before is not None:
        query = query.where(WebhookDelivery.id < before)
    return (await session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(limit))).all()


async def send_again(session: AsyncSession, delivery_id: UUID, *, patience: timedelta) -> WebhookDelivery:
    """Have a message sent again, with a fresh budget of time."""
    values = {
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "next_attempt_at": func.now(),
        "give_up_at": func.now() + patience,
        "finished_at": None,
    }
    statement = update(deliveries).where(deliveries.c.id == delivery_id).values(values)
    row = (await session.execute(statement.returning(deliveries))).one()
    return WebhookDelivery.of(row)


async def claim(
    session: AsyncSession, *, limit: int, per_webhook: int, busy_hosts: Sequence[str], lease: timedelta
) -> list[tuple[WebhookDelivery, Webhook]]:
    """Take messages that are due, of each endpoint so many at most; none to hosts that have enough to do."""
    parameters = {"most": limit, "per_webhook": per_webhook, "busy": list(busy_hosts), "lease": lease}
    rows = (await session.execute(_CLAIM, parameters)).mappings().all()
    by_id: dict[UUID, Webhook] = {}
    if rows:
        found = await session.execute(_THESE, {"ids": list({row["webhook_id"] for row in rows})})
        by_id = {row.id: Webhook.of(row) for row in found}
    return [(WebhookDelivery(**row), by_id[row["webhook_id"]]) for row in rows]


async def end_try(
    session: AsyncSession,
    delivery: WebhookDelivery,
    state: DeliveryState,
    tried: dict[str, Any],
    *,
    next_attempt_at: datetime | None = None,
) -> bool:
    """Write down what came of a try; False where somebody else has had it by now."""
    values: dict[str, Any] = {"state": state, "tries": [*delivery.tries[-KEPT_TRIES + 1 :], tried]}
    values["finished_at"] = None if state is DeliveryState.PENDING else func.now()
    if next_attempt_at is not None:
        values["next_attempt_at"] = next_attempt_at
    mine = (deliveries.c.id == delivery.id) & (deliveries.c.attempts == delivery.attempts)
    still = mine & (deliveries.c.state == DeliveryState.PENDING)
    row = await session.execute(update(deliveries).where(still).values(values).returning(deliveries.c.id))
    return row.one_or_none() is not None


KEPT_TRIES = 30


async def forget_deliveries(session: AsyncSession, *, older_than: timedelta, limit: int = 5000) -> None:
    """Forget some messages that ended long ago."""
    old = (
        select(deliveries.c.id)
        .where(deliveries.c.state != DeliveryState.PENDING, deliveries.c.finished_at < func.now() - older_than)
        .limit(limit)
    )
    await session.execute(delete(deliveries).where(deliveries.c.id.in_(old)))


async def has_news(session: AsyncSession) -> bool:
    """Whether the log is to be read on."""
    return bool(await session.scalar(_HAS_NEWS))


async def try_fanout_lock(session: AsyncSession) -> bool:
    """Take the right to read the log, until the transaction ends; False while another worker has it."""
    return bool(await session.scalar(_TRY_LOCK))


async def read_cursor(session: AsyncSession) -> Position:
    """How far the log was read."""
    row = (await session.execute(_READ_CURSOR)).one_or_none()
    return BEGINNING if row is None else Position(row.transaction_id, row.event_id)


async def write_cursor(session: AsyncSession, position: Position) -> None:
    """Note how far the log was read."""
    values = {"transaction_id": position.transaction_id, "event_id": position.event_id}
    statement = upsert(_CURSOR).values(id=1, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


_TRY_LOCK = sql(f"SELECT pg_try_advisory_xact_lock({FANOUT_LOCK})")
_CURSOR = table_of(WebhookCursor)
_READ_CURSOR = select(_CURSOR.c.transaction_id, _CURSOR.c.event_id)
_HAS_NEWS = select(
    event_log.has_of_note(
        func.coalesce(select(_CURSOR.c.transaction_id).scalar_subquery(), BEGINNING.transaction_id),
        func.coalesce(select(_CURSOR.c.event_id).scalar_subquery(), BEGINNING.event_id),
    )
)
_THESE = select(webhooks).where(webhooks.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))
_RETURNED = ", ".join(f"d.{column.name}" for column in deliveries.columns)
_CLAIM = (
    sql(f"""
    UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_attempt_at = now() + :lease
    FROM (
        SELECT due.id FROM webhooks w CROSS JOIN LATERAL (
            SELECT id, next_attempt_at FROM webhook_deliveries
            WHERE webhook_id = w.id AND state = 'pending' AND next_attempt_at <= now() AND host <> ALL(:busy)
            ORDER BY next_attempt_at LIMIT :per_webhook FOR UPDATE SKIP LOCKED
        ) due
        WHERE w.disabled_at IS NULL ORDER BY due.next_attempt_at LIMIT :most
    ) taken
    WHERE d.id = taken.id RETURNING {_RETURNED}
    """)  # noqa: S608 (our own columns)
    .bindparams(bindparam("lease", type_=Interval), bindparam("busy", type_=ARRAY(Text)))
    .columns(*deliveries.columns)
)
