"""A pace that a process keeps to on its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """So much a minute, spread evenly; what is taken ahead of its time makes the next ones wait."""

    per_minute: float | None
    """None: as fast as may be."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _free_at: float = 0.0

    async def take(self, amount: float) -> None:
        """Wait until it is this caller's turn to use so much."""
        begins = max(self.clock(), self._free_at)
        if self.per_minute is not None:
            self._free_at = begins + amount * 60 / self.per_minute
        await self.sleep(begins - self.clock())

    def correct(self, amount: float) -> None:
        """Count so much more, or less where it is negative, for what was taken by an estimate."""
        if self.per_minute is not None:
            self._free_at += amount * 60 / self.per_minute

    def hold(self, seconds: float) -> None:
        """Let nobody go on for so long: who was told to wait by one answer need not ask for the next."""
        self._free_at = max(self._free_at, self.clock() + seconds)
