"""Which run of a document is shown, and what becomes of the others. Nothing here commits."""

from collections.abc import Collection
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.models import Job
from app.jobs.repository import jobs
from app.jobs.states import TERMINAL_STATES, JobState
from app.jobs.steps import ENDS, Step, stages_from

MADE_BY: dict[Step, str] = {
    Step.CHUNKING: "document_chunks",
    Step.ENTITIES: "entity_mentions",
    Step.RELATIONSHIPS: "relationships",
}
"""The tables that steps fill, by job."""


async def newest_with(session: AsyncSession, document_id: UUID, steps: Collection[Step]) -> Job | None:
    """The newest run of a document in which all of some steps have been done."""
    row = (await session.execute(_newest_with(frozenset(steps)), {"document": document_id})).one_or_none()
    return None if row is None else Job.of(row)


async def publish(session: AsyncSession, job: Job, steps: Collection[Step]) -> list[UUID]:
    """Have the project see what a run has made, in place of what earlier runs of the document had made by those steps.

    Returns the entities that what was taken away had spoken of.
    """
    told = _told(job)
    left: list[UUID] = []
    if Step.ENTITIES in steps:
        left += await session.scalars(_ENTITIES_OF_EARLIER, told)
        await session.execute(_FORGET_MERGES, told)
    for step, table in MADE_BY.items():
        if step in steps:
            await session.execute(_FORGET[table], told)
    await session.execute(update(jobs).where(jobs.c.id == job.id).values(published=True))
    return left


def done(step: Step) -> ColumnElement[bool]:
    """The condition that a job's row has a step behind it, and did not leave it out."""
    options: Any = jobs.c.options
    condition: ColumnElement[bool] = jobs.c.stage.in_(stages_from(ENDS[step]))
    if step in {Step.OCR, Step.FINALIZATION}:
        return condition
    condition &= options["stages"].astext.is_(None) | options["stages"].has_key(step.value)
    if step is Step.RESOLUTION:
        condition &= options["entity_resolution"].astext.is_distinct_from("false")
    return condition


def _told(job: Job) -> dict[str, Any]:
    return {"job": job.id, "document": job.document_id, "created": job.created_at}


@cache
def _newest_with(steps: frozenset[Step]) -> Any:
    condition: ColumnElement[bool] = true()
    for step in sorted(steps):
        condition &= done(step)
    query = select(jobs).where(jobs.c.document_id == bindparam("document"), condition)
    return query.order_by(jobs.c.created_at.desc()).limit(1)


_ENDED = ", ".join(f"'{state}'" for state in JobState if state in TERMINAL_STATES)
EARLIER = f"""
    SELECT id FROM jobs
    WHERE document_id = :document AND id <> :job AND created_at < :created AND state IN ({_ENDED})
"""  # noqa: S608 (states of ours)
"""The runs of a document that ended before one of it (`job`, `document`, `created`) began."""


def _of_earlier(statement: str) -> Any:
    """A statement about what the runs before this one had made; those that still run are left alone."""
    return text(statement.replace("EARLIER", EARLIER)).bindparams(
        bindparam("job", type_=jobs.c.id.type),
        bindparam("document", type_=jobs.c.id.type),
        bindparam("created", type_=jobs.c.created_at.type),
    )


_ENTITIES_OF_EARLIER = _of_earlier(
    """
    SELECT DISTINCT entity_id FROM entity_mentions WHERE job_id IN (EARLIER) AND entity_id IS NOT NULL
    UNION SELECT source_id FROM relationships WHERE job_id IN (EARLIER)
    UNION SELECT target_id FROM relationships WHERE job_id IN (EARLIER)
    """
)
_FORGET = {table: _of_earlier(f"DELETE FROM {table} WHERE job_id IN (EARLIER)") for table in MADE_BY.values()}  # noqa: S608 (names of ours)
# What was undone stays known: the same names are not taken for the same again.
_FORGET_MERGES = _of_earlier("DELETE FROM entity_merges WHERE job_id IN (EARLIER) AND undone_at IS NULL")
