"""Tasks of the `graph` queue."""

from uuid import UUID

from app.jobs.states import Stage
from workers.context import Context


async def build_relationships(ctx: Context, job_id: str) -> None:
    """Find out how what a document names is related."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.ENTITIES_RESOLVED)
