"""Never reading the same twice: a result that is there is copied, and one that is on its way is waited for."""

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError

from app import events
from app.db import one_statement
from app.documents import repository as documents
from app.documents.models import Document
from app.errors import LeaseLost, ReadElsewhere
from app.jobs import repository, textract_jobs
from app.jobs.models import Job, TextractJob
from app.jobs.states import JobState, Stage
from app.jobs.textract_jobs import EverOfJob
from app.ocr.engine import OcrStatus
from app.pipeline.outcome import Outcome, Tools

log = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS = 15.0
"""How often a job that waits for another's result looks for it; it is also told when the result is there."""


def result_key(job: Job) -> str:
    """Where a job's whole result is kept."""
    return f"results/{job.document_id}/{job.id}/textract.json"


def reads_anew(job: Job) -> bool:
    """Whether a job was told to read whatever was read before."""
    return bool(job.options.get("force_reprocess"))


async def reuse(job: Job, document: Document, content_key: str, tools: Tools) -> Outcome | None:
    """Take over what another job of the project has read from the same bytes; None where there is nothing to take."""
    if reads_anew(job):
        return None
    async with one_statement(tools.sessions) as session:
        earlier = await documents.find_result(session, job, content_key)
    if earlier is None or earlier.result_key is None:
        return None
    try:
        await tools.bucket.copy(earlier.result_key, result_key(job))
    except FileNotFoundError:
        log.warning("reusable_result_gone", job_id=str(earlier.id))
        return None
    async with tools.sessions.begin() as session:
        if await documents.copy_pages(session, earlier, job) != earlier.textract_page_count:
            log.warning("reusable_result_gone", job_id=str(earlier.id))
            await session.rollback()
            return None
        await documents.set_page_count(session, document.id, earlier.pages_total or 1)
        last = await repository.append_events(session, job, [])
    await events.ring(tools.redis, job.id, last)
    return Outcome(
        changes=taken_over(job, earlier, content_key), details={"reused_job_id": str(earlier.id)}, to=Stage.PARSED
    )


def taken_over(job: Job, earlier: Job, content_key: str) -> dict[str, Any]:
    """What a job says of a result that another has paid for."""
    same = ("pages_total", "engine", "fallback_reason", "textract_job_id", "textract_job_status", "textract_page_count")
    return {name: getattr(earlier, name) for name in same} | {
        "content_key": content_key,
        "pages_done": earlier.pages_total or 0,
        "result_key": result_key(job),
        "reused_job_id": earlier.id,
        "reads": False,
    }


async def take_reading(job: Job, tools: Tools) -> ReadElsewhere | None:
    """Become the one job of the project that reads this content; the reason to wait, where another one is.

    That may only be taking over a result that is there for all. Most jobs are it by their claim.
    """
    if reads_anew(job) or job.reads:
        return None
    try:
        async with one_statement(tools.sessions) as session:
            if await session.scalar(_TAKE_READING, {"job": job.id, "held": job.fence}) is None:
                raise LeaseLost
    except IntegrityError:
        again = ASK_AGAIN_SECONDS * random.uniform(0.7, 1.3)  # noqa: S311 (spreads load, guards nothing)
        return ReadElsewhere(retry_in_seconds=again)
    return None


async def take_over_paid(job: Job, ever: EverOfJob, tools: Tools) -> Outcome | None:
    """Go on with the OCR jobs that a job that ended early had started for the same content; None where there are none.

    `ever` are the OCR jobs that the job has had itself.
    """
    if reads_anew(job) or ever.in_force:
        return None
    first_pages = [told["first_page"] for told in job.parts] or [1]
    async with tools.sessions.begin() as session:
        rows = await textract_jobs.take_over(session, job, first_pages)
    if not rows:
        return None
    log.info("textract_jobs_taken_over", count=len(rows))
    return Outcome(
        changes=reading_changes(rows, [*ever.rows, *rows]),
        details={"taken_over": [row.textract_job_id for row in rows]},
        due_in=timedelta(0),
    )


def reading_changes(rows: Sequence[TextractJob], ever: Iterable[TextractJob]) -> dict[str, Any]:
    """What a job says of the OCR jobs that read it, from now on; the first stands for all, and it costs what it `ever` had."""
    first = rows[0]
    return {
        "engine": first.engine,
        "textract_job_id": first.textract_job_id,
        "textract_job_status": OcrStatus.IN_PROGRESS,
        "textract_start_time": first.started_at,
        "textract_end_time": None,
        "textract_deadline": None,
        "textract_error_message": None,
        "textract_polls": 0,
        "cost_microdollars": sum(row.cost_microdollars for row in ever),
    }


async def tell_waiting(job: Job, tools: Tools) -> None:
    """Have the jobs that wait for this one's result look for it now; who took one over was never waited for."""
    if job.reused_job_id is not None:
        return
    async with one_statement(tools.sessions) as session:
        await documents.wake_waiting(session, job)


_TAKE_READING = (
    update(repository.jobs)
    .where(repository.jobs.c.id == bindparam("job"), repository.jobs.c.fence == bindparam("held"))
    .where(repository.jobs.c.state == JobState.WORKING)
    .values(reads=True)
    .returning(repository.jobs.c.id)
)
