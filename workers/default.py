"""Tasks of the `default` queue."""

from uuid import UUID

from app.jobs.states import Stage
from workers.context import Context


async def finalize_document(ctx: Context, job_id: str) -> None:
    """Bring a document's job to its end."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.RELATIONSHIPS_BUILT)
