"""Turns: as many tasks of a process work at once as leave its event loop time for everything else.

Thousands of documents keep one loop busy for minutes. Whoever else needs it, a small task, a heartbeat, a poll, then
waits behind all that are at work. So the loop's own lateness says how many may be: tasks that wait for an engine or a
bucket cost it nothing, and many take turns at once; where they keep it busy, few do, and none is slower for it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field

from anyio import CapacityLimiter, WouldBlock

TICK_SECONDS = 0.02
"""How often the loop's lateness is looked at."""
LATE_SECONDS = 0.002
"""The mean lateness from which on fewer tasks work at once. A task's start takes about eight passes of the loop, and one
pass in a hundred takes five times the mean."""
LEAST = 4
"""So many work at once whatever makes the loop late: it may be another process, and they may all wait for an engine."""
MEMORY = 0.8
"""How much of the lateness that was seen before counts at the next look."""
URGENT = 2
"""So many urgent tasks work beside as many others as may: they stand in no line until there are more of them."""
VERY_LATE = 5.0
"""So many times as late as may be, a loop is left half of its tasks at once."""
STEP_DOWN, STEP_DOWN_FAST = 0.9, 0.5
STEP_UP, STEP_UP_IDLE = 0.1, 1.0
"""Few more tasks at each look where the loop has work, many where it is idle, and those at work only wait."""


@dataclass(slots=True, eq=False)
class Turn:
    """One task's turn, which it may lay down for a while."""

    limiter: CapacityLimiter
    urgent: CapacityLimiter | None = None
    """What an urgent task may take instead."""
    held: CapacityLimiter | None = None
    is_handed_over: bool = False
    """Whether another task has it from here on."""

    @property
    def is_held(self) -> bool:
        """Whether the task works now."""
        return self.held is not None

    async def take(self) -> None:
        """Wait for it."""
        if self.urgent is not None:
            with suppress(WouldBlock):
                self.urgent.acquire_on_behalf_of_nowait(self)
                self.held = self.urgent
                return
        await self.limiter.acquire_on_behalf_of(self)
        self.held = self.limiter

    def lay_down(self) -> None:
        """Let another task work."""
        if self.held is not None:
            held, self.held = self.held, None
            held.release_on_behalf_of(self)


_TURN: ContextVar[Turn | None] = ContextVar("turn", default=None)
_URGENT: ContextVar[bool] = ContextVar("urgent", default=False)


def be_urgent(*, urgent: bool) -> None:
    """Say whether what this task does from here on is urgent."""
    _URGENT.set(urgent)


@dataclass(slots=True)
class Turns:
    """Until `run()` watches the loop, as many tasks work at once as may at most."""

    most: int
    limiter: CapacityLimiter = field(init=False)
    urgent: CapacityLimiter = field(init=False)
    _allowed: float = field(init=False)
    _late: float = 0.0
    _open: int = 0
    """Tasks that work, wait for a turn, or have laid theirs down for a while."""
    _opened: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.limiter, self.urgent = CapacityLimiter(self.most), CapacityLimiter(URGENT)
        self._allowed = float(self.most)

    @asynccontextmanager
    async def turn(self, taken_over: Turn | None = None) -> AsyncIterator[None]:
        """Work in a turn, once there is one, or at once in one that was handed over."""
        turn = taken_over or Turn(self.limiter, self.urgent if _URGENT.get() else None)
        turn.is_handed_over = False
        token = _TURN.set(turn)
        self._open += 1
        self._opened.set()
        try:
            if not turn.is_held:
                await turn.take()
            yield
        finally:
            self._open -= 1
            _TURN.reset(token)
            if not turn.is_handed_over:
                turn.lay_down()

    async def run(self) -> None:
        """Watch the loop, while any task has to do with turns, until cancelled."""
        while True:
            if not self._open:
                self._opened.clear()
                await self._opened.wait()
                self._late = 0.0  # it had nothing to do
            began = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            self.learn(time.monotonic() - began - TICK_SECONDS)

    def learn(self, late_seconds: float) -> None:
        """Take in how much later than it asked for a timer was called."""
        self._late = MEMORY * self._late + (1 - MEMORY) * max(0.0, late_seconds)
        if self._late > LATE_SECONDS:
            step = STEP_DOWN_FAST if self._late > VERY_LATE * LATE_SECONDS else STEP_DOWN
            self._allow(max(min(LEAST, self.most), self._allowed * step))
        elif self.limiter.statistics().tasks_waiting:
            step = STEP_UP if self._late > LATE_SECONDS / 2 else STEP_UP_IDLE
            self._allow(min(self.most, self._allowed + step))

    def _allow(self, tasks: float) -> None:
        self._allowed = tasks
        if int(tasks) != self.limiter.total_tokens:
            self.limiter.total_tokens = int(tasks)


def hand_over() -> Turn | None:
    """The turn of this task, for another one that goes on with its work; None where it has none to give away."""
    turn = _TURN.get()
    if turn is None or not turn.is_held or turn.is_handed_over:
        return None
    turn.is_handed_over = True
    return turn


@asynccontextmanager
async def aside() -> AsyncIterator[None]:
    """Wait for something long, another process or a moment, without keeping others from working; with a turn or without one."""
    turn = _TURN.get()
    if turn is None or not turn.is_held:
        yield
        return
    turn.lay_down()
    yield
    await turn.take()  # not after an error: what is left to do then is little


async def sleep_aside(seconds: float) -> None:
    """Wait for a moment."""
    if seconds <= 0:
        return
    async with aside():
        await asyncio.sleep(seconds)
