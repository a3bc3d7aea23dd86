"""Writing down what came of work: tried for some seconds while Postgres is away, for the work itself is done."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.db import is_away
from app.errors import InternalError
from app.jobs.models import Job

log = structlog.get_logger(__name__)

RECORD_TRIES = 8
"""How often an outcome is written again while Postgres is away: for about ten seconds, half a lease."""


async def recorded(write: Callable[[], Awaitable[Job | None]]) -> Job | None:
    """What a write returns; None when Postgres stays away, and the lease will speak.

    Raises `InternalError` for a write that Postgres refuses.
    """
    for attempt in range(RECORD_TRIES):
        try:
            return await write()
        except (SQLAlchemyError, OSError) as error:
            if not is_away(error):
                log.exception("write_refused")
                raise InternalError("What came of the stage can't be written down.") from error
            log.warning("postgres_away", attempt=attempt, error=str(error))
            await asyncio.sleep(min(0.1 * 2**attempt, 3))
    return None
