"""`collect_textract_result`: fetch what an engine has read, from all parts of a document, as one result."""

from app import at_hand
from app.db import one_statement
from app.errors import OcrJobLost
from app.jobs import textract_jobs
from app.jobs.models import Job, TextractJob, TextractJobStatus
from app.jobs.textract_jobs import EverOfJob
from app.ocr.engine import OcrStatus
from app.ocr.pacing import Lane
from app.pipeline.collection import Collection, collecting
from app.pipeline.ends import record_lost
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.parts import delete_parts
from app.pipeline.reuse import result_key

PART_FAILED = "PART_FAILED"


async def collect_textract_result(job: Job, tools: Tools) -> Outcome:
    """Fetch an ended job's whole result. Raises `OcrJobLost` where the engine no longer has it."""
    ever = await _ever(job, tools)
    rows = ever.in_force
    if len(rows) < max(1, len(job.parts)):
        raise OcrJobLost
    status = OcrStatus(job.textract_job_status or OcrStatus.SUCCEEDED)
    pages = sum(row.page_count or 0 for row in rows)
    async with collecting(job, tools, rows[0].operation, status, pages) as collection:
        for row in rows:
            try:
                await _collect_part(row, collection, tools)
            except OcrJobLost as error:
                # This one is started anew, and the other parts' stand.
                await record_lost(tools, row, error)
                raise
        await collection.finish()
    await delete_parts(job, tools)
    return Outcome(
        changes={
            "result_key": result_key(job),
            "textract_page_count": collection.page_count,
            "pages_done": collection.pages_done,
            "cost_microdollars": sum(row.cost_microdollars for row in ever.rows),
        },
        details={"pages": collection.page_count, "failed_pages": collection.failed_pages},
    )


async def _ever(job: Job, tools: Tools) -> EverOfJob:
    """The job's OCR jobs: as they are at hand, where this task has just asked about them."""
    if (ever := at_hand.find(job.id, EverOfJob)) is not None:
        return ever
    async with one_statement(tools.sessions) as session:
        return await textract_jobs.ever_of_job(session, job.id)


async def _collect_part(row: TextractJob, collection: Collection, tools: Tools) -> None:
    if row.status is TextractJobStatus.FAILED:
        collection.lose(row.first_page, row.page_count or 0, PART_FAILED)
        return
    textract_job_id = row.textract_job_id or ""
    first = await tools.portions.take(textract_job_id)
    gets = 0
    async for portion in tools.ocr.result(Lane(row.engine, row.operation), textract_job_id, first):
        gets += portion is not first
        if portion.status not in {OcrStatus.SUCCEEDED, OcrStatus.PARTIAL_SUCCESS}:
            raise OcrJobLost(f"The engine said that its job had ended, and now that it is {portion.status}.")
        await collection.add(portion, first_page=row.first_page)
    if gets:
        async with one_statement(tools.sessions) as session:
            await textract_jobs.count_gets(session, {row.id: gets})
