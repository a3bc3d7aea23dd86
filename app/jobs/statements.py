"""The statements that change a job: each is a compare-and-set `UPDATE … RETURNING` with the insert of its events.

They are built once per shape.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    Executable,
    Integer,
    Interval,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db import table_of
from app.events import Event, EventDraft, EventType, api_key_id, request_id
from app.jobs.models import Job
from app.jobs.states import TERMINAL_STATES, WAITING_STATES, JobState, Stage
from app.ocr.engine import OcrStatus

jobs = table_of(Job)
events = table_of(Event)

CANCELLED = EventDraft(EventType.DONE, {"message": "The job was cancelled."})


@dataclass(frozen=True, slots=True)
class EarlierMove:
    """A move that is written together with a later one: what its event tells, and how long ago it was made."""

    event: Mapping[str, Any]
    seconds_ago: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """Who takes a job, and for how long unless that is renewed."""

    worker: str
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Shape:
    """What tells one statement of a transition from another: where to, from where, what changes, and what is beside it."""

    state: JobState
    columns: frozenset[str]
    sources: frozenset[JobState]
    fenced: bool
    staged: bool
    claims: bool = False
    follows: bool = False
    """Whether moves before it are written with it."""


@cache
def move_statement(shape: Shape) -> Executable:
    """The statement of one shape of transition."""
    values: dict[str, Any] = common_values() | {"state": shape.state}
    values["next_attempt_at"] = func.now() + bindparam("delay", type_=Interval)
    values["finished_at"] = func.now() if shape.state in TERMINAL_STATES else None
    stops = shape.state in WAITING_STATES and "cancel_requested_at" not in shape.columns
    if stops:
        told_to = jobs.c.cancel_requested_at.is_not(None)
        values["state"] = case((told_to, JobState.CANCELLED), else_=shape.state)
        values["finished_at"] = case((told_to, func.now()), else_=None)
    if shape.state is not JobState.WORKING:
        values |= {"claimed_by": None, "lease_until": None}
    if shape.claims:
        values |= _claiming_values()
    if shape.follows:
        values["last_event_number"] = jobs.c.last_event_number + bindparam("event_count", type_=Integer)
    values |= {name: bindparam(f"to_{name}", type_=jobs.c[name].type) for name in shape.columns}
    change = update(jobs).where(_allowed(shape)).values(values)
    return with_event(change, stops=stops, follows=shape.follows)


@cache
def create_statement(columns: frozenset[str], beside: CTE | None) -> Executable:
    """The statement that makes a job of which some columns are given, with another insert beside it."""
    values = {name: bindparam(name, type_=jobs.c[name].type) for name in columns}
    created = with_event(insert(jobs).values(values | {"last_event_number": 1}))
    return created if beside is None else created.add_cte(beside)


def claim_statement(*, reading: bool = False) -> Executable:
    """The statement that takes a job which is due at a stage, where `reading` as the one that reads its content.

    A job that reads whatever was read before keeps nobody from reading.
    """
    reads_anew = jobs.c.options["force_reprocess"].astext.is_not_distinct_from("true")
    reads = {"reads": jobs.c.reads | ~reads_anew} if reading else {}
    return with_event(
        update(jobs)
        .where(jobs.c.id == bindparam("job_id"), jobs.c.stage == bindparam("at_stage"))
        .where(is_in(WAITING_STATES), jobs.c.next_attempt_at <= func.now(), jobs.c.cancel_requested_at.is_(None))
        # While its OCR job runs there is nothing to work on, whoever rang: the polls move it on.
        .where((jobs.c.stage != Stage.PARSING) | jobs.c.textract_job_status.is_distinct_from(OcrStatus.IN_PROGRESS))
        .values(common_values() | {"state": JobState.WORKING} | _claiming_values() | reads)
    )


def with_event(change: Any, *, stops: bool = False, follows: bool = False) -> Select[Any]:
    """A change of one job and its event, as one statement that returns the job; where it `stops` the job, the event says so.

    Where it `follows` others that aren't written yet, their events come first, each with its own moment.
    """
    moved = change.returning(jobs).cte("moved")
    told_before = _events_told()
    given: Any = (
        told_before.c if follows else {name: bindparam(f"event_{name}", type_=kind) for name, kind in _TOLD.items()}
    )
    is_stopped = moved.c.state == JobState.CANCELLED

    def told(name: str) -> Any:
        if not stops:
            return given[name]
        instead = literal(event_row(CANCELLED)[name], type_=_TOLD[name])
        return case((is_stopped & (given["later"] == 0) if follows else is_stopped, instead), else_=given[name])

    where = func.jsonb_build_object("stage", moved.c.stage, "state", moved.c.state, "attempts", moved.c.attempts)
    row: dict[str, Any] = {
        "project_id": moved.c.project_id,
        "document_id": moved.c.document_id,
        "job_id": moved.c.id,
        "batch_id": moved.c.batch_id,
        "number": moved.c.last_event_number,
        "type": told("type"),
        "severity": told("severity"),
        "code": told("code"),
        "payload": cast(where, JSONB).op("||")(told("payload")),
        "request_id": func.coalesce(given["request_id"], moved.c.request_id),
        "api_key_id": given["api_key_id"],
    }
    if follows:
        row["number"] = moved.c.last_event_number - given["later"]
        row["created_at"] = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, given["seconds_ago"])
    rows = select(*row.values()).select_from(moved.join(told_before, true()) if follows else moved)
    # In the order of their numbers: their ids are to be in the same.
    noted = insert(events).from_select(list(row), rows.order_by(given["later"].desc()) if follows else rows)
    return select(moved).add_cte(noted.cte("noted"))


def events_told(earlier: Iterable[EarlierMove], event: EventDraft, *, seconds_ago: float) -> dict[str, Any]:
    """The parameters of a statement that `follows` earlier moves: all their events, and that of the last."""
    told = [*earlier, EarlierMove(event_row(event), seconds_ago)]
    rows = [
        {**move.event, "seconds_ago": move.seconds_ago, "later": later}
        for later, move in zip(reversed(range(len(told))), told, strict=True)
    ]
    return {"events_told": rows, "event_count": len(rows)}


def event_row(event: EventDraft) -> dict[str, Any]:
    """What an event tells, and for whom what happens now is done."""
    return {
        "type": event.type,
        "severity": event.severity,
        "code": event.code,
        "payload": dict(event.payload),
        "request_id": request_id(),
        "api_key_id": api_key_id(),
    }


def event_parameters(event: EventDraft) -> dict[str, Any]:
    """The parameters of a statement with one event."""
    return {f"event_{name}": value for name, value in event_row(event).items()}


def is_in(states: Iterable[JobState]) -> ColumnElement[bool]:
    """Whether a job is in one of some states. Not by `in_`, whose list SQLAlchemy writes out anew at each execution."""
    return jobs.c.state == any_(literal(sorted(states), ARRAY(Text)))


def common_values() -> dict[str, Any]:
    """What every move changes."""
    return {"last_event_number": jobs.c.last_event_number + 1, "updated_at": func.now(), "rung_at": None}


def _allowed(shape: Shape) -> ColumnElement[bool]:
    allowed = (jobs.c.id == bindparam("job_id")) & is_in(shape.sources)
    if shape.fenced:
        allowed &= jobs.c.fence == bindparam("fence_held")
    if shape.staged:
        allowed &= jobs.c.stage == bindparam("at_stage")
    if shape.claims:
        allowed &= jobs.c.cancel_requested_at.is_(None)
    return allowed


def _claiming_values() -> dict[str, Any]:
    return {
        "claimed_by": bindparam("worker"),
        "lease_until": func.now() + bindparam("lease", type_=Interval),
        "fence": jobs.c.fence + 1,
        "started_at": func.coalesce(jobs.c.started_at, func.now()),
    }


# Named here: a process that doesn't know the tables which a column points to knows no type of it either.
_TOLD: Mapping[str, Any] = {
    "type": Text,
    "severity": Text,
    "code": Text,
    "payload": JSONB,
    "request_id": Text,
    "api_key_id": Uuid,
}


def _events_told() -> Any:
    """The events that are given as one JSON value, the last of which has none `later`."""
    columns = [column(name, kind) for name, kind in {**_TOLD, "seconds_ago": Double, "later": Integer}.items()]
    rows = func.jsonb_to_recordset(bindparam("events_told", type_=JSONB)).table_valued(*columns)
    return rows.render_derived("told", with_types=True)
