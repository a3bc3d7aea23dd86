"""The watch: what an operator has to be told of, looked for by every process, workers and API alike.

The sweep could not do it: it runs in workers, and the first thing to tell is that there are none.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts.models import AlertCode
from app.alerts.repository import clear_alert, clear_unseen, open_subjects, raise_alert
from app.db import Sessions, one_statement
from app.events import Severity
from app.jobs.presence import served
from app.ocr.breaker import BreakerState
from app.ocr.circuit import Position
from app.ocr.engine import EngineName

WATCH_SECONDS = 2.0
"""How often it looks."""

UNSEEN = timedelta(seconds=20)
"""After how long an alert is over that nobody finds to be so any more. While Redis is away, processes differ over engines."""

UNASKED = timedelta(minutes=10)
"""How long an unserved queue stays an alert after its work has gone elsewhere: somebody wanted it, and was refused."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One process's watch."""

    sessions: Sessions
    stages: Mapping[str, Sequence[str]]
    """The stages whose tasks run on each queue."""
    engines: Callable[[], Awaitable[Mapping[EngineName, BreakerState]]]
    """How the engines' breakers stand."""
    patience: timedelta
    """How long a queue may have work and no worker."""
    has_budget: bool
    """Whether there is a limit to what a project may spend on a day."""
    missing_since: dict[str, float] = field(default_factory=dict)
    """Since when queues have work and no worker."""

    async def look(self) -> None:
        """Raise the alerts of what is so now, and clear those of what isn't any more."""
        await self._look_at_queues()
        await self._look_at_engines()
        if self.has_budget:
            await self._look_at_budgets()

    async def _look_at_queues(self) -> None:
        async with one_statement(self.sessions) as session:
            wanted = await queues_with_work(session, self.stages)
            open_now = await open_subjects(session, AlertCode.QUEUE_UNSERVED)
        if not wanted and not open_now:
            self.missing_since.clear()
            return
        at_work = await served(self.sessions)
        missing = self._missing(wanted - at_work.keys(), known=open_now)
        async with self.sessions.begin() as session:
            for queue in missing:
                await raise_alert(session, AlertCode.QUEUE_UNSERVED, queue, {"message": unserved(queue)})
            for queue in at_work.keys() & set(open_now):
                await clear_alert(session, AlertCode.QUEUE_UNSERVED, queue)
            await clear_unseen(session, AlertCode.QUEUE_UNSERVED, but_for=missing, after=UNASKED)

    def _missing(self, queues: set[str], *, known: Sequence[str]) -> list[str]:
        """Those of the unserved queues that have been so for longer than is borne, or are known to be so."""
        now = time.monotonic()
        for queue in self.missing_since.keys() - queues:
            del self.missing_since[queue]
        since = {queue: self.missing_since.setdefault(queue, now) for queue in queues}
        return sorted(
            queue for queue in queues if queue in known or now - since[queue] >= self.patience.total_seconds()
        )

    async def _look_at_engines(self) -> None:
        away = {name: state for name, state in (await self.engines()).items() if state.state is not Position.CLOSED}
        async with one_statement(self.sessions) as session:
            open_now = await open_subjects(session, AlertCode.ENGINE_AWAY)
        if not away and not open_now:
            return
        async with self.sessions.begin() as session:
            for name, state in away.items():
                said = {"message": f"The engine {name} is left alone, since it doesn't answer.", "reason": state.reason}
                await raise_alert(session, AlertCode.ENGINE_AWAY, name, said)
            await clear_unseen(session, AlertCode.ENGINE_AWAY, but_for=list(away), after=UNSEEN)

    async def _look_at_budgets(self) -> None:
        async with one_statement(self.sessions) as session:
            spent: Sequence[UUID] = (await session.scalars(_SPENT)).all()
        async with self.sessions.begin() as session:
            for project_id in spent:
                said = {"message": "The project has spent what it may on a day (UTC); its documents wait for the next."}
                subject, severity = str(project_id), Severity.WARNING
                await raise_alert(
                    session, AlertCode.BUDGET_SPENT, subject, said, severity=severity, project_id=project_id
                )
            but_for = [str(project_id) for project_id in spent]
            await clear_unseen(session, AlertCode.BUDGET_SPENT, but_for=but_for, after=UNSEEN)


def unserved(queue: str) -> str:
    """What an operator is told of a queue that nobody serves."""
    return f"The queue {queue} has work, and no live worker serves it; start one: quire worker --queues {queue}"


async def queues_with_work(session: AsyncSession, stages: Mapping[str, Sequence[str]]) -> set[str]:
    """The queues that somebody should serve now: with due jobs, jobs that nobody holds any more, or batches to take."""
    pairs = [(queue, stage) for queue, its_stages in stages.items() for stage in its_stages]
    told = {"queues": [queue for queue, _ in pairs], "stages": [stage for _, stage in pairs]}
    return set((await session.scalars(_WITH_WORK, told)).all())


_WITH_WORK = text("""
    SELECT of.queue FROM unnest(:queues, :stages) AS of(queue, stage)
    WHERE EXISTS (SELECT 1 FROM jobs WHERE stage = of.stage AND state IN ('queued', 'retryable')
                  AND next_attempt_at <= now())
       OR EXISTS (SELECT 1 FROM jobs WHERE stage = of.stage AND state = 'working' AND lease_until < now())
    UNION
    SELECT 'batch.' || batches.priority FROM batches
    WHERE state IN ('queued', 'working') AND EXISTS (
        SELECT 1 FROM batch_items WHERE batch_id = batches.id AND status = 'waiting')
""").bindparams(bindparam("queues", type_=ARRAY(TEXT)), bindparam("stages", type_=ARRAY(TEXT)))

# Of the projects that have spent something today: whether any of a few jobs that wait does so for the next day.
_SPENT = text("""
    SELECT DISTINCT spender.project_id FROM (
        SELECT project_id FROM textract_jobs
        WHERE created_at >= date_trunc('day', now(), 'UTC') GROUP BY project_id HAVING sum(cost_microdollars) > 0
    ) spender
    CROSS JOIN LATERAL (
        SELECT id, last_event_number FROM jobs
        WHERE project_id = spender.project_id AND stage = 'job_validated' AND state IN ('queued', 'retryable')
          AND next_attempt_at > now() ORDER BY created_at LIMIT 20
    ) waiting
    JOIN events ON events.job_id = waiting.id AND events.number = waiting.last_event_number
    WHERE events.code = 'daily_cost_reached'
""")
