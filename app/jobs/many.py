"""Making and moving many jobs at once, each with its event, a slice in one statement. Nothing here commits."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import OcrFailed
from app.events import EventDraft, EventType, api_key_id, request_id
from app.jobs.repository import CANCELLED
from app.jobs.states import JobState, Priority, Stage
from app.ocr.engine import Operation

SLICE_JOBS = 500
"""Jobs that are cancelled, or tried again, in one transaction."""

RETRIED = EventDraft(EventType.RETRY, {"message": "The job is tried again, because somebody asked for it."})


@dataclass(frozen=True, slots=True)
class JobTerms:
    """What jobs that are made together have in common."""

    project_id: UUID
    batch_id: UUID
    priority: Priority
    options: dict[str, Any]
    operation: Operation
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Again:
    """Which jobs of a project are to run again; what is None or empty keeps none out."""

    states: Sequence[JobState] = (JobState.DEADLETTER,)
    """Of `deadletter` and `cancelled`."""
    codes: Sequence[str] = ()
    batch_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    ids: Sequence[UUID] = ()

    def told(self) -> dict[str, Any]:
        """What is asked for, as parameters of a statement."""
        given = {
            "codes": list(self.codes),
            "batch": self.batch_id,
            "created_from": self.created_from,
            "created_to": self.created_to,
            "ids": list(self.ids),
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Moved:
    """As much of a job as ringing for it takes, and telling its listeners."""

    id: UUID
    project_id: UUID
    document_id: UUID
    batch_id: UUID | None
    priority: Priority
    stage: Stage
    fence: int
    rings: int
    last_event_number: int


async def create_of(session: AsyncSession, terms: JobTerms, wanted: Sequence[tuple[UUID, UUID]]) -> list[Moved]:
    """Make a job for each document that has none under way, with its first event: pairs of a document's and a job's id.

    Only documents of the terms' project, which the transaction must have locked: else two could make jobs of one.
    """
    told = {
        "documents": [document_id for document_id, _ in wanted],
        "ids": [job_id for _, job_id in wanted],
        "project": terms.project_id,
        "batch": terms.batch_id,
        "priority": terms.priority,
        "options": terms.options,
        "operation": terms.operation,
        **_told_by(None),
        "request_id": terms.request_id,
    }
    return _moved(await session.execute(_CREATE, told))


async def cancel_waiting(session: AsyncSession, batch_id: UUID, *, limit: int) -> list[Moved]:
    """Cancel some jobs of a batch that no worker has; none are left where fewer than asked for come back."""
    told = {"batch": batch_id, "limit": limit, **_told_by(CANCELLED)}
    return _moved(await session.execute(_CANCEL, told))


async def ask_to_stop(session: AsyncSession, batch_id: UUID) -> int:
    """Ask the workers that have jobs of a batch to stop before the next stage; how many jobs that is."""
    return len((await session.execute(_ASK_TO_STOP, {"batch": batch_id})).all())


async def retry_failed(session: AsyncSession, batch_id: UUID, *, limit: int) -> list[Moved]:
    """Run some jobs of a batch again that were given up, each from the stage that failed, with a fresh budget."""
    told = {"batch": batch_id, "limit": limit, "ocr_failed": OcrFailed.code, **_told_by(RETRIED)}
    return _moved(await session.execute(_RETRY, told))


async def retry_some(
    session: AsyncSession, project_id: UUID, again: Again, *, ended_before: datetime, limit: int
) -> list[Moved]:
    """Run some jobs of a project again that were given up or cancelled; those that another transaction has are passed over.

    `ended_before` keeps those out that were tried again and failed while slices were taken.
    """
    told = {"project": project_id, "states": list(again.states), "ended_before": ended_before, "limit": limit}
    told |= {**again.told(), "ocr_failed": OcrFailed.code, **_told_by(RETRIED)}
    moved = _moved(await session.execute(_retry_some(frozenset(again.told())), told))
    # After the jobs' rows: whoever ends a batch holds its row, and doesn't wait for jobs.
    for batch_id in sorted({job.batch_id for job in moved if job.batch_id is not None}):
        await reopen_batch(session, batch_id)
    return moved


async def reopen_batch(session: AsyncSession, batch_id: UUID) -> None:
    """Have the batch of a job that is to run again be at work again.

    Before anything else in the transaction: whoever ends batches holds its row too, and sees both or neither.
    """
    await session.execute(_REOPEN_BATCH, {"batch": batch_id})


def _told_by(event: EventDraft | None) -> dict[str, Any]:
    """What the events say, and whose request they come from."""
    message = event.payload.get("message") if event else None
    return {"message": message, "request_id": request_id(), "api_key": api_key_id()}


def _moved(rows: Any) -> list[Moved]:
    return [Moved(**{**row._mapping, "priority": Priority(row.priority), "stage": Stage(row.stage)}) for row in rows]


def _noting(kind: EventType) -> str:
    """The common end of these statements: an event for each job in `moved`, as `jobs.repository` writes it."""
    return f"""
        noted AS (
            INSERT INTO events (project_id, document_id, job_id, batch_id, number, type, severity, payload,
                request_id, api_key_id)
            SELECT project_id, document_id, id, batch_id, last_event_number, '{kind}', 'info',
                jsonb_strip_nulls(jsonb_build_object('stage', stage, 'state', state, 'attempts', attempts,
                    'message', CAST(:message AS text))),
                coalesce(:request_id, request_id), :api_key
            FROM moved
        )
        SELECT id, document_id, stage, fence, rings, last_event_number, priority, project_id, batch_id FROM moved ORDER BY id
    """  # noqa: S608 (no outside text)


_PARAMETERS: dict[str, Any] = {
    "api_key": Uuid(),
    "batch": Uuid(),
    "codes": ARRAY(Text()),
    "created_from": DateTime(timezone=True),
    "created_to": DateTime(timezone=True),
    "documents": ARRAY(Uuid()),
    "ended_before": DateTime(timezone=True),
    "ids": ARRAY(Uuid()),
    "options": JSONB(),
    "project": Uuid(),
    "request_id": Text(),
    "states": ARRAY(Text()),
}
"""Those whose types Postgres or the driver can't tell by themselves."""


def _text(statement: str) -> Any:
    names = {name for name in _PARAMETERS if re.search(rf":{name}\b", statement)}
    return text(statement).bindparams(*(bindparam(name, type_=_PARAMETERS[name]) for name in names))


_CREATE = _text(
    """
    WITH moved AS (
        INSERT INTO jobs (id, project_id, document_id, batch_id, priority, options, operation, request_id,
            last_event_number)
        SELECT wanted.id, d.project_id, d.id, :batch, :priority, :options, :operation, :request_id, 1
        FROM unnest(:documents, :ids) AS wanted (document_id, id)
        JOIN documents d ON d.id = wanted.document_id AND d.project_id = :project AND d.erased_at IS NULL
        WHERE NOT EXISTS (
            SELECT FROM jobs j WHERE j.document_id = d.id AND j.state IN ('queued', 'working', 'retryable'))
        RETURNING *
    ),
    """  # noqa: S608 (no outside text)
    + _noting(EventType.STAGE)
)

_CANCEL = _text(
    """
    WITH chosen AS (
        SELECT id FROM jobs WHERE batch_id = :batch AND state IN ('queued', 'retryable')
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE jobs SET state = 'cancelled', finished_at = now(), updated_at = now(), rung_at = NULL,
            last_event_number = last_event_number + 1
        WHERE id IN (SELECT id FROM chosen)
        RETURNING *
    ), let_go AS (
        UPDATE textract_jobs SET let_go_at = now() FROM moved
        WHERE textract_jobs.job_id = moved.id AND moved.stage IN ('job_validated', 'parsing')
          AND textract_jobs.status IN ('STARTING', 'IN_PROGRESS') AND let_go_at IS NULL
    ),
    """  # noqa: S608 (no outside text)
    + _noting(EventType.DONE)
)

_ASK_TO_STOP = _text("""
    UPDATE jobs SET cancel_requested_at = now(), updated_at = now()
    WHERE batch_id = :batch AND state = 'working' AND cancel_requested_at IS NULL RETURNING id
""")


def _retry(chosen: str) -> Any:
    """A statement that runs jobs again, with a fresh budget of attempts.

    An OCR job that failed, or whose result had no page that was read, is started anew; one that was waited for too long
    is waited for. Who reads for all jobs of the same content is settled when they come to it.
    """
    return _text(
        f"""
        WITH chosen AS (
            SELECT id, stage = 'parsing' AND textract_job_status = 'FAILED'
                OR stage = 'parsed' AND coalesce(error_code, '') = :ocr_failed AS anew
            FROM jobs WHERE {chosen} LIMIT :limit FOR UPDATE SKIP LOCKED
        ), moved AS (
            UPDATE jobs SET state = 'queued', finished_at = NULL, attempts = 0, next_attempt_at = now(),
                updated_at = now(), rung_at = NULL, reads = false, cancel_requested_at = NULL,
                error_code = NULL, error_message = NULL, error_retryable = NULL, error_stage = NULL,
                textract_deadline = CASE WHEN stage <> 'parsing' THEN textract_deadline END,
                last_event_number = last_event_number + 1,
                stage = CASE WHEN anew THEN 'job_validated' ELSE stage END,
                result_key = CASE WHEN NOT anew THEN result_key END,
                textract_job_id = CASE WHEN NOT anew THEN textract_job_id END,
                textract_job_status = CASE WHEN NOT anew THEN textract_job_status END,
                textract_generation = textract_generation + CASE WHEN anew THEN 1 ELSE 0 END
            FROM chosen WHERE jobs.id = chosen.id
            RETURNING jobs.*
        ), taken_back AS (
            UPDATE textract_jobs SET let_go_at = NULL FROM moved
            WHERE textract_jobs.job_id = moved.id AND moved.stage = 'parsing' AND let_go_at IS NOT NULL
        ),
        """  # noqa: S608 (no outside text)
        + _noting(EventType.RETRY)
    )


_RETRY = _retry("batch_id = :batch AND state = 'deadletter' ORDER BY id")
_FILTERS = {
    "codes": "error_code = ANY(:codes)",
    "batch": "batch_id = :batch",
    "created_from": "created_at >= :created_from",
    "created_to": "created_at < :created_to",
    "ids": "id = ANY(:ids)",
}


@cache
def _retry_some(filters: frozenset[str]) -> Any:
    """In no order: that would be to sort all there are for each slice."""
    given = [_FILTERS[name] for name in sorted(filters)]
    ended = "project_id = :project AND state = ANY(:states) AND finished_at < :ended_before"
    return _retry(" AND ".join([ended, *given]))


_REOPEN_BATCH = text("""
    UPDATE batches SET updated_at = now(), state = CASE state WHEN 'done' THEN 'working' ELSE state END,
        finished_at = CASE state WHEN 'done' THEN NULL ELSE finished_at END,
        percent = CASE state WHEN 'done' THEN 0 ELSE percent END
    WHERE id = :batch
""")
