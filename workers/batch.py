"""The task of the `batch` queues."""

from uuid import UUID

from workers.context import Context


async def take_batch(ctx: Context, batch_id: str) -> None:
    """Take a batch apart: make a job of each of its documents."""
    await ctx["taking"].take(UUID(batch_id))
