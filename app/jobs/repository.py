"""Reading and changing jobs in the database. `transition()` is the only way to change one's state.

Each change is one statement: a compare-and-set `UPDATE … RETURNING` and the insert of its event, together. The
statements are built once per shape. Nothing here commits.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CTE, Boolean, Select, Uuid, any_, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import JobNotFound, LeaseLost, StateConflict
from app.events import Event, EventDraft, EventType
from app.jobs.models import Job
from app.jobs.statements import (
    CANCELLED,
    Claim,
    EarlierMove,
    Shape,
    claim_statement,
    create_statement,
    event_parameters,
    event_row,
    events,
    events_told,
    jobs,
    move_statement,
    with_event,
)
from app.jobs.states import SOURCES, JobState, Stage

__all__ = [
    "CANCELLED",
    "GIVEN_BACK",
    "append_events",
    "ask_to_stop",
    "claim",
    "cost_of_document",
    "create",
    "events",
    "events_after",
    "find",
    "jobs",
    "latest_of",
    "to_be_stopped",
    "transition",
]

NOTHING: Mapping[str, Any] = {}

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
    return Job.of(row)


async def latest_of(session: AsyncSession, document_id: UUID) -> Job:
    """The document's newest job."""
    row = (await session.execute(_LATEST, {"document": document_id})).one_or_none()
    if row is None:
        raise JobNotFound
    return Job.of(row)


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
    statement = create_statement(frozenset(values), beside)
    parameters = {**values, **beside_values, **event_parameters(EventDraft(EventType.STAGE))}
    row = (await session.execute(statement, parameters)).one()
    return Job.of(row)


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
    claim: Claim | None = None,
    earlier: Sequence[EarlierMove] = (),
    seconds_ago: float = 0.0,
    **changes: Any,
) -> Job:
    """Move a job to a state, and write the event that says so; `changes` are other columns to set with it.

    `fence` is that of the claim the caller acts under: without it any holder may be overruled. `at_stage` and
    `at_state` are what it saw: with them, writing the same move twice is refused the second time. `delay` says when
    the job is due next. A job that somebody asked to stop, and that would wait now, is cancelled with it: no claim
    would ever take it. With a `claim`, the job is taken with the move, unless somebody asked to stop it. `earlier` moves
    are written with this one, which was itself made some seconds ago: `changes` are then theirs as well.

    Raises `LeaseLost` when the fence has moved on, `StateConflict` when the move is illegal from where the job is now,
    `JobNotFound` when it is gone.
    """
    changes = {name: value for name, value in changes.items() if value is not ...}
    event = event or EventDraft(EventType.STAGE)
    sources = SOURCES[state] if at_state is None else SOURCES[state] & {at_state}
    follows = bool(earlier) or seconds_ago > 0
    shape = Shape(
        state, frozenset(changes), sources, fence is not None, at_stage is not None, claim is not None, follows
    )
    parameters = {f"to_{name}": value for name, value in changes.items()}
    parameters |= {"job_id": job_id, "fence_held": fence, "at_stage": at_stage, "delay": delay}
    parameters |= events_told(earlier, event, seconds_ago=seconds_ago) if follows else event_parameters(event)
    if claim is not None:
        parameters |= {"worker": claim.worker, "lease": claim.lease}
    row = (await session.execute(move_statement(shape), parameters)).one_or_none()
    if row is None:
        raise await _refusal(session, job_id, state, fence)
    return Job.of(row)


async def claim(
    session: AsyncSession, job_id: UUID, stage: Stage, *, worker: str, lease: timedelta, reading: bool = False
) -> Job | None:
    """Take a due job for a worker, under a new fence; None when it isn't there to be taken, which is no error.

    Where it is for `reading`, it becomes the one job of its project that reads its content. Raises `IntegrityError` then
    where another one is.
    """
    parameters = {"job_id": job_id, "at_stage": stage, "worker": worker, "lease": lease}
    parameters |= event_parameters(EventDraft(EventType.STAGE))
    row = (await session.execute(_CLAIM_TO_READ if reading else _CLAIM, parameters)).one_or_none()
    return None if row is None else Job.of(row)


async def ask_to_stop(session: AsyncSession, job_id: UUID) -> Job | None:
    """Ask the worker that has a job to stop, once; None where nobody works on it, or was asked before."""
    row = (await session.execute(_ASK_TO_STOP, {"job_id": job_id} | event_parameters(STOP_ASKED))).one_or_none()
    return None if row is None else Job.of(row)


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
            **event_row(draft),
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
_ASK_TO_STOP = with_event(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.state == JobState.WORKING, jobs.c.cancel_requested_at.is_(None))
    .values(cancel_requested_at=func.now(), updated_at=func.now(), last_event_number=jobs.c.last_event_number + 1)
)
_STOPPING = select(jobs.c.id, jobs.c.fence, jobs.c.cancel_requested_at).where(
    jobs.c.id == any_(bindparam("ids", type_=ARRAY(Uuid())))
)
_CLAIM, _CLAIM_TO_READ = claim_statement(), claim_statement(reading=True)
