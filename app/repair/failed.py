"""Jobs that were given up, to be tried again."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import text

from app.db import Sessions
from app.jobs.many import Again, retry_some
from app.repair.defect import AT_ONCE, Defect, Kind
from app.repair.paging import pages


class Failed(StrEnum):
    """Which of the jobs that were given up are tried again."""

    RETRYABLE = "retryable"
    """Those that trying again can help."""
    ALL = "all"
    NONE = "none"


async def failed(sessions: Sessions, which: Failed) -> AsyncGenerator[Defect, None]:
    """Documents whose newest job was given up."""
    if which is Failed.NONE:
        return
    async for rows in pages(sessions, _FAILED, every=which is Failed.ALL):
        for row in rows:
            detail = f"document {row.document_id}: given up at {row.stage}: {row.error_message} [{row.error_code}]"
            remedy = "it is tried again, from the stage that failed"
            yield Defect(Kind.FAILED, f"job {row.id}", detail, remedy, partial(_retry, sessions, row))


async def _retry(sessions: Sessions, row: Any) -> None:
    async with sessions.begin() as session:
        await retry_some(session, row.project_id, Again(ids=[row.id]), ended_before=datetime.now(UTC), limit=1)


_FAILED = text(f"""
    SELECT id, project_id, document_id, stage, error_code, error_message
    FROM jobs WHERE id > :after AND state = 'deadletter' AND (:every OR error_retryable) AND NOT EXISTS (
        SELECT 1 FROM jobs newer WHERE newer.document_id = jobs.document_id AND newer.created_at > jobs.created_at)
    ORDER BY id LIMIT {AT_ONCE}
""")  # noqa: S608 (no outside text)
