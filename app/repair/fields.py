"""Jobs whose columns contradict each other, as far as no CHECK of the table keeps that out."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import text

from app.db import Sessions
from app.repair.defect import AT_ONCE, Defect, Kind, note
from app.repair.paging import pages


@dataclass(frozen=True, slots=True)
class Rule:
    """What must not be so of a job `jobs`, and the columns to set where it is."""

    detail: str
    broken: str
    """An SQL condition."""
    remedy: str
    change: str | None = None
    """An SQL SET list; None where somebody has to decide."""


LAST_EVENT = "(SELECT max(number) FROM events WHERE events.job_id = jobs.id)"

RULES = (
    Rule(
        "it has more events than it counts",
        f"last_event_number < {LAST_EVENT}",
        "its count is set to the last of them",
        f"last_event_number = {LAST_EVENT}",
    ),
    Rule(
        "it is done, and still tells of an error",
        "state = 'done' AND error_code IS NOT NULL",
        "the error is taken away; the events keep it",
        "error_code = NULL, error_message = NULL, error_retryable = NULL, error_stage = NULL",
    ),
    Rule(
        "it is done, and not all of its pages count as done",
        "state = 'done' AND pages_done < pages_total",
        "they count as done",
        "pages_done = pages_total",
    ),
    Rule(
        "its OCR job counts as running, though it was collected",
        "textract_job_status = 'IN_PROGRESS' AND stage NOT IN ('queued', 'job_validated', 'parsing') AND result_key IS NOT NULL",
        "it counts as ended",
        "textract_job_status = 'SUCCEEDED', textract_end_time = coalesce(textract_end_time, updated_at)",
    ),
    Rule(
        "its OCR job runs, and has no beginning",
        "stage = 'parsing' AND textract_start_time IS NULL",
        "it counts as begun when the job was changed last",
        "textract_start_time = updated_at",
    ),
    Rule(
        "it waits at the pipeline's end",
        "stage = 'finalized' AND state IN ('queued', 'retryable', 'working')",
        "cancel it, and reprocess its document",
    ),
    Rule(
        "its OCR job isn't known to us",
        "stage = 'parsing' AND state IN ('queued', 'retryable') AND NOT EXISTS (SELECT 1 FROM textract_jobs WHERE job_id = jobs.id)",
        "cancel it, and reprocess its document",
    ),
)


async def broken_fields(sessions: Sessions) -> AsyncGenerator[Defect, None]:
    """Jobs that break one of the rules, rule by rule."""
    for rule in RULES:
        statement = text(
            f"SELECT id, project_id, document_id FROM jobs WHERE id > :after AND {rule.broken} ORDER BY id LIMIT {AT_ONCE}"  # noqa: S608 (no outside text)
        )
        async for rows in pages(sessions, statement):
            for row in rows:
                mend = partial(_mend, sessions, rule, row) if rule.change is not None else None
                yield Defect(Kind.FIELDS, f"job {row.id}", rule.detail, rule.remedy, mend)


async def _mend(sessions: Sessions, rule: Rule, row: Any) -> None:
    change = text(f"UPDATE jobs SET {rule.change} WHERE id = :job AND {rule.broken} RETURNING id")  # noqa: S608 (no outside text)
    async with sessions.begin() as session:
        if (await session.execute(change, {"job": row.id})).one_or_none() is not None:
            said = {"job_id": str(row.id), "message": rule.detail}
            await note(session, Kind.FIELDS, row.project_id, row.document_id, **said)
