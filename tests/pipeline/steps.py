"""The steps of a job's way through the OCR stages, for tests that take them one at a time."""

import gzip
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import update

from app.db import table_of
from app.jobs.models import Job, TextractJob
from app.jobs.states import JobState, Stage
from app.jobs.steps import has_come_to
from app.ocr.engine import ReadRequest
from app.pipeline.tokens import content_key
from tests.bench import Bench
from tests.ocr.textract import FakeTextract


async def validated(bench: Bench, content: bytes | None = None, *, project: str = "default", **columns: Any) -> Job:
    """A job whose document was found to be sound, of one page where nothing else is said; nothing reads it yet."""
    document = await bench.rows.document(content, project=project)
    options = columns.pop("options", {})
    told = {"pages_total": 1, "options": options, "operation": ReadRequest.from_options(options).operation}
    told |= {"content_key": content_key(document, options), **columns}
    return await bench.rows.job(Stage.JOB_VALIDATED, document=document, **told)


async def due(bench: Bench, job: Job) -> Job:
    """Have a worker look at a job that waits for its time."""
    await bench.rows.change(job.id, next_attempt_at_in=timedelta(0))
    return await bench.advance(await bench.rows.find(job.id))


async def started(bench: Bench, content: bytes | None = None, **columns: Any) -> Job:
    """A job whose document an engine reads."""
    job = await bench.advance(await validated(bench, content, **columns))
    assert (job.stage, job.state, job.textract_job_status) == (Stage.PARSING, JobState.QUEUED, "IN_PROGRESS")
    return job


async def finished(bench: Bench, job: Job) -> Job:
    """A job that an engine reads, taken on as far as its OCR goes: collected, and checked."""
    job = await bench.advance(await bench.poll(job))
    assert job.stage is Stage.PARSED, job.error_message
    job = await bench.advance(job)
    assert has_come_to(job.stage, Stage.PARSE_VALIDATED), job.error_message
    return job


async def gone_wrong(bench: Bench, job: Job) -> Job:
    """A job that was waited for too long."""
    await bench.rows.change(job.id, textract_deadline_in=-timedelta(seconds=1))
    job = await bench.poll(job)
    assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_timeout")
    return job


async def change_textract_jobs(bench: Bench, job_id: UUID, **values: Any) -> None:
    """Change the OCR jobs of a job behind the back of the core."""
    async with bench.tools.sessions.begin() as session:
        await session.execute(update(table_of(TextractJob)).where(TextractJob.job_id == job_id).values(values))


async def raw_result(bench: Bench, job: Job) -> dict[str, Any]:
    """The stored result."""
    return dict(orjson.loads(await raw_bytes(bench, job)))


async def raw_bytes(bench: Bench, job: Job) -> bytes:
    """The stored result, as it was before it was compressed."""
    assert job.result_key is not None
    async with bench.tools.bucket.open(job.result_key) as stored:
        assert stored.content_encoding == "gzip"
        return gzip.decompress(b"".join([chunk async for chunk in stored]))


def starts(fake: FakeTextract) -> int:
    """How many Starts came, whatever became of them."""
    return sum(fake.starts.values())
