"""Admission: which waiting documents may have their OCR jobs started now, in priority order, by slots and by pace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.db import one_statement
from app.jobs import backlog, textract_jobs, waiting_starts
from app.jobs.backlog import Shares
from app.jobs.textract_jobs import RESULTS_KEPT, member_of
from app.jobs.waiting_starts import Takes, WaitingStart
from app.ocr.breaker import BreakerState
from app.ocr.circuit import Position
from app.ocr.engine import EngineName, Feature, Operation
from app.ocr.pacing import Lane
from app.ocr.router import FOUND_BY
from app.pipeline.outcome import Tools
from app.queue import Queue, QueueName

LEAD_SECONDS = 0.2
"""How long before its moment a Start's task is to begin."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Has as many jobs started as there are free slots and moments, lane by lane.

    Two that admit at once do no harm: the limiter gives a member one slot and one moment, whoever asks for it.
    """

    tools: Tools
    queue: Queue

    async def admit(self) -> None:
        """Count what runs and what waits, and ring for those whose turn it is, at the moments that they were given."""
        left_to: list[frozenset[Feature]] = []
        for engine, state in (await self.tools.ocr.router.states()).items():
            most, found = _may_start(state), self._found(engine)
            for operation in Operation:
                await self._admit(Lane(engine, operation), most, self._takes(found if most != 0 else None, left_to))
            if most is None:  # one that is to be probed takes one job, and leaves the others to the next engine
                left_to.append(found)

    async def count(self) -> None:
        """Tell the limiter which jobs run: until it knows, nothing starts."""
        for lane in self.tools.ocr.lanes:
            await self._count(lane, waiting=0)

    def _found(self, engine: EngineName) -> frozenset[Feature]:
        """What an engine finds, or what no engine here does: its jobs are let through, to be told so."""
        found_by_some = frozenset[Feature]().union(*(FOUND_BY[name] for name in self.tools.ocr.engines))
        return FOUND_BY[engine] | (frozenset(Feature) - found_by_some)

    def _takes(self, finds: frozenset[Feature] | None, left_to: Sequence[frozenset[Feature]]) -> Takes:
        again = timedelta(seconds=self.tools.settings.ring_again_seconds)
        shares = Shares.of(self.tools.settings)
        return Takes(tuple(self.tools.ocr.engines), finds or frozenset(), tuple(left_to), again, shares)

    async def _admit(self, lane: Lane, most: int | None, takes: Takes) -> None:
        async with one_statement(self.tools.sessions) as session:
            waiting = await waiting_starts.count_waiting_starts(session, lane, takes)
        waiting = waiting if most is None else min(waiting, most)
        await self._count(lane, waiting=waiting)
        if not waiting:
            return
        room_to_ring = await self.queue.room(QueueName.OCR) + 2 * self.queue.reserve
        room = min(await self.tools.ocr.pacer.room(lane), room_to_ring)
        room = room if most is None else min(room, most)
        if room <= 0:
            return
        async with self.tools.sessions.begin() as session:
            candidates = await waiting_starts.waiting_starts(session, lane, takes, room=room)
            moments = await self._moments(lane, candidates)
            admitted = [each for each in candidates if member_of(each.id, 1) in moments]
            await backlog.mark_rung(session, [each.id for each in admitted])
        await self.queue.advance_all((each, _early(moments[member_of(each.id, 1)])) for each in admitted)

    async def _moments(self, lane: Lane, candidates: Sequence[WaitingStart]) -> dict[str, float]:
        """In how many seconds each may go on: at once where all it does is to take over a result, which takes no slot."""
        reading = [each for each in candidates if not each.reuses]
        moments = await self.tools.ocr.pacer.admit(lane, _members(reading)) if reading else {}
        return moments | {member_of(each.id, 1): 0.0 for each in candidates if each.reuses}

    async def _count(self, lane: Lane, *, waiting: int) -> None:
        async with one_statement(self.tools.sessions) as session:
            running = await textract_jobs.open_members(session, lane.engine, lane.operation, within=RESULTS_KEPT)
        await self.tools.ocr.pacer.reconcile(lane, running, waiting=waiting)


def _members(candidates: Sequence[WaitingStart]) -> list[str]:
    """Who asks for a slot: every part of a document, its parts one after the other."""
    return [member_of(each.id, part) for each in candidates for part in range(1, each.parts + 1)]


def _may_start(state: BreakerState) -> int | None:
    """How many jobs an engine may be sent at once; None for no limit, one for an engine that is to be probed."""
    if state.state is Position.CLOSED:
        return None
    return 0 if state.retry_in_seconds > 0 else 1


def _early(seconds: float) -> float:
    """When to ring for a moment: a little before it, for the task has a few things to look at before it starts."""
    return max(0.0, seconds - LEAD_SECONDS)
