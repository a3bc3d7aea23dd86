"""OCR jobs that run on for jobs that were cancelled, given up or deleted: asked about now and then, for their slots' sake."""

import structlog

from app.errors import OcrJobLost, QuireError
from app.jobs import textract_jobs
from app.jobs.models import TextractJob, TextractJobStatus
from app.jobs.textract_jobs import RESULTS_KEPT
from app.ocr.engine import OcrStatus
from app.ocr.pacing import Lane
from app.pipeline.outcome import Tools
from app.pipeline.polling import record_end

log = structlog.get_logger(__name__)

AT_A_TIME = 5
ABANDONED_SECONDS = 10.0
"""How often some are asked about."""


async def ask_about_abandoned(tools: Tools) -> None:
    """Ask about a few OCR jobs that nobody waits for, as far as the Get budget has something to spare.

    Their slots are taken until they end, and what they cost is known only then.
    """
    async with tools.sessions() as session:
        rows = await textract_jobs.abandoned(session, within=RESULTS_KEPT, limit=AT_A_TIME)
    for row in rows:
        lane = Lane(row.engine, row.operation)
        if lane.engine in tools.ocr.engines and not await tools.ocr.pacer.gets(lane, 1):
            continue
        await _ask(row, lane, tools)


async def _ask(row: TextractJob, lane: Lane, tools: Tools) -> None:
    try:
        portion = await tools.ocr.ask(lane, row.textract_job_id or "")
    except OcrJobLost as error:
        async with tools.sessions.begin() as session:
            await textract_jobs.end(session, row, TextractJobStatus.LOST, pages=None, message=error.detail)
        return
    except QuireError as error:
        log.info("abandoned_job_not_asked_about", error=error.detail)
        return
    if portion.status is not OcrStatus.IN_PROGRESS:
        await record_end(tools, row, portion)
