"""The slots of jobs that are cancelled: free at once, for the concurrency that is counted is ours.

Textract has no way to stop a job. It goes on there, and is asked about now and then, since what it costs is known only
when it has ended; a retry takes it up again. Should the engine find that more run than may, it says so, and who comes
then waits: no attempt is lost.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.models import Job
from app.jobs.states import Stage
from app.jobs.textract_jobs import member_of
from app.ocr.pacing import Lane, Pacer

HOLDING = frozenset({Stage.JOB_VALIDATED, Stage.PARSING})
"""The stages at which a job may hold slots."""


async def let_go(session: AsyncSession, job: Job) -> None:
    """Write down that a job's OCR jobs hold no slots any more. Doesn't commit."""
    if job.stage in HOLDING:
        await session.execute(_LET_GO, {"ids": [job.id]})


async def take_back(session: AsyncSession, jobs: Collection[Job]) -> None:
    """Have the OCR jobs of jobs that run again count again. Doesn't commit."""
    ids = [job.id for job in jobs if job.stage in HOLDING]
    if ids:
        await session.execute(TAKE_BACK, {"ids": ids})


@dataclass(frozen=True, slots=True)
class Slots:
    """Frees slots, after what makes them free is committed."""

    pacer: Pacer
    lanes: Collection[Lane]

    async def free(self, job: Job) -> None:
        """Give back all that a job may hold. Never fails: without Redis, the count is put right by what Postgres knows."""
        if job.stage not in HOLDING:
            return
        for lane in (lane for lane in self.lanes if lane.operation is job.operation):
            for part in range(1, max(1, len(job.parts)) + 1):
                await self.pacer.release(lane, member_of(job.id, part))


_IDS = bindparam("ids", type_=ARRAY(Uuid()))
_LET_GO = text("""
    UPDATE textract_jobs SET let_go_at = now()
    WHERE job_id = ANY(:ids) AND status IN ('STARTING', 'IN_PROGRESS') AND let_go_at IS NULL
""").bindparams(_IDS)
TAKE_BACK = text("""
    UPDATE textract_jobs SET let_go_at = NULL WHERE job_id = ANY(:ids) AND let_go_at IS NOT NULL
""").bindparams(_IDS)
