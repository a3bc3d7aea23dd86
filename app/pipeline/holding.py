"""A job that a worker holds, and those of its moves that aren't written down yet.

Stages of a short document follow each other within milliseconds. A move that leaves the job in this worker's hands is kept
for a moment, and written with the next ones in one statement. Nobody else moves a job that is held, so all that is lost
with a worker that dies is how far the job had come within that moment: its stages are run again from the one that is written.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import at_hand
from app.db import one_statement
from app.errors import DatabaseUnavailable, InternalError, LeaseLost, QuireError
from app.events import EventDraft
from app.jobs import repository
from app.jobs.models import Job
from app.jobs.statements import EarlierMove, event_row
from app.jobs.states import JobState, Stage
from app.pipeline.outcome import Tools
from app.pipeline.recording import move, recorded

log = structlog.get_logger(__name__)

KEPT_SECONDS = 1.0
"""How long a move is kept at most: most one-page documents are done by then, also while many are at work, and somebody who
watches a longer one sees it move every second."""

NEWS = ("last_event_number", "cancel_requested_at", "priority")
"""What others may have changed of a job that is held, and its next stage wants to know."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A move that was made, and is to be written."""

    event: EventDraft
    stage: Stage
    attempts: int
    state: JobState = JobState.WORKING
    at: float = field(default_factory=time.monotonic)
    told: dict[str, Any] = field(init=False)
    """As it is to be written, for whom what happened then was done."""

    def __post_init__(self) -> None:
        where = {"stage": self.stage, "state": self.state, "attempts": self.attempts}
        row = event_row(self.event)
        object.__setattr__(self, "told", row | {"payload": where | row["payload"]})

    @property
    def seconds_ago(self) -> float:
        """How long ago it was made: the database's clock says when that was."""
        return time.monotonic() - self.at

    def before_another(self) -> EarlierMove:
        """The same, for who writes it together with the move after it."""
        return EarlierMove(self.told, self.seconds_ago)


@dataclass(slots=True, eq=False)
class Holding:
    """One claim of a job. One write at a time: a moment that is over and the next move never interleave."""

    tools: Tools
    job: Job
    """As it is, with the moves that are kept."""
    _stage: Stage = field(init=False)
    """Where the database has it."""
    _kept: list[Kept] = field(default_factory=list)
    _changes: dict[str, Any] = field(default_factory=dict)
    _once_written: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _moment: asyncio.Task[None] | None = None
    _lost: QuireError | None = None

    def __post_init__(self) -> None:
        self._stage = self.job.stage

    async def go_on(
        self,
        event: EventDraft,
        once_written: Callable[[], Awaitable[None]] | None = None,
        *,
        stage: Stage,
        **changes: Any,
    ) -> None:
        """Come to another stage, under the same claim. Raises `LeaseLost` and its like where that is known to be over."""
        async with self._lock:
            self._check()
            if stage is self._stage:  # back: written twice, it could not be told from once
                await self._write()
            values = {"stage": stage, **changes}
            for name, value in values.items():
                setattr(self.job, name, value)
            self._changes |= values
            self._kept.append(Kept(event, stage, self.job.attempts))
            if once_written is not None:
                self._once_written.append(once_written)
            if self._moment is None:
                self._moment = asyncio.create_task(self._write_soon())

    async def write(self) -> None:
        """Have all moves written, before something else is that comes after them.

        Raises `LeaseLost` and its like, and `DatabaseUnavailable` while Postgres stays away.
        """
        async with self._lock:
            self._check()
            await self._write()

    async def end(
        self,
        state: JobState,
        event: EventDraft,
        once_written: Callable[[], Awaitable[None]] | None = None,
        **changes: Any,
    ) -> Job | None:
        """Let go of the job, by a move to another state, with all that was kept; None where Postgres stays away."""
        async with self._lock:
            self._check()
            if once_written is not None:
                self._once_written.append(once_written)
            earlier = [kept.before_another() for kept in self._kept]
            moved = await self._move(state, event, earlier=earlier, **(self._changes | changes))
            if moved is None:
                return None
            self.job, self._stage = moved, moved.stage
            await self._is_written()
            return moved

    async def let_go(self) -> None:
        """Nothing more is written."""
        if (moment := self._moment) is not None:
            self._moment = None
            moment.cancel()
            await asyncio.gather(moment, return_exceptions=True)

    async def _write_soon(self) -> None:
        await asyncio.sleep(KEPT_SECONDS)
        async with self._lock:
            self._moment = None
            try:
                await self._write()
            except DatabaseUnavailable:
                pass  # what is kept is written with the next move
            except QuireError as error:
                log.info("moves_not_written", job_id=str(self.job.id), error=error.detail)
                self._lost = error

    async def _write(self) -> None:
        if not self._kept:
            return
        *before, last = self._kept
        earlier = [kept.before_another() for kept in before]
        moved = await self._move(
            JobState.WORKING, last.event, earlier=earlier, seconds_ago=last.seconds_ago, **self._changes
        )
        if moved is None:
            raise DatabaseUnavailable
        self._stage = moved.stage
        for name in NEWS:
            setattr(self.job, name, getattr(moved, name))
        await self._is_written()

    async def _move(self, state: JobState, event: EventDraft, **said: Any) -> Job | None:
        try:
            return await move(self.tools, self.job, state, event, at_stage=self._stage, **said)
        except InternalError:
            if self._kept:
                await self._go_back()
            raise

    async def _go_back(self) -> None:
        """Moves that Postgres refuses weren't made: the job is where it was written last."""

        async def look() -> Job:
            async with one_statement(self.tools.sessions) as session:
                return await repository.find(session, self.job.id)

        there = await recorded(look)
        if there is None or there.fence != self.job.fence:
            raise LeaseLost
        for column in repository.jobs.columns:
            setattr(self.job, column.name, getattr(there, column.name))
        self._kept.clear()
        self._changes.clear()
        self._once_written.clear()

    async def _is_written(self) -> None:
        self._kept.clear()
        self._changes.clear()
        if self._moment is not None and self._moment is not asyncio.current_task():
            self._moment.cancel()
        self._moment = None
        then, self._once_written = self._once_written, []
        for each in then:
            try:
                await each()
            except (SQLAlchemyError, OSError) as error:
                log.warning("not_told_of_move", job_id=str(self.job.id), stage=self._stage, error=str(error))

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost


async def written(job: Job) -> None:
    """Have the moves of a job written which this task holds: what a stage is about to write comes after them."""
    if (holding := at_hand.find(job.id, Holding)) is not None:
        await holding.write()
