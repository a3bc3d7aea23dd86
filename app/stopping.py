"""Ending tasks that run for as long as their process."""

import asyncio
from collections.abc import Iterable

import structlog

log = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS = 1.0


async def end(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Cancel tasks until they have ended; what they raise at their end is of no interest any more.

    Once is not enough: a library that is cancelled in the middle of a statement may report it as a broken connection,
    and a loop that outlives broken connections then goes on.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        ended, pending = await asyncio.wait(pending, timeout=ASK_AGAIN_SECONDS)
        for task in ended:
            if not task.cancelled() and (error := task.exception()):
                log.warning("task_ended_badly", error=str(error))
