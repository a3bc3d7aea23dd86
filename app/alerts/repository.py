"""Raising and clearing alerts. Each begins once and ends once, with an event for either. Nothing here commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.alerts.models import Alert, AlertCode
from app.db import table_of
from app.events import EventDraft, EventType, Severity

alerts = table_of(Alert)

SEEN_EVERY = timedelta(seconds=10)
"""How often it is written down that an alert is still so."""

NOTHING: Mapping[str, Any] = {}


async def raise_alert(
    session: AsyncSession,
    code: AlertCode,
    subject: str,
    details: Mapping[str, Any] = NOTHING,
    *,
    severity: Severity = Severity.ERROR,
    project_id: UUID | None = None,
) -> bool:
    """Have an alert be open, with an event if it wasn't; returns whether it began with this."""
    values = {
        "code": code,
        "subject": subject,
        "severity": severity,
        "details": dict(details),
        "project_id": project_id,
    }
    seen = upsert(alerts).values(values)
    seen = seen.on_conflict_do_update(
        index_elements=["code", "subject"],
        index_where=alerts.c.cleared_at.is_(None),
        set_={"seen_at": func.now()},
        where=alerts.c.seen_at < func.now() - SEEN_EVERY,
    )
    # Of a row that was there before, xmax is the transaction that has just changed it.
    began = bool(await session.scalar(seen.returning(literal_column("xmax = 0"))))
    if began:
        payload = {"alert": "raised", "subject": subject, **details}
        await events.note(session, EventDraft(EventType.ALERT, payload, severity, code), project_id=project_id)
    return began


async def clear_alert(session: AsyncSession, code: AlertCode, subject: str) -> bool:
    """Have an alert not be open, with an event if it was; returns whether it ended with this."""
    return bool(await _clear(session, alerts.c.code == code, alerts.c.subject == subject))


async def clear_unseen(session: AsyncSession, code: AlertCode, *, but_for: Sequence[str], after: timedelta) -> None:
    """End the open alerts of a code, but for some subjects, that were not found to be so for a while."""
    unseen = alerts.c.seen_at <= func.now() - after
    await _clear(session, alerts.c.code == code, alerts.c.subject.not_in(but_for), unseen)


async def open_subjects(session: AsyncSession, code: AlertCode) -> Sequence[str]:
    """What the open alerts of a code are about."""
    return (await session.scalars(_OPEN_SUBJECTS, {"code": code})).all()


async def count_open(session: AsyncSession) -> dict[AlertCode, int]:
    """How many alerts are open, of every code."""
    query = select(alerts.c.code, func.count()).where(alerts.c.cleared_at.is_(None)).group_by(alerts.c.code)
    found = {row[0]: row[1] for row in await session.execute(query)}
    return {code: found.get(code, 0) for code in AlertCode}


async def list_alerts(
    session: AsyncSession, *, project_id: UUID | None, cleared: bool = False, before: int | None = None, limit: int = 50
) -> Sequence[Alert]:
    """Open alerts, or those that are over, the newest first: the service's own, and those of a project."""
    query = select(Alert).where(Alert.cleared_at.is_not(None) if cleared else Alert.cleared_at.is_(None))
    query = query.where(or_(Alert.project_id.is_(None), Alert.project_id == project_id))
    if before is not None:
        query = query.where(Alert.id < before)
    return (await session.scalars(query.order_by(Alert.id.desc()).limit(limit))).all()


async def _clear(session: AsyncSession, *which: ColumnElement[bool]) -> int:
    over = update(alerts).where(alerts.c.cleared_at.is_(None), *which).values(cleared_at=func.now()).returning(alerts)
    rows = (await session.execute(over)).all()
    for row in rows:
        payload = {"alert": "cleared", "subject": row.subject, "seconds": _seconds(row.raised_at, row.cleared_at)}
        draft = EventDraft(EventType.ALERT, payload, Severity.INFO, row.code)
        await events.note(session, draft, project_id=row.project_id)
    return len(rows)


_OPEN_SUBJECTS = select(alerts.c.subject).where(alerts.c.code == bindparam("code"), alerts.c.cleared_at.is_(None))


def _seconds(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds(), 3)
