"""Calling engines: each call at its moment, each outcome told to the breaker, the pace and the metrics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from app.errors import OcrEnginesAway, OcrJobLost, OcrThrottled, OcrTimeout, OcrUnavailable, QuireError
from app.ocr.circuit import Change, Gate, Position
from app.ocr.engine import Engine, EngineName, Operation, ReadRequest, ResultPart, Source
from app.ocr.pacing import Call, Lane, Pacer
from app.ocr.pricing import Prices
from app.ocr.router import AGAINST_THE_ENGINE, Choice, Router
from app.ocr.telemetry import Telemetry

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

PORTION_TRIES = 3
"""How often a portion of a result is asked for before its job is put off or tried again."""


@dataclass(frozen=True, slots=True)
class Ocr:
    """The engines of a deployment, as stages use them."""

    engines: Mapping[EngineName, Engine]
    router: Router
    pacer: Pacer
    prices: Prices
    telemetry: Telemetry
    on_change: Callable[[Change], Awaitable[None]]
    """What is to be done when an engine is found to be away, or back."""

    @property
    def lanes(self) -> list[Lane]:
        """Every engine with every operation."""
        return [Lane(name, operation) for name in self.engines for operation in Operation]

    async def choose(self, wanted: EngineName | None, request: ReadRequest) -> Choice:
        """The engine to read with. Raises `OcrEnginesAway`, and `OcrRequestInvalid` where none can serve the request."""
        choice = await self.router.choose(wanted, request)
        await self._tell_change(choice.change)
        return choice

    async def start(self, choice: Choice, source: Source, request: ReadRequest, *, token: str, tag: str) -> str:
        """Start a job, for which there is a permit, and return the engine's id of it."""
        engine, lane = choice.engine, Lane(choice.engine.name, request.operation)
        engine_job_id = await self._call(
            lane, "start", lambda: engine.start(source, request, token=token, tag=tag), probe=choice.probe
        )
        self.telemetry.job_started(lane.engine, lane.operation)
        return engine_job_id

    async def gate(self, name: EngineName) -> Gate:
        """Whether an engine may be asked about jobs now; whoever is let through as the probe asks, or gives it back."""
        gate = await self.router.breakers[name].allow(of_jobs=True)
        await self._tell_change(gate.change)
        return gate

    async def give_back(self, name: EngineName, gate: Gate) -> None:
        """For a gate that nothing came of: where it let a probe through, another may be. One that was used is none any more."""
        if gate.probe:
            await self.router.breakers[name].give_back()

    async def ask(self, lane: Lane, engine_job_id: str, *, probe: bool = False) -> ResultPart:
        """How a job is doing, and the first portion of its result once it has ended; there is a budget for it."""
        engine = self.engine(lane.engine)
        return await self._call(lane, "get", lambda: engine.get(engine_job_id, lane.operation), probe=probe)

    async def timed_out(self, lane: Lane) -> None:
        """A job of an engine's did not end in its time, which speaks against the engine."""
        await self._tell_change(await self.router.report(lane.engine, OcrTimeout()))

    async def ended(self, lane: Lane) -> None:
        """A job of an engine's has ended, well or badly."""
        await self._tell_change(await self.router.breakers[lane.engine].ended())

    async def read(self, choice: Choice, document: Source | bytes, request: ReadRequest) -> ResultPart:
        """Read a page at once; there is a permit for it."""
        engine, lane = choice.engine, Lane(choice.engine.name, request.operation)
        return await self._call(lane, "read", lambda: engine.read(document, request), probe=choice.probe)

    async def result(self, lane: Lane, engine_job_id: str, first: ResultPart | None) -> AsyncIterator[ResultPart]:
        """An ended job's whole result, portion by portion, each asked for when the pace allows; `first` is there already."""
        engine = self.engine(lane.engine)
        if engine.stores_results:
            async for portion in engine.stored_results(engine_job_id, lane.operation):
                yield portion
            return
        portion = first or await self._patiently(lane, engine_job_id, None)
        yield portion
        while portion.next_token:
            portion = await self._patiently(lane, engine_job_id, portion.next_token)
            yield portion

    def engine(self, name: EngineName) -> Engine:
        """An engine by name. Raises `OcrJobLost` where it is not configured any more: what it read is out of reach."""
        if name not in self.engines:
            raise OcrJobLost(f"The engine {name} is not among OCR_ENGINES any more; the document is read anew.")
        return self.engines[name]

    async def _patiently(self, lane: Lane, engine_job_id: str, next_token: str | None) -> ResultPart:
        """A portion that is asked for again, at the pace: one call that fails is not to cost the portions before it."""
        for _ in range(PORTION_TRIES - 1):
            with suppress(OcrUnavailable, OcrThrottled):
                return await self._portion(lane, engine_job_id, next_token)
        return await self._portion(lane, engine_job_id, next_token)

    async def _portion(self, lane: Lane, engine_job_id: str, next_token: str | None) -> ResultPart:
        engine, gate = self.engine(lane.engine), await self.gate(lane.engine)
        if not gate.allowed:
            raise OcrEnginesAway(retry_in_seconds=gate.retry_in_seconds)
        try:
            await asyncio.sleep(await self.pacer.get(lane))
            call = partial(engine.get, engine_job_id, lane.operation, next_token)
            return await self._call(lane, "get", call, probe=gate.probe)
        finally:
            await self.give_back(lane.engine, gate)

    async def _call(
        self, lane: Lane, kind: Call, call: Callable[[], Awaitable[Result]], *, probe: bool = False
    ) -> Result:
        try:
            result = await call()
        except QuireError as error:
            self.telemetry.call(_name(lane, kind), error.code)
            if isinstance(error, OcrThrottled):
                self.telemetry.throttled(lane.engine, lane.operation, kind)
                await self.pacer.throttled(lane, kind)
            await self._tell_change(await self.router.report(lane.engine, error, probe=probe))
            if isinstance(error, AGAINST_THE_ENGINE):
                await self._excuse(lane.engine, kind, error)
            raise
        self.telemetry.call(_name(lane, kind), "ok")
        await self._tell_change(await self.router.report(lane.engine, None, probe=probe))
        return result

    async def _excuse(self, name: EngineName, kind: Call, error: QuireError) -> None:
        """What an engine does that is away is no fault of the job's: it costs no attempt, and the job waits.

        Raises `OcrEnginesAway` in the place of an error that would be the job's end.
        """
        states = await self.router.states()
        if states[name].state is Position.CLOSED:
            return
        others = any(state.state is Position.CLOSED for other, state in states.items() if other is not name)
        # A start may go to another engine at once; a result is where it is.
        wait = 0.0 if others and kind != "get" else max(1.0, states[name].retry_in_seconds)
        if not isinstance(error, OcrUnavailable):
            raise OcrEnginesAway(f"{error.detail} The document waits.", retry_in_seconds=wait) from error
        error.costs_attempt, error.retry_in_seconds = False, wait

    async def _tell_change(self, change: Change | None) -> None:
        if change is not None:
            log.warning(
                "ocr_engine_changed",
                engine=change.engine,
                was=change.from_state,
                now=change.to_state,
                reason=change.reason,
            )
            if (change.from_state, change.to_state) != (Position.HALF_OPEN, Position.OPEN):  # still away is no news
                await self.on_change(change)


def _name(lane: Lane, kind: Call) -> str:
    return f"{lane.engine}.{lane.operation}.{kind}"
