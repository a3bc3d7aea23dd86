"""How an engine's circuit changes: plain functions from one circuit to the next. What keeps circuits is in `breaker`.

An engine speaks against itself in two ways. One that fails is left alone altogether. One that takes jobs, says that
they run, and never gets them done is sent no more of them, but asked about those that it has: the first that ends shows
that it works again. Starts that it takes, and jobs that it says are running, show nothing of the kind.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from app.errors import OcrTimeout
from app.ocr.engine import EngineName

FAILURES_COUNT_SECONDS = 60.0
"""How long a failure counts: five within a minute speak against an engine, five in a day don't."""

PROBE_SECONDS = 30.0
"""How long a probe may take to report back before the next is let through: its worker may have died."""

PROBE_LOOK_SECONDS = 5.0
"""How soon to ask again while a probe is under way; most of them end within a few seconds."""

TIMEOUTS_COUNT_SECONDS = 3600.0
"""How long a job counts that did not end in its time, unless another ends before: they are noticed far apart."""


class Position(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    """Every call goes through."""
    OPEN = "open"
    """No call goes through until its time is up."""
    HALF_OPEN = "half_open"
    """One call goes through, to see whether the engine is back."""


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker that went from one state to another. Only the caller that made it gets it."""

    engine: EngineName
    from_state: Position
    to_state: Position
    reason: str | None


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a call may be made. Whoever is let through as the probe has to report how it went."""

    allowed: bool
    probe: bool = False
    retry_in_seconds: float = 0.0
    reason: str | None = None
    """Why not: the code of the last failure."""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """All that is known of a breaker. Times are seconds since 1970."""

    state: Position = Position.CLOSED
    failures: tuple[float, ...] = ()
    """When the last failures in a row happened, the newest last; the oldest beyond the limit are dropped."""
    opened_at: float | None = None
    until: float = 0.0
    """When an open circuit may be probed, and when the probe of a half-open one is given up."""
    failed_probes: int = 0
    reason: str | None = None
    timeouts: tuple[float, ...] = ()
    """When jobs were given up that did not end in their time, with none that ended between them."""

    @property
    def gets_nothing_done(self) -> bool:
        """Whether it is open, or half-open, for jobs that did not end: the engine answers."""
        return self.state is not Position.CLOSED and self.reason == OcrTimeout.code


@dataclass(frozen=True, slots=True)
class Rules:
    """How circuits change. Every method returns the circuit as it is from now on."""

    failures: int
    open_seconds: float
    max_open_seconds: float

    def asked(self, circuit: Circuit, now: float, *, of_jobs: bool = False) -> tuple[Circuit, Gate]:
        """What a caller is told; letting a probe through makes the circuit half-open for as long as it may take.

        Who only asks `of_jobs` that the engine has is let through as long as it answers.
        """
        if circuit.state is Position.CLOSED or (of_jobs and circuit.gets_nothing_done):
            return circuit, Gate(allowed=True)
        left = circuit.until - now
        if left <= 0:
            probing = replace(circuit, state=Position.HALF_OPEN, until=now + PROBE_SECONDS)
            return probing, Gate(allowed=True, probe=True, reason=circuit.reason)
        wait = min(left, PROBE_LOOK_SECONDS) if circuit.state is Position.HALF_OPEN else left
        return circuit, Gate(allowed=False, retry_in_seconds=wait, reason=circuit.reason)

    def given_back(self, circuit: Circuit, now: float) -> Circuit:
        """The next caller may be the probe at once."""
        return replace(circuit, until=now) if circuit.state is Position.HALF_OPEN else circuit

    def succeeded(self, circuit: Circuit, now: float, *, probe: bool | None = None) -> Circuit:
        """A success clears what there was. An open circuit stays so: the call had begun before.

        A Start that is taken as the probe of an engine that gets nothing done shows nothing yet: the next one has to wait.
        """
        if circuit.gets_nothing_done:
            if circuit.state is Position.OPEN or probe is not True:
                return circuit
            return self._opened(replace(circuit, failed_probes=circuit.failed_probes + 1), now, OcrTimeout.code)
        return circuit if circuit.state is Position.OPEN else Circuit(timeouts=circuit.timeouts)

    def timed_out(self, circuit: Circuit, now: float) -> Circuit:
        """One more job that did not end in its time. Those of a circuit that isn't closed had begun before."""
        if circuit.state is not Position.CLOSED:
            return circuit
        counting = (at for at in circuit.timeouts if now - at <= TIMEOUTS_COUNT_SECONDS)
        circuit = replace(circuit, timeouts=(*counting, now)[-self.failures :])
        return self._opened(circuit, now, OcrTimeout.code) if len(circuit.timeouts) >= self.failures else circuit

    def ended(self, circuit: Circuit) -> Circuit:
        """A job ended, well or badly: the engine gets them done."""
        return Circuit() if circuit.gets_nothing_done else replace(circuit, timeouts=())

    def failed(self, circuit: Circuit, now: float, reason: str, *, probe: bool | None) -> Circuit:
        """One more failure. While half-open, only a probe's counts: others may have begun before the circuit opened."""
        if circuit.state is Position.OPEN or (circuit.state is Position.HALF_OPEN and probe is False):
            return circuit
        if circuit.state is Position.HALF_OPEN:
            return self._opened(replace(circuit, failed_probes=circuit.failed_probes + 1), now, reason)
        failures = (*(at for at in circuit.failures if now - at <= FAILURES_COUNT_SECONDS), now)[-self.failures :]
        circuit = replace(circuit, failures=failures, reason=reason)
        return self._opened(circuit, now, reason) if len(failures) >= self.failures else circuit

    def _opened(self, circuit: Circuit, now: float, reason: str) -> Circuit:
        # The exponent is bounded because 2.0 to the power of a thousand failed probes is an error.
        seconds = min(self.open_seconds * 2.0 ** min(circuit.failed_probes, 30), self.max_open_seconds)
        opened_at = circuit.opened_at if circuit.state is Position.HALF_OPEN else now
        return replace(circuit, state=Position.OPEN, opened_at=opened_at, until=now + seconds, reason=reason)
