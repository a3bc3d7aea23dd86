"""Reading and changing jobs in the database. `transition()` is the only way to change one's state.

Each change is one statement: a compare-and-set `UPDATE … RETURNING` and the insert of its event, together. The
statements are built once per shape. Nothing here commits.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Executable,
    Interval,
    Select,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import table_of
from app.errors import JobNotFound, LeaseLost, StateConflict
from app.events import Event, EventDraft, EventType, api_key_id, request_id
from app.jobs.models import Job
from app.jobs.states import SOURCES, TERMINAL_STATES, WAITING_STATES, JobState, Stage
from app.ocr.engine import OcrStatus

jobs = table_of(Job)
events = table_of(Event)

NOTHING: Mapping[str, Any] = {}

CANCELLED = EventDraft(EventType.DONE, {"message": "The job was cancelled."})
STOP_ASKED = EventDraft(
    EventType.ACTION, {"message": "Somebody asked for the job to be stopped."}, code="cancel_requested"
)
GIVEN_BACK = EventDraft(EventType.PROGRESS, {"message": "The worker stops; another one takes the job up."})


async def find(session: AsyncSession, job_id: UUID, *, project_id: UUID | None = None) -> Job:
    """One job as it is now. Raises `JobNotFound`, also for a job of another project."""
    row = (
        await session.execute(_FIND, {"job_id": job_id, "any_project": project_id is None, "project": project_id})
    ).one_or_none()
    if row is None:
        raise JobNotFound
    return Job(**row._mapping)


async def latest_of(session: AsyncSession, document_id: UUID) -> Job:
    """The document's newest job."""
    row = (await session.execute(_LATEST, {"document": document_id})).one_or_none()
    if row is None:
        raise JobNotFound
    return Job(**row._mapping)


async def cost_of_document(session: AsyncSession, document_id: UUID) -> int:
    """What all jobs of a document have cost, in micro-dollars."""
    total = select(func.coalesce(func.sum(jobs.c.cost_microdollars), 0)).where(jobs.c.document_id == document_id)
    return int(await session.scalar(total) or 0)


async def create(
    session: AsyncSession, beside: CTE | None = None, beside_values: Mapping[str, Any] = NOTHING, **values: Any
) -> Job:
    """A new job and its first event, in one statement, with another insert beside them where there is one.

    `values` are the job's columns, where they differ from their defaults.
    """
    statement = _create(frozenset(values), beside)
    parameters = {**values, **beside_values, **_event_parameters(EventDraft(EventType.STAGE))}
    row = (await session.execute(statement, parameters)).one()
    return Job(**row._mapping)


async def transition(
    session: AsyncSession,
    job_id: UUID,
    state: JobState,
    *,
    event: EventDraft | None = None,
    fence: int | None = None,
    at_stage: Stage | None = None,
    at_state: JobState | None = None,
    delay: timedelta = timedelta(0),
    **changes: Any,
) -> Job:
    """Move a job to a state, and write the event that says so; `changes` are other columns to set with it.

    `fence` is that of the claim the caller acts under: without it any holder may be overruled. `at_stage` and
    `at_state` are what it saw: with them, writing the same move twice is refused the second time. `delay` says when
    the job is due next. A job that somebody asked to stop, and that would wait now, is cancelled with it: no claim
    would ever take it. Raises `LeaseLost` when the fence has moved on, `StateConflict` when the move is illegal from
    where the job is now, `JobNotFound` when it is gone.
    """
    changes = {name: value for name, value in changes.items() if value is not ...}
    event = event or EventDraft(EventType.STAGE)
    sources = SOURCES[state] if at_state is None else SOURCES[state] & {at_state}
    statement = _move(state, frozenset(changes), sources, fenced=fence is not None, staged=at_stage is not None)
    parameters = {f"to_{name}": value for name, value in changes.items()}
    parameters |= {
        "job_id": job_id,
        "fence_held": fence,
        "at_stage": at_stage,
        "delay": delay,
        **_event_parameters(event),
    }
    row = (await session.execute(statement, parameters)).one_or_none()
    if row is None:
        raise await _refusal(session, job_id, state, fence)
    return Job(**row._mapping)


async def claim(session: AsyncSession, job_id: UUID, stage: Stage, *, worker: str, lease: timedelta) -> Job | None:
    """Take a due job for a worker, under a new fence; None when it isn't there to be taken, which is no error."""
    parameters = {"job_id": job_id, "at_stage": stage, "worker": worker, "lease": lease}
    row = (await session.execute(_CLAIM, parameters | _event_parameters(EventDraft(EventType.STAGE)))).one_or_none()
    return None if row is None else Job(**row._mapping)


async def ask_to_stop(session: AsyncSession, job_id: UUID) -> Job | None:
    """Ask the worker that has a job to stop, once; None where nobody works on it, or was asked before."""
    row = (await session.execute(_ASK_TO_STOP, {"job_id": job_id} | _event_parameters(STOP_ASKED))).one_or_none()
    return None if row is None else Job(**row._mapping)


async def to_be_stopped(session: AsyncSession, fences: Mapping[UUID, int]) -> list[UUID]:
    """Those of some claimed jobs that somebody asked to stop, and those that are gone."""
    there = {row.id: row for row in await session.execute(_STOPPING, {"ids": list(fences)})}
    return [
        job_id
        for job_id, fence in fences.items()
        if (row := there.get(job_id)) is None or (row.fence == fence and row.cancel_requested_at is not None)
    ]


async def append_events(session: AsyncSession, job: Job, drafts: Sequence[EventDraft], **changes: Any) -> int:
    """Write events that change no state, and counters with them, under the job's fence. Returns the last number."""
    values = {**changes, "last_event_number": jobs.c.last_event_number + len(drafts), "updated_at": func.now()}
    held = (jobs.c.id == job.id) & (jobs.c.fence == job.fence) & (jobs.c.state == JobState.WORKING)
    last = await session.scalar(update(jobs).where(held).values(values).returning(jobs.c.last_event_number))
    if last is None:
        raise LeaseLost
    rows = [
        {
            **_event_row(draft),
            "project_id": job.project_id,
            "document_id": job.document_id,
            "job_id": job.id,
            "number": number,
        }
        for number, draft in enumerate(drafts, start=last - len(drafts) + 1)
    ]
    if rows:
        await session.execute(insert(events), rows)
    return int(last)


async def events_after(session: AsyncSession, job_id: UUID, number: int, *, limit: int = 500) -> Sequence[Event]:
    """A job's events after a number, in order."""
    query = select(Event).where(Event.job_id == job_id, Event.number > number).order_by(Event.number).limit(limit)
    return (await session.scalars(query)).all()


@cache
def _create(columns: frozenset[str], beside: CTE | None) -> Executable:
    values = {name: bindparam(name, type_=jobs.c[name].type) for name in columns}
    created = _with_event(insert(jobs).values(values | {"last_event_number": 1}))
    return created if beside is None else created.add_cte(beside)


def _is_in(states: Iterable[JobState]) -> ColumnElement[bool]:
    """Not by `in_`, whose list SQLAlchemy writes out anew at each execution."""
    return jobs.c.state == any_(literal(sorted(states), ARRAY(Text)))


def _common_values() -> dict[str, Any]:
    return {"last_event_number": jobs.c.last_event_number + 1, "updated_at": func.now(), "rung_at": None}


@cache
def _move(
    state: JobState, columns: frozenset[str], sources: frozenset[JobState], *, fenced: bool, staged: bool
) -> Executable:
    """The statement of one shape of transition: which state, which other columns, under which guards."""
    values: dict[str, Any] = _common_values() | {"state": state}
    values["next_attempt_at"] = func.now() + bindparam("delay", type_=Interval)
    values["finished_at"] = func.now() if state in TERMINAL_STATES else None
    stops = state in WAITING_STATES and "cancel_requested_at" not in columns
    if stops:
        told_to = jobs.c.cancel_requested_at.is_not(None)
        values["state"] = case((told_to, JobState.CANCELLED), else_=state)
        values["finished_at"] = case((told_to, func.now()), else_=None)
    if state is not JobState.WORKING:
        values |= {"claimed_by": None, "lease_until": None}
    values |= {name: bindparam(f"to_{name}", type_=jobs.c[name].type) for name in columns}
    allowed = (jobs.c.id == bindparam("job_id")) & _is_in(sources)
    if fenced:
        allowed &= jobs.c.fence == bindparam("fence_held")
    if staged:
        allowed &= jobs.c.stage == bindparam("at_stage")
    return _with_event(update(jobs).where(allowed).values(values), stops=stops)


def _with_event(change: Any, *, stops: bool = False) -> Select[Any]:
    """A change of one job and its event, as one statement that returns the job; where it `stops` the job, the event says so."""
    moved = change.returning(jobs).cte("moved")

    def told(column: str) -> Any:
        given = bindparam(f"event_{column}", type_=events.c[column].type)
        if not stops:
            return given
        instead = literal(_event_row(CANCELLED)[column], type_=events.c[column].type)
        return case((moved.c.state == JobState.CANCELLED, instead), else_=given)

    payload = cast(
        func.jsonb_build_object("stage", moved.c.stage, "state", moved.c.state, "attempts", moved.c.attempts), JSONB
    ).op("||")(told("payload"))
    noted = insert(events).from_select(
        [
            "project_id",
            "document_id",
            "job_id",
            "batch_id",
            "number",
            "type",
            "severity",
            "code",
            "payload",
            "request_id",
            "api_key_id",
        ],
        select(
            moved.c.project_id,
            moved.c.document_id,
            moved.c.id,
            moved.c.batch_id,
            moved.c.last_event_number,
            told("type"),
            told("severity"),
            told("code"),
            payload,
            func.coalesce(bindparam("event_request_id", type_=events.c.request_id.type), moved.c.request_id),
            bindparam("event_api_key_id", type_=events.c.api_key_id.type),
        ),
    )
    return select(moved).add_cte(noted.cte("noted"))


def _event_row(event: EventDraft) -> dict[str, Any]:
    return {
        "type": event.type,
        "severity": event.severity,
        "code": event.code,
        "payload": dict(event.payload),
        "request_id": request_id(),
        "api_key_id": api_key_id(),
    }


def _event_parameters(event: EventDraft) -> dict[str, Any]:
    return {f"event_{name}": value for name, value in _event_row(event).items()}


async def _refusal(
    session: AsyncSession, job_id: UUID, state: JobState, fence: int | None
) -> LeaseLost | StateConflict:
    """Why a move was refused. Raises `JobNotFound` where the job is gone."""
    job = await find(session, job_id)
    if fence is not None and job.fence != fence:
        return LeaseLost()
    return StateConflict(f"The job is {job.state} at {job.stage}, and can't become {state} from there.")


_FIND: Select[Any] = select(jobs).where(
    jobs.c.id == bindparam("job_id"),
    bindparam("any_project", type_=Boolean) | (jobs.c.project_id == bindparam("project", type_=jobs.c.project_id.type)),
)
_LATEST: Select[Any] = (
    select(jobs).where(jobs.c.document_id == bindparam("document")).order_by(jobs.c.created_at.desc()).limit(1)
)
_ASK_TO_STOP = _with_event(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.state == JobState.WORKING, jobs.c.cancel_requested_at.is_(None))
    .values(cancel_requested_at=func.now(), updated_at=func.now(), last_event_number=jobs.c.last_event_number + 1)
)
_STOPPING = select(jobs.c.id, jobs.c.fence, jobs.c.cancel_requested_at).where(
    jobs.c.id.in_(bindparam("ids", expanding=True))
)
_CLAIM = _with_event(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.stage == bindparam("at_stage"))
    .where(_is_in(WAITING_STATES), jobs.c.next_attempt_at <= func.now(), jobs.c.cancel_requested_at.is_(None))
    # While its OCR job runs there is nothing to work on, whoever rang: the polls move it on.
    .where((jobs.c.stage != Stage.PARSING) | jobs.c.textract_job_status.is_distinct_from(OcrStatus.IN_PROGRESS))
    .values(
        _common_values()
        | {
            "state": JobState.WORKING,
            "claimed_by": bindparam("worker"),
            "lease_until": func.now() + bindparam("lease", type_=Interval),
            "fence": jobs.c.fence + 1,
            "started_at": func.coalesce(jobs.c.started_at, func.now()),
        }
    )
)
