"""OCR jobs that run on for jobs that were cancelled, given up or deleted: asked about now and then, for their slots' sake."""

from datetime import UTC, datetime, timedelta

import structlog

from app.db import one_statement
from app.errors import OcrJobLost, QuireError
from app.jobs import textract_jobs
from app.jobs.models import TextractJob
from app.jobs.textract_jobs import RESULTS_KEPT
from app.ocr.engine import OcrStatus
from app.ocr.pacing import Lane
from app.pipeline.ends import record_end, record_lost
from app.pipeline.outcome import Tools

log = structlog.get_logger(__name__)

AT_A_TIME = 20
LOOKED_AT = 200
ABANDONED_SECONDS = 2.0
"""How often some are asked about."""
PATIENCE_SECONDS = 5.0
"""After how long a job is asked about for the second time, a quarter of that for the third, and so on: ever more rarely."""


async def ask_about_abandoned(tools: Tools) -> None:
    """Ask about some OCR jobs that nobody waits for, as far as the Get budget has something to spare.

    Their slots are taken until they end, and what they cost is known only then.
    """
    async with one_statement(tools.sessions) as session:
        rows = await textract_jobs.abandoned(session, within=RESULTS_KEPT, limit=LOOKED_AT)
    states = await tools.ocr.router.states()
    for row in [row for row in rows if _is_due(row)][:AT_A_TIME]:
        lane, state = Lane(row.engine, row.operation), states.get(row.engine)
        # An engine that is away is left alone, and probed by others; of one that isn't configured any more nothing is asked.
        if state is None or (state.may_be_asked_of_jobs and await tools.ocr.pacer.gets(lane, 1)):
            await _ask(row, lane, tools)


def _is_due(row: TextractJob) -> bool:
    """Whether enough time has passed since the start, by the Gets that were spent on the job."""
    age = datetime.now(UTC) - (row.started_at or row.created_at)
    return age >= timedelta(seconds=PATIENCE_SECONDS) * row.gets**2


async def _ask(row: TextractJob, lane: Lane, tools: Tools) -> None:
    async with tools.sessions.begin() as session:
        await textract_jobs.count_gets(session, {row.id: 1})
    try:
        portion = await tools.ocr.ask(lane, row.textract_job_id or "")
    except OcrJobLost as error:
        await record_lost(tools, row, error)
        return
    except QuireError as error:
        log.info("abandoned_job_not_asked_about", error=error.detail)
        return
    if portion.status is not OcrStatus.IN_PROGRESS:
        await record_end(tools, row, portion)
