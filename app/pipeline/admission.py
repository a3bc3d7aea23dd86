"""Admission: which waiting documents may have their OCR jobs started now, in priority order, by slots and by pace."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.jobs import backlog, textract_jobs
from app.jobs.backlog import WaitingStart
from app.jobs.textract_jobs import RESULTS_KEPT, member_of
from app.ocr.breaker import BreakerState, Position
from app.ocr.engine import EngineName
from app.ocr.pacing import Lane
from app.pipeline.outcome import Tools
from app.queue import Queue, QueueName


@dataclass(frozen=True, slots=True)
class Admission:
    """Has as many jobs started as there are free slots and moments, lane by lane; for whoever holds the sweep's lock."""

    tools: Tools
    queue: Queue

    async def admit(self) -> None:
        """Count what runs and what waits, and ring for those whose turn it is, at the moments that they were given."""
        states = await self.tools.ocr.router.states()
        for lane in self.tools.ocr.lanes:
            await self._admit(lane, _may_start(lane.engine, states), takes_all=lane.engine is _preferred(states))

    async def count(self) -> None:
        """Tell the limiter which jobs run: until it knows, nothing starts."""
        for lane in self.tools.ocr.lanes:
            await self._count(lane, waiting=0)

    async def _admit(self, lane: Lane, most: int | None, *, takes_all: bool) -> None:
        """Admit jobs of one lane: those that name its engine and, where it takes all, those that name none."""
        engines = tuple(self.tools.ocr.engines)
        async with self.tools.sessions() as session:
            waiting = await backlog.count_waiting_starts(session, lane, engines, takes_all=takes_all)
        await self._count(lane, waiting=waiting)
        if not waiting:
            return
        room = min(await self.tools.ocr.pacer.room(lane), await self.queue.room(QueueName.OCR))
        room = room if most is None else min(room, most)
        if room <= 0:
            return
        async with self.tools.sessions.begin() as session:
            candidates = await backlog.waiting_starts(session, lane, engines, takes_all=takes_all, room=room)
            moments = await self.tools.ocr.pacer.admit(lane, _members(candidates))
            admitted = [each for each in candidates if member_of(each.id, 1) in moments]
            await backlog.mark_rung(session, [each.id for each in admitted])
        for each in admitted:
            await self.queue.advance(each, in_seconds=moments[member_of(each.id, 1)])

    async def _count(self, lane: Lane, *, waiting: int) -> None:
        async with self.tools.sessions() as session:
            running = await textract_jobs.open_members(session, lane.engine, lane.operation, within=RESULTS_KEPT)
        await self.tools.ocr.pacer.reconcile(lane, running, waiting=waiting)


def _members(candidates: list[WaitingStart]) -> list[str]:
    """Who asks for a slot: every part of a document, its parts one after the other."""
    return [member_of(each.id, part) for each in candidates for part in range(1, each.parts + 1)]


def _preferred(states: Mapping[EngineName, BreakerState]) -> EngineName | None:
    """The engine that reads what names none: the first that isn't away, or may be asked whether it still is."""
    return next((name for name, state in states.items() if _may_start(name, states) != 0), None)


def _may_start(engine: EngineName, states: Mapping[EngineName, BreakerState]) -> int | None:
    """How many jobs an engine may be sent at once; None for no limit, one for an engine that is to be probed."""
    state = states[engine]
    if state.state is Position.CLOSED:
        return None
    return 0 if state.retry_in_seconds > 0 else 1
