"""Tasks of the `text` queue."""

from uuid import UUID

from app.jobs.states import Stage
from workers.context import Context


async def validate_parse(ctx: Context, job_id: str) -> None:
    """Check that what was read adds up."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.PARSED)


async def chunk_document(ctx: Context, job_id: str) -> None:
    """Cut a document's text into chunks."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.PARSE_VALIDATED)


async def embed_chunks(ctx: Context, job_id: str) -> None:
    """Make the vectors of a document's chunks."""
    await ctx["pipeline"].advance(UUID(job_id), Stage.CHUNKS_BUFFERED)
