"""The words of pacing: lanes, permits, refusals, and the figures that the fleet's limiter and the local one share."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from app.ocr.engine import EngineName, Operation

Call = Literal["start", "get", "read"]
"""The kinds of calls that have a rate of their own in each lane."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One engine with one operation: what quotas and slots are counted by."""

    engine: EngineName
    operation: Operation


class Refusal(StrEnum):
    """Why a call may not be made now."""

    SLOTS_FULL = "slots_full"
    """As many jobs run as may."""
    TOO_SOON = "too_soon"
    """The next free moment is too far away to wait for it."""
    IN_LINE = "in_line"
    """Others wait for a slot, and this one was not admitted."""
    UNKNOWN = "unknown"
    """Running jobs have not been counted yet."""


@dataclass(frozen=True, slots=True)
class Permit:
    """When a call may be made, or why not."""

    wait_seconds: float = 0.0
    """From now until the call may be made."""
    refusal: Refusal | None = None
    at: float = 0.0
    """The moment itself, in seconds of the limiter's own clock."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """How a lane is doing: jobs and calls a second."""

    running: int
    """Slots that are taken: running jobs, and those about to start."""
    concurrent_jobs: int
    """How many slots there are."""
    in_line: int
    """Jobs that wait for a slot."""
    start_per_second: float
    get_per_second: float
    read_per_second: float
    fleet_wide: bool
    """False while Redis is away: the figures are then this process' own share."""


class Pacing(Protocol):
    """What the fleet's limiter and the local one both do; `Pacer` says what each of it means."""

    async def start(self, lane: Lane, member: str) -> Permit: ...
    async def admit(self, lane: Lane, members: Sequence[str]) -> dict[str, Permit]: ...
    async def room(self, lane: Lane) -> int: ...
    async def release(self, lane: Lane, member: str) -> None: ...
    async def reconcile(self, lane: Lane, running: Collection[str], *, waiting: int) -> None: ...
    async def get(self, lane: Lane) -> Permit: ...
    async def gets(self, lane: Lane, most: int) -> int: ...
    async def read(self, lane: Lane) -> Permit: ...
    async def throttled(self, lane: Lane, call: Call) -> None: ...
    async def state(self, lane: Lane) -> LaneState: ...


GRANT_LEASE_SECONDS = 60.0
"""How long a granted slot is held before the job has to be among those that run."""
START_REACH_SECONDS = 1.0
"""How far ahead a start that nobody admitted may be given a moment."""
HOLDER_REACH_SECONDS = 2.5
"""The same where a slot is held already: further than admission reaches, or those who come late would never start."""
ADMISSION_LEAD_SECONDS = 0.2
"""How long an admitted start has to reach a worker: earlier moments would pass unused."""
ADMISSION_REACH_SECONDS = 1.3
"""How far ahead a sweep gives moments: until the next sweep's first one, and a little more."""
READ_REACH_SECONDS = 2.0
"""How far ahead a synchronous call may be given a moment."""
LATE_SECONDS = 0.05
"""How late a reserved moment may be used; later, another is reserved."""
BURST_SECONDS = 0.2
"""How much of an unused Get budget may be spent at once, in seconds' worth of calls."""
THROTTLED_FACTOR = 0.7
"""What a throttle leaves of a rate."""
LOWEST_FACTOR = 0.05
"""What throttles leave of a quota at least."""
LOWERED_ONCE_SECONDS = 1.0
"""One wave of throttles lowers a rate once: all of them come of the rate that it was."""
RECOVERY_SECONDS = 60.0
"""How long a rate takes from nothing to its quota."""
