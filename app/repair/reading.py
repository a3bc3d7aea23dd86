"""Jobs that nobody has looked at for too long, and documents whose results aren't whole any more."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Interval, bindparam, text

from app.db import Sessions
from app.jobs.repository import GIVEN_BACK, transition
from app.jobs.states import JobState
from app.jobs.steps import Step
from app.knowledge.reprocessing import Anew, Reprocessing
from app.repair.defect import AT_ONCE, Defect, Kind, note
from app.repair.paging import pages
from app.storage.s3 import Bucket

LATE = timedelta(minutes=5)
"""How long after its moment a job counts as forgotten; the sweep looks every second."""

HEADS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """Looks for reading that came to no end."""

    sessions: Sessions
    bucket: Bucket
    reprocessing: Reprocessing

    async def stuck(self) -> AsyncGenerator[Defect, None]:
        """Jobs whose worker is gone, and OCR jobs that nobody asks about, both for minutes."""
        async for rows in pages(self.sessions, _STUCK, late=LATE):
            for row in rows:
                yield self._stuck(row)

    def _stuck(self, row: Any) -> Defect:
        if row.state == JobState.WORKING:
            detail = f"document {row.document_id}: worker {row.claimed_by} hasn't been heard of since {row.since:%Y-%m-%d %H:%M} UTC"
            remedy, mend = "the job is given back, and taken up by another worker", partial(self._give_back, row)
        else:
            detail = f"document {row.document_id}: nobody has asked about Textract job {row.textract_job_id} since {row.since:%Y-%m-%d %H:%M} UTC"
            remedy, mend = "it is asked about now", partial(self._ask_again, row)
        return Defect(Kind.STUCK, f"job {row.id}", detail, remedy, mend)

    async def _give_back(self, row: Any) -> None:
        async with self.sessions.begin() as session:
            await transition(
                session, row.id, JobState.QUEUED, fence=row.fence, at_state=JobState.WORKING, event=GIVEN_BACK
            )

    async def _ask_again(self, row: Any) -> None:
        async with self.sessions.begin() as session:
            if (await session.execute(_ASK_AGAIN, {"job": row.id, "late": LATE})).one_or_none() is not None:
                await note(session, Kind.STUCK, row.project_id, row.document_id, job_id=str(row.id))

    async def results_lost(self) -> AsyncGenerator[Defect, None]:
        """Documents that are done, and whose newest run lacks pages, or its result in the bucket."""
        async for rows in pages(self.sessions, _DONE):
            missing = await self._missing([row.result_key for row in rows if row.result_key])
            for row in rows:
                if row.pages < (row.textract_page_count or 0):
                    yield self._lost(row, f"{row.pages} of {row.textract_page_count} pages are there")
                elif row.result_key is None or row.result_key in missing:
                    yield self._lost(row, f"{row.result_key or 'its result'} is not in the bucket")

    async def _missing(self, keys: list[str]) -> set[str]:
        turns = asyncio.Semaphore(HEADS_AT_ONCE)

        async def there(key: str) -> bool:
            async with turns:
                return await self.bucket.head(key) is not None

        found = await asyncio.gather(*(there(key) for key in keys))
        return {key for key, is_there in zip(keys, found, strict=True) if not is_there}

    def _lost(self, row: Any, detail: str) -> Defect:
        mend = partial(self._read_again, row.project_id, row.document_id, row.options)
        return Defect(Kind.RESULT_LOST, f"document {row.document_id}", detail, "it is read again, by a new job", mend)

    async def _read_again(self, project_id: UUID, document_id: UUID, options: dict[str, Any]) -> None:
        anew = Anew(Step.OCR, {**options, "force_reprocess": True})
        await self.reprocessing.reprocess(project_id, document_id, anew)


_STUCK = text(f"""
    SELECT id, project_id, document_id, state, claimed_by, fence, textract_job_id, coalesce(lease_until, next_attempt_at) AS since
    FROM jobs WHERE id > :after AND (
        (state = 'working' AND lease_until < now() - :late)
        OR (stage = 'parsing' AND state IN ('queued', 'retryable') AND next_attempt_at < now() - :late))
    ORDER BY id LIMIT {AT_ONCE}
""").bindparams(bindparam("late", type_=Interval))  # noqa: S608 (no outside text)

_ASK_AGAIN = text("""
    UPDATE jobs SET next_attempt_at = now(), rung_at = NULL, updated_at = now()
    WHERE id = :job AND stage = 'parsing' AND state IN ('queued', 'retryable') AND next_attempt_at < now() - :late
    RETURNING id
""").bindparams(bindparam("late", type_=Interval))

_DONE = text(f"""
    SELECT id, project_id, document_id, options, result_key, textract_page_count,
        (SELECT count(*) FROM pages WHERE pages.job_id = jobs.id) AS pages
    FROM jobs WHERE id > :after AND state = 'done' AND NOT EXISTS (
        SELECT 1 FROM jobs newer WHERE newer.document_id = jobs.document_id AND newer.created_at > jobs.created_at)
    ORDER BY id LIMIT {AT_ONCE}
""")  # noqa: S608 (no outside text)
