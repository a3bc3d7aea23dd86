"""How OCR jobs end: written down, counted, told to the engine's breaker, and their slots freed."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.db import one_statement
from app.errors import OcrJobLost, OcrTimeout
from app.jobs import textract_jobs
from app.jobs.models import TextractJob, TextractJobStatus
from app.jobs.textract_jobs import member_of
from app.ocr.engine import ResultPart
from app.ocr.pacing import Lane
from app.pipeline.outcome import Tools


async def record_end(tools: Tools, row: TextractJob, portion: ResultPart, *, seconds_ago: float = 0.0) -> None:
    """Write down how an engine says that an OCR job has ended, for as long as we were late to ask."""
    status, pages = TextractJobStatus(portion.status), portion.page_count or None
    async with one_statement(tools.sessions) as session:
        await textract_jobs.end(session, row, status, pages=pages, message=portion.message, seconds_ago=seconds_ago)
    row.status, row.message = status, portion.message
    row.page_count = pages or row.page_count
    row.cost_microdollars = row.cost_microdollars if pages is None else pages * row.price_microdollars
    await _release(tools, row)
    await tools.ocr.ended(Lane(row.engine, row.operation))
    _count(tools, row, portion.status, pages=row.page_count or 0)


async def record_lost(tools: Tools, row: TextractJob, error: OcrJobLost) -> None:
    """Write down that an engine doesn't know an OCR job any more."""
    async with one_statement(tools.sessions) as session:
        await textract_jobs.end(session, row, TextractJobStatus.LOST, pages=None, message=error.detail)
    await _release(tools, row)
    _count(tools, row, error.code)


async def record_timeout(tools: Tools, rows: Sequence[TextractJob]) -> OcrTimeout:
    """Take down that a job's OCR jobs did not end in their time; they run on, and may be asked about again."""
    error = OcrTimeout()
    for row in rows:
        _count(tools, row, error.code)
    for lane in {Lane(row.engine, row.operation) for row in rows}:
        await tools.ocr.timed_out(lane)
    return error


async def _release(tools: Tools, row: TextractJob) -> None:
    if row.job_id is not None and row.engine in tools.ocr.engines:
        await tools.ocr.pacer.release(Lane(row.engine, row.operation), member_of(row.job_id, row.part))


def _count(tools: Tools, row: TextractJob, status: str, *, pages: int = 0) -> None:
    seconds = (datetime.now(UTC) - (row.started_at or row.created_at)).total_seconds()
    tools.ocr.telemetry.job_ended(row.engine, row.operation, status, seconds=seconds, pages=pages, gets=row.gets + 1)
