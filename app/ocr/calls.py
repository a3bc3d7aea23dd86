"""Calling engines: each call at its moment, each outcome told to the breaker, the pace and the metrics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog

from app.errors import OcrJobLost, OcrThrottled, QuireError
from app.ocr.breaker import Change
from app.ocr.engine import Engine, EngineName, Operation, ReadRequest, ResultPart, Source
from app.ocr.pacing import Call, Lane, Pacer
from app.ocr.pricing import Prices
from app.ocr.router import Choice, Router
from app.ocr.telemetry import Telemetry

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


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

    async def ask(self, lane: Lane, engine_job_id: str) -> ResultPart:
        """How a job is doing, and the first portion of its result once it has ended; there is a budget for it."""
        engine = self.engine(lane.engine)
        return await self._call(lane, "get", lambda: engine.get(engine_job_id, lane.operation))

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
        portion = first or await self._portion(lane, engine_job_id, None)
        yield portion
        while portion.next_token:
            portion = await self._portion(lane, engine_job_id, portion.next_token)
            yield portion

    def engine(self, name: EngineName) -> Engine:
        """An engine by name. Raises `OcrJobLost` where it is not configured any more: what it read is out of reach."""
        if name not in self.engines:
            raise OcrJobLost(f"The engine {name} is not among OCR_ENGINES any more; the document is read anew.")
        return self.engines[name]

    async def _portion(self, lane: Lane, engine_job_id: str, next_token: str | None) -> ResultPart:
        engine = self.engine(lane.engine)
        await asyncio.sleep(await self.pacer.get(lane))
        return await self._call(lane, "get", lambda: engine.get(engine_job_id, lane.operation, next_token))

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
            raise
        self.telemetry.call(_name(lane, kind), "ok")
        await self._tell_change(await self.router.report(lane.engine, None, probe=probe))
        return result

    async def _tell_change(self, change: Change | None) -> None:
        if change is not None:
            log.warning(
                "ocr_engine_changed",
                engine=change.engine,
                was=change.from_state,
                now=change.to_state,
                reason=change.reason,
            )
            await self.on_change(change)


def _name(lane: Lane, kind: Call) -> str:
    return f"{lane.engine}.{lane.operation}.{kind}"
