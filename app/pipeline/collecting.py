"""`collect_textract_result`: fetch what an engine has read, from all parts of a document, as one result."""

import zlib

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.db import one_statement
from app.errors import OcrJobLost
from app.jobs import textract_jobs
from app.jobs.models import Job, TextractJob, TextractJobStatus
from app.ocr.engine import OcrStatus, PageWarning, ResultPart
from app.ocr.pacing import Lane
from app.pipeline.collection import Collection, collecting
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.parts import delete_parts
from app.pipeline.reuse import result_key

log = structlog.get_logger(__name__)

PORTION_KEPT_SECONDS = 900
LARGEST_PORTION_BYTES = 1024 * 1024
PART_FAILED = "PART_FAILED"


async def collect_textract_result(job: Job, tools: Tools) -> Outcome:
    """Fetch an ended job's whole result. Raises `OcrJobLost` where the engine no longer has it."""
    async with one_statement(tools.sessions) as session:
        ever = await textract_jobs.ever_of_job(session, job.id)
    rows = list(textract_jobs.in_force(ever).values())
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
                async with one_statement(tools.sessions) as session:
                    await textract_jobs.end(session, row, TextractJobStatus.LOST, pages=None, message=error.detail)
                raise
        await collection.finish()
    await delete_parts(job, tools)
    return Outcome(
        changes={
            "result_key": result_key(job),
            "textract_page_count": collection.page_count,
            "pages_done": collection.pages_done,
            "cost_microdollars": sum(row.cost_microdollars for row in ever),
        },
        details={"pages": collection.page_count, "failed_pages": collection.failed_pages},
    )


async def _collect_part(row: TextractJob, collection: Collection, tools: Tools) -> None:
    if row.status is TextractJobStatus.FAILED:
        collection.lose(row.first_page, row.page_count or 0, PART_FAILED)
        return
    textract_job_id = row.textract_job_id or ""
    first = await kept_portion(tools.redis, textract_job_id)
    gets = 0
    async for portion in tools.ocr.result(Lane(row.engine, row.operation), textract_job_id, first):
        gets += portion is not first
        if portion.status not in {OcrStatus.SUCCEEDED, OcrStatus.PARTIAL_SUCCESS}:
            raise OcrJobLost(f"The engine said that its job had ended, and now that it is {portion.status}.")
        await collection.add(portion, first_page=row.first_page)
    if gets:
        async with one_statement(tools.sessions) as session:
            await textract_jobs.count_gets(session, {row.id: gets})


def _key(textract_job_id: str) -> str:
    return f"job:textract:result:{textract_job_id}"


async def keep_portion(redis: Redis, textract_job_id: str, portion: ResultPart) -> None:
    """Keep the first portion of a result, which came with the news of its end, for the task that collects it.

    A cache: where it is lost, the portion is asked for once more.
    """
    told = {
        "status": portion.status,
        "blocks": portion.blocks,
        "page_count": portion.page_count,
        "model_version": portion.model_version,
        "message": portion.message,
        "warnings": [[warning.code, list(warning.pages)] for warning in portion.warnings],
        "next_token": portion.next_token,
    }
    packed = zlib.compress(orjson.dumps(told), 1)
    if len(packed) > LARGEST_PORTION_BYTES:
        return
    try:
        await redis.set(_key(textract_job_id), packed, ex=PORTION_KEPT_SECONDS)
    except (RedisError, OSError) as error:
        log.info("portion_not_kept", error=str(error))


async def kept_portion(redis: Redis, textract_job_id: str) -> ResultPart | None:
    """The first portion of a result, where it was kept."""
    try:
        packed = await redis.getdel(_key(textract_job_id))
        told = None if packed is None else orjson.loads(zlib.decompress(packed))
    except (RedisError, OSError, zlib.error, orjson.JSONDecodeError) as error:
        log.info("portion_not_kept", error=str(error))
        return None
    if told is None:
        return None
    warnings = tuple(PageWarning(code, tuple(pages)) for code, pages in told.pop("warnings"))
    return ResultPart(**{**told, "status": OcrStatus(told["status"]), "warnings": warnings})
