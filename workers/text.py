"""Tasks of the `text` queue."""

from uuid import UUID

from app.jobs.states import Stage
from workers.context import Context


async def validate_parse(ctx: Context, job_id: str) -> None:
    """Check that what was read adds up."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.PARSED)
