"""`quire monitor`: how the whole service does, live."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live

from app.cli.connection import AWAY, CommandError, Server, connected
from app.cli.monitor_view import begun_at, drawn
from app.cli.output import Screen, say

MOST_TEXTRACT_JOBS = 200

PRINTED_WIDTH = 240
"""Of what is no terminal: wide enough for all columns."""

Metrics = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]


@dataclass(frozen=True, slots=True)
class Picture:
    """How the service does at a moment."""

    queues: Sequence[Mapping[str, Any]]
    workers: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    textract_jobs: Sequence[Mapping[str, Any]]
    """Those of the project that run, the oldest first."""
    failures: Sequence[Mapping[str, Any]]
    """Jobs of the project that were given up, by code."""
    jobs: Mapping[str, int]
    """Jobs of all projects, by state."""
    engines: Sequence[Mapping[str, Any]]
    pages_per_minute: float | None
    """Since the picture before; None for the first."""


@dataclass(slots=True)
class Lens:
    """Takes pictures, and remembers what it takes to tell a speed."""

    server: Server
    _pages: float = 0.0
    _at: float | None = field(default=None)

    async def look(self) -> Picture:
        """How it does now. Raises `CommandError`."""
        get = self.server.get
        queues, workers, alerts, parsing, failures, metrics = await asyncio.gather(
            get("/v1/queues"),
            get("/v1/workers"),
            get("/v1/alerts"),
            get("/v1/jobs", stage="parsing", state=["queued", "working", "retryable"], limit=MOST_TEXTRACT_JOBS),
            get("/v1/dead-letters"),
            self._metrics(),
        )
        return Picture(
            queues=queues["items"],
            workers=workers["items"],
            alerts=alerts["items"],
            textract_jobs=sorted(parsing["items"], key=begun_at),
            failures=failures["items"],
            jobs=_summed(metrics, "quire_jobs", "state"),
            engines=_engines(metrics),
            pages_per_minute=self._speed(sum(_summed(metrics, "quire_pages", "status").values())),
        )

    async def _metrics(self) -> Metrics:
        text = (await self.server.request("GET", "/metrics")).text
        return {
            family.name: [(sample.labels, sample.value) for sample in family.samples]
            for family in text_string_to_metric_families(text)
            if family.name.startswith("quire_")
        }

    def _speed(self, pages: float) -> float | None:
        now, before, at = time.monotonic(), self._pages, self._at
        self._pages, self._at = pages, now
        return None if at is None else round(max(0.0, 60 * (pages - before) / (now - at)), 1)


def _summed(metrics: Metrics, name: str, label: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for labels, value in metrics.get(name, ()):
        sums[labels[label]] = sums.get(labels[label], 0) + int(value)
    return sums


def _engines(metrics: Metrics) -> list[dict[str, Any]]:
    """How each engine's lanes stand: slots taken, documents in line, and whether it is left alone."""
    away = {labels["engine"]: value for labels, value in metrics.get("quire_ocr_engine_away", ())}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, what in (("slots", "slots"), ("slots_taken", "taken"), ("in_line", "in_line")):
        for labels, value in metrics.get(f"quire_ocr_{name}", ()):
            lane = labels["engine"], labels["operation"]
            one = found.setdefault(lane, {"engine": lane[0], "operation": lane[1], "away": away.get(lane[0], 0.0)})
            one[what] = int(value)
    return list(found.values())


async def monitor(*, once: bool, interval_seconds: float, as_json: bool) -> None:
    """Show how the service does, once or until somebody presses Ctrl-C."""
    async with connected() as server:
        lens = Lens(server)
        if once or as_json:
            await _print(await lens.look(), as_json=as_json)
            return
        console = Console()
        if not console.is_terminal:
            raise CommandError("There is no terminal to draw on; use `quire monitor --once`, or --json.")
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            await _go_on(lens, live, stopped, interval_seconds)


async def _go_on(lens: Lens, live: Live, stopped: asyncio.Event, interval_seconds: float) -> None:
    picture: Picture | None = None
    while not stopped.is_set():
        problem = None
        try:
            picture = await lens.look()
        except CommandError as error:
            if picture is None or not (error.exit_code == AWAY or error.is_busy):
                raise
            problem = error.sentence
        live.update(drawn(picture, problem, str(lens.server.client.base_url)), refresh=True)
        try:
            async with asyncio.timeout(interval_seconds):
                await stopped.wait()
        except TimeoutError:
            continue


async def _print(picture: Picture, *, as_json: bool) -> None:
    if as_json:
        say(asdict(picture))
        return
    terminal = Screen()
    console = terminal if terminal.is_terminal else Screen(width=PRINTED_WIDTH)
    console.print(drawn(picture, None, None))
