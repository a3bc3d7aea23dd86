"""Tasks of the `entity` queue."""

from uuid import UUID

from app.jobs.states import Stage
from workers.context import Context


async def extract_entities(ctx: Context, job_id: str) -> None:
    """Find what a document names."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.EMBEDDED)


async def resolve_entities(ctx: Context, job_id: str) -> None:
    """Find out which names mean the same."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.ENTITIES_EXTRACTED)
