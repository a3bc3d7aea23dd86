"""Tasks of the `ocr` queue."""

from uuid import UUID

from app.jobs.states import Stage
from workers.context import Context


async def validate_document(ctx: Context, job_id: str) -> None:
    """Check that a submitted document can be read."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.QUEUED)


async def start_textract_job(ctx: Context, job_id: str) -> None:
    """Have Textract start reading a document."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.JOB_VALIDATED)


async def collect_textract_result(ctx: Context, job_id: str) -> None:
    """Fetch what Textract has read."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.PARSING)
