"""Lists of jobs, newest first, each read from indexes however few of a project's jobs are asked for. Nothing here commits.

What is asked for is a few states, stages and priorities: each combination is one place of the index `ix_jobs_listed`,
where its newest jobs stand in order. So the cost follows the combinations and the length of the list, and not the
number of jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, column, false, select, text, true, tuple_, values
from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.models import Job
from app.jobs.repository import jobs
from app.jobs.states import JobState, Priority, Stage


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: after a row of this moment and id."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; what is None or empty keeps none out. Moments are from, and before."""

    states: Sequence[JobState] = ()
    stages: Sequence[Stage] = ()
    codes: Sequence[str] = ()
    priorities: Sequence[Priority] = ()
    batch_id: UUID | None = None
    document_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    finished_from: datetime | None = None
    finished_to: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a row has to fulfil."""
        columns, found = jobs.c, list[ColumnElement[bool]]()
        for several, members in (
            (columns.state, self.states),
            (columns.stage, self.stages),
            (columns.error_code, self.codes),
            (columns.priority, self.priorities),
        ):
            if members:
                found.append(several.in_(members))
        for one, value in ((columns.batch_id, self.batch_id), (columns.document_id, self.document_id)):
            if value is not None:
                found.append(one == value)
        for moment, since, until in (
            (columns.created_at, self.created_from, self.created_to),
            (columns.finished_at, self.finished_from, self.finished_to),
        ):
            found += [moment >= since] if since is not None else []
            found += [moment < until] if until is not None else []
        return found

    def places(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The columns that lead to what is wanted, and every combination of their values; none, where others lead there."""
        states = self.states or tuple(JobState)
        if self.batch_id or self.document_id or self.finished_from or self.finished_to:
            return (), ()
        if self.codes:
            return ("error_code", "state"), list(product(self.codes, states))
        if not (self.states or self.stages or self.priorities):
            return (), ()
        stages, priorities = self.stages or tuple(Stage), self.priorities or tuple(Priority)
        every = product(states, stages, priorities)
        # What is done is finalized, and nothing else is: the table has a CHECK of the one, and the pipeline sees to the other.
        there = [each for each in every if each[0] is not JobState.DONE or each[1] is Stage.FINALIZED]
        return ("state", "stage", "priority"), there


async def list_jobs(
    session: AsyncSession, project_id: UUID, wanted: JobFilter, *, before: Place | None, limit: int
) -> list[Job]:
    """Jobs of a project, the newest first."""
    return [Job.of(row) for row in await session.execute(listed(project_id, wanted, before, limit))]


def listed(project_id: UUID, wanted: JobFilter, before: Place | None, limit: int) -> Select[Any]:
    """The statement of a list."""
    found = keys_of(project_id, wanted, before, limit).subquery("found")
    query = select(jobs).join(found, jobs.c.id == found.c.id)
    return query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc())


def keys_of(
    project_id: UUID, wanted: JobFilter, before: Place | None, limit: int, *more: ColumnElement[bool]
) -> Select[Any]:
    """The ids and moments of the jobs of a list, in order; `more` is what else they have to fulfil."""
    own = [jobs.c.project_id == project_id, *wanted.conditions(), *more]
    if before is not None:
        own.append(tuple_(jobs.c.created_at, jobs.c.id) < tuple_(before.created_at, before.id))
    keys = select(jobs.c.id, jobs.c.created_at).where(*own)
    names, places = wanted.places()
    if not places:
        nothing = (false(),) if names else ()
        return keys.where(*nothing).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
    each = values(*(column(name, Text) for name in names), name="place").data([tuple(map(str, one)) for one in places])
    here = keys.where(*(jobs.c[name] == each.c[name] for name in names))
    newest = here.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit).lateral("newest")
    query = select(newest.c.id, newest.c.created_at).select_from(each.join(newest, true()))
    return query.order_by(newest.c.created_at.desc(), newest.c.id.desc()).limit(limit)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The jobs of a project that were given up with one code."""

    code: str
    count: int
    first_at: datetime
    last_at: datetime
    message: str
    """What the latest one says."""
    retryable: bool


async def dead_letters(session: AsyncSession, project_id: UUID) -> list[DeadLetters]:
    """The jobs of a project that were given up, by code, the most frequent first."""
    rows = await session.execute(_DEAD_LETTERS, {"project": project_id})
    return [DeadLetters(**row._mapping) for row in rows]


_DEAD_LETTERS = text("""
    WITH counted AS (
        SELECT error_code AS code, count(*) AS count, min(finished_at) AS first_at, max(finished_at) AS last_at
        FROM jobs WHERE project_id = :project AND state = 'deadletter' AND error_code IS NOT NULL GROUP BY error_code
    )
    SELECT counted.*, coalesce(latest.error_message, '') AS message, coalesce(latest.error_retryable, false) AS retryable
    FROM counted CROSS JOIN LATERAL (
        SELECT error_message, error_retryable FROM jobs
        WHERE project_id = :project AND error_code = counted.code AND state = 'deadletter'
        ORDER BY created_at DESC, id DESC LIMIT 1
    ) latest ORDER BY counted.count DESC, code
""")
