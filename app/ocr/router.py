"""Which engine reads a document: the first in order of preference that is not away, and finds what is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import (
    OcrAccessDenied,
    OcrEnginesAway,
    OcrError,
    OcrRequestInvalid,
    OcrThrottled,
    OcrTimeout,
    OcrUnavailable,
    OcrUnknown,
    QuireError,
    Refused,
)
from app.ocr.breaker import Breaker, BreakerState
from app.ocr.circuit import Change, Gate
from app.ocr.engine import Engine, EngineName, Feature, ReadRequest

FOUND_BY: Mapping[EngineName, frozenset[Feature]] = {
    EngineName.TEXTRACT: frozenset(Feature),
    EngineName.LOCAL: frozenset({Feature.TEXT, Feature.TABLES, Feature.FORMS}),
}
"""What each engine can find on pages."""

AGAINST_THE_ENGINE = (OcrUnavailable, OcrAccessDenied, OcrTimeout)
"""Errors after which another engine may do better."""

FROM_THE_ENGINE = (OcrError, OcrThrottled, Refused)
"""Errors that only an engine at work can give: it refused a document, or a request, or asked for patience."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine to read with. Whoever is its probe reports how it went, or gives it back: nobody else is let through until then."""

    engine: Engine
    probe: bool
    fallback_reason: str | None
    """Why it isn't the preferred one, such as `textract is away: ocr_unavailable`."""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Router:
    """Chooses engines, and hears how they do."""

    engines: Mapping[EngineName, Engine]
    order: Sequence[EngineName]
    breakers: Mapping[EngineName, Breaker]

    async def choose(
        self, wanted: EngineName | None, request: ReadRequest, *, without: frozenset[EngineName] = frozenset()
    ) -> Choice:
        """The engine to read with: the wanted one and no other, or else the first in order.

        Raises OcrRequestInvalid where none could ever do it, and OcrEnginesAway where those that could are away.
        """
        passed_over = self._unfit(wanted, request)
        waits: list[float] = []
        for name in self._asked(wanted):
            if name in passed_over:
                continue
            if name in without:
                passed_over[name] = f"{name} was tried before"
                continue
            gate = await self.breakers[name].allow()
            if gate.allowed:
                return self._choice(name, gate, passed_over)
            passed_over[name] = f"{name} is away: {gate.reason or 'unknown'}"
            waits.append(gate.retry_in_seconds)
        raise OcrEnginesAway(retry_in_seconds=min(waits, default=None))

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse options, as they are kept with jobs, that no engine here could ever serve. Raises OcrRequestInvalid."""
        wanted = options.get("engine")
        self._unfit(EngineName(wanted) if wanted else None, ReadRequest.from_options(dict(options)))

    async def report(self, engine: EngineName, error: QuireError | None, *, probe: bool | None = None) -> Change | None:
        """Tell an engine's breaker how a call ended: None is a success, `probe` what the choice said.

        Errors of other parts, and those that nobody knows, say nothing of the engine, either way.
        """
        breaker = self.breakers[engine]
        if isinstance(error, OcrTimeout):
            return await breaker.timed_out()
        if isinstance(error, AGAINST_THE_ENGINE):
            return await breaker.failed(error.code, probe=probe)
        if error is None or (isinstance(error, FROM_THE_ENGINE) and not isinstance(error, OcrUnknown)):
            return await breaker.succeeded(probe=probe)
        return None

    async def give_back(self, choice: Choice) -> None:
        """For a choice that nothing came of, since there was no slot or no time: where it was a probe, another may be."""
        if choice.probe:
            await self.breakers[choice.engine.name].give_back()

    async def states(self) -> dict[EngineName, BreakerState]:
        """How the breakers stand, in order of preference."""
        return {name: await self.breakers[name].state() for name in self.order}

    def _asked(self, wanted: EngineName | None) -> Sequence[EngineName]:
        return self.order if wanted is None else (wanted,)

    def _unfit(self, wanted: EngineName | None, request: ReadRequest) -> dict[EngineName, str]:
        """Those that don't find what is asked for, each with why; raises where that leaves none."""
        if wanted is not None and wanted not in self.order:
            raise OcrRequestInvalid(f"The engine {wanted} is not set up here; OCR_ENGINES has {', '.join(self.order)}.")
        missing = {name: sorted(request.features - FOUND_BY[name]) for name in self._asked(wanted)}
        unfit = {name: f"{name} doesn't find {', '.join(features)}" for name, features in missing.items() if features}
        if len(unfit) == len(missing):
            raise OcrRequestInvalid(f"No engine can do this: {'; '.join(unfit.values())}.")
        return unfit

    def _choice(self, name: EngineName, gate: Gate, passed_over: Mapping[EngineName, str]) -> Choice:
        before = self.order[: self.order.index(name)]
        reasons = "; ".join(passed_over[each] for each in before if each in passed_over)
        return Choice(self.engines[name], gate.probe, reasons or None, gate.change)
