"""The log of events in the order in which they can be read without gaps: for readers that follow more than one job.

Ids are given when rows are written, and rows are seen when their transactions commit: whoever reads "after the last id"
loses those that commit late. So each row carries its transaction's id as well, the order is by transaction and then by
id, and a reader is told of a transaction only once none that began before it can still commit: every later row then
sorts after what was told. A job's own stream needs none of this, for its row is locked while an event is numbered.

Events of pages are left out: they are a job's, and a long document has thousands.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    Uuid,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import table_of
from app.events import NO_PAGE, OF_NOTE, OF_THE_SERVICE, Event

events = table_of(Event)

LARGEST = 2**63 - 1
FORM = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
AT_ONCE = 500


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log: between what was told and what is still to come."""

    transaction_id: int = 0
    event_id: int = 0

    def __str__(self) -> str:
        return f"{self.transaction_id}-{self.event_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its text. Raises `ValueError` for one that isn't ours."""
        found = FORM.fullmatch(text)
        if found is None:
            raise ValueError("not a position of the log")
        numbers = [int(number) for number in found.groups()]
        if max(numbers) > LARGEST:
            raise ValueError("not a position of the log")
        return cls(*numbers)

    @classmethod
    def of(cls, event: Event) -> Self:
        """Right after an event."""
        return cls(event.transaction_id, event.id)

    @classmethod
    def numbered(cls, number: int) -> Self:
        """Right after a job's event of a number: the positions of one job's own stream."""
        return cls(0, number)


@dataclass(frozen=True, slots=True)
class Portion:
    """What one look at the log found."""

    position: Position
    """Where the next look goes on."""
    events: Sequence[Event] = field(default_factory=list)
    is_full: bool = False
    """There may be more: look again at once."""
    is_held_up: bool = False
    """More has been committed, and can be told when an earlier transaction has ended: look again in a moment."""


async def now(session: AsyncSession) -> Position:
    """The position after everything that can be told: what is told from here on is new."""
    return Position(int(await session.scalar(_NOW) or 0), 0)


async def read_projects(
    session: AsyncSession, positions: Mapping[UUID, Position], *, limit: int = AT_ONCE
) -> dict[UUID, Portion]:
    """Projects' events and the service's alerts, each after its own position, in order, without pages; by one statement."""
    return await _read_each(session, "project_id", positions, limit)


async def read_batches(
    session: AsyncSession, positions: Mapping[UUID, Position], *, limit: int = AT_ONCE
) -> dict[UUID, Portion]:
    """Events of batches and of the moves of their jobs, each after its own position, in order; by one statement."""
    return await _read_each(session, "batch_id", positions, limit)


async def read_of_note(session: AsyncSession, position: Position, *, limit: int = AT_ONCE) -> Portion:
    """The ends of jobs, errors, actions and alerts of all projects after a position, in order."""
    parameters = {"transaction_id": position.transaction_id, "event_id": position.event_id, "most": limit}
    rows = (await session.execute(_OF_NOTE, parameters)).mappings().all()
    return _portion(position, rows, limit)


async def read_jobs(
    session: AsyncSession, positions: Mapping[UUID, Position], *, limit: int = AT_ONCE
) -> dict[UUID, Portion]:
    """The events of several jobs, pages among them, of each after a number: its position is `Position.numbered`."""
    parameters = {
        "keys": list(positions),
        "numbers": [position.event_id for position in positions.values()],
        "most": limit,
    }
    found: dict[UUID, list[Event]] = {key: [] for key in positions}
    for row in (await session.execute(_EACH_JOB, parameters)).mappings():
        found[row["job_id"]].append(event_of(row))
    return {key: _of_job(positions[key], told, limit) for key, told in found.items()}


def _of_job(position: Position, told: Sequence[Event], limit: int) -> Portion:
    last = Position.numbered(told[-1].number or 0) if told else position
    return Portion(last, told, is_full=len(told) == limit)


async def _read_each(
    session: AsyncSession, about: str, positions: Mapping[UUID, Position], limit: int
) -> dict[UUID, Portion]:
    parameters = {
        "keys": list(positions),
        "transaction_ids": [position.transaction_id for position in positions.values()],
        "event_ids": [position.event_id for position in positions.values()],
        "most": limit,
    }
    found: dict[UUID, list[Mapping[Any, Any]]] = {key: [] for key in positions}
    for row in (await session.execute(_each(about), parameters)).mappings():
        found[row["followed"]].append(row)
    return {key: _portion(positions[key], rows, limit) for key, rows in found.items()}


def _portion(position: Position, rows: Sequence[Mapping[Any, Any]], limit: int) -> Portion:
    told = [event_of(row) for row in rows if row["is_settled"]]
    return Portion(
        position=Position.of(told[-1]) if told else position,
        events=told,
        is_full=len(rows) == limit and len(told) == limit,
        is_held_up=len(told) < len(rows),
    )


def event_of(row: Mapping[Any, Any]) -> Event:
    """An event from a row of its columns, outside of any session."""
    return Event(**{each.name: row[each.name] for each in events.columns})


_HORIZON: ColumnElement[int] = literal_column("(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint", BigInteger)
"""The oldest transaction that is still running: no row of an earlier one can come to light any more."""
_NOW = select(_HORIZON)
_SETTLED = (events.c.transaction_id < _HORIZON).label("is_settled")
_ORDER = (events.c.transaction_id, events.c.id)
_PLACE = tuple_(*_ORDER)

_OF_NOTE: Select[Any] = (
    select(events, _SETTLED)
    .where(
        OF_NOTE,
        tuple_(bindparam("transaction_id", type_=BigInteger), bindparam("event_id", type_=BigInteger)) < _PLACE,
    )
    .order_by(*_ORDER)
    .limit(bindparam("most"))
)


def has_of_note(transaction_id: ColumnElement[int], event_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether `read_of_note` would find something to tell after a position, or the position is yet to come."""
    after = tuple_(transaction_id, event_id) < _PLACE
    # In order, so that it is sought in the index and not in the table, whatever Postgres believes of either.
    found = select(events.c.id).where(OF_NOTE, after, _SETTLED.element).order_by(*_ORDER).limit(1).scalar_subquery()
    return found.is_not(None) | (transaction_id >= _HORIZON)


@cache
def _each(about: str) -> Select[Any]:
    """The events of several things, of each after a position of its own and so many at most."""
    wanted = (
        func.unnest(
            bindparam("keys", type_=ARRAY(Uuid())),
            bindparam("transaction_ids", type_=ARRAY(BigInteger())),
            bindparam("event_ids", type_=ARRAY(BigInteger())),
        )
        .table_valued(
            column("key", Uuid()),
            column("transaction_id", BigInteger()),
            column("event_id", BigInteger()),
            name="wanted",
        )
        .render_derived()
    )
    after = tuple_(wanted.c.transaction_id, wanted.c.event_id) < _PLACE
    some = select(events, _SETTLED).where(after).order_by(*_ORDER).limit(bindparam("most")).correlate(wanted)
    own = some.where(events.c[about] == wanted.c.key)
    found: Select[Any] | CompoundSelect[Any] = own
    if about == "project_id":  # by two looks at one index
        both = union_all(own.where(NO_PAGE), some.where(NO_PAGE, OF_THE_SERVICE))
        found = both.order_by(both.selected_columns.transaction_id, both.selected_columns.id).limit(bindparam("most"))
    each = found.lateral("each")
    return (
        select(wanted.c.key.label("followed"), each)
        .select_from(wanted)
        .join(each, true())
        .order_by(each.c.transaction_id, each.c.id)
    )


def _job_events() -> Select[Any]:
    wanted = (
        func.unnest(bindparam("keys", type_=ARRAY(Uuid())), bindparam("numbers", type_=ARRAY(BigInteger())))
        .table_valued(column("key", Uuid()), column("number", BigInteger()), name="wanted")
        .render_derived()
    )
    after = (events.c.job_id == wanted.c.key) & (events.c.number > wanted.c.number)
    each = select(events).where(after).order_by(events.c.number).limit(bindparam("most")).lateral("each")
    return select(each).select_from(wanted).join(each, true()).order_by(each.c.number)


_EACH_JOB = _job_events()
