"""Prometheus metrics: what this process counts itself, and what Postgres knows of the whole."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.alerts.repository import count_open
from app.db import Sessions
from app.jobs.presence import live_workers
from app.ocr.calls import Ocr
from app.ocr.circuit import Position
from app.queue import QueueName

log = structlog.get_logger(__name__)

_JOBS = text("SELECT stage, state, count(*) FROM jobs GROUP BY stage, state")
_WAITING = text("""
    SELECT stage, count(*), coalesce(extract(epoch FROM now() - min(next_attempt_at)), 0)
    FROM jobs WHERE state IN ('queued', 'retryable') AND next_attempt_at <= now() GROUP BY stage
""")
_PAGES = text("SELECT status, count(*) FROM pages GROUP BY status")
_OCR_JOBS = text("""
    SELECT engine, operation, status, count(*) AS jobs, coalesce(sum(gets), 0) AS gets,
           coalesce(sum(page_count) FILTER (WHERE ended_at IS NOT NULL), 0) AS pages,
           coalesce(sum(extract(epoch FROM ended_at - started_at)), 0) AS seconds,
           coalesce(sum(cost_microdollars), 0) AS cost,
           coalesce(extract(epoch FROM now() - min(started_at) FILTER (WHERE status = 'IN_PROGRESS')), 0) AS oldest
    FROM textract_jobs GROUP BY engine, operation, status
""")
_FAILURES = text("SELECT error_code, count(*) FROM jobs WHERE state = 'deadletter' GROUP BY error_code")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Writes the metrics page."""

    sessions: Sessions
    ocr: Ocr
    queue_of: Mapping[str, str]
    """Which queue runs what waits at each stage."""

    async def page(self) -> bytes:
        """All metrics in Prometheus' text format; those of Postgres are left out while it is away."""
        own = generate_latest(REGISTRY)
        try:
            return own + _render(await self._families())
        except (SQLAlchemyError, OSError) as error:
            log.warning("metrics_without_postgres", error=str(error))
            return own

    async def _families(self) -> list[GaugeMetricFamily]:
        async with self.sessions() as session:
            jobs = (await session.execute(_JOBS)).all()
            waiting = (await session.execute(_WAITING)).all()
            pages = (await session.execute(_PAGES)).all()
            ocr_jobs = (await session.execute(_OCR_JOBS)).all()
            failures = (await session.execute(_FAILURES)).all()
            open_alerts = await count_open(session)
        workers = await live_workers(self.sessions)
        serving = Counter(queue for worker in workers for queue in worker.queues)
        return [
            _family("quire_jobs", "Jobs, by stage and state.", ("stage", "state"), jobs),
            _family("quire_pages", "Pages that were read, by what became of them.", ("status",), pages),
            _family("quire_dead_letters", "Jobs that were given up, by code.", ("code",), failures),
            _family("quire_workers", "Live workers.", (), [(len(workers),)]),
            _family(
                "quire_queue_workers",
                "Live workers that serve a queue.",
                ("queue",),
                [(queue, serving[queue]) for queue in QueueName],
            ),
            _family("quire_alerts", "Alerts that are open, by code.", ("code",), open_alerts.items()),
            *self._queues(waiting),
            *_ocr_families(ocr_jobs),
            *await self._engines(),
        ]

    async def _engines(self) -> list[GaugeMetricFamily]:
        """How engines and their lanes stand, as the fleet sees them."""
        breakers = await self.ocr.router.states()
        lanes = {(lane.engine, lane.operation): await self.ocr.pacer.state(lane) for lane in self.ocr.lanes}
        slots = [(*lane, state.concurrent_jobs) for lane, state in lanes.items()]
        taken = [(*lane, state.running) for lane, state in lanes.items()]
        in_line = [(*lane, state.in_line) for lane, state in lanes.items()]
        rates = [
            (*lane, call, rate)
            for lane, state in lanes.items()
            for call, rate in (
                ("start", state.start_per_second),
                ("get", state.get_per_second),
                ("read", state.read_per_second),
            )
        ]
        return [
            _family(
                "quire_ocr_engine_away",
                "Whether an engine is left alone: 0 no, 0.5 probed, 1 yes.",
                ("engine",),
                [(name, AWAY[state.state]) for name, state in breakers.items()],
            ),
            _family("quire_ocr_slots", "Jobs that may run at once.", LANE, slots),
            _family("quire_ocr_slots_taken", "Jobs that run, or are about to.", LANE, taken),
            _family("quire_ocr_in_line", "Documents that wait for a slot or for their moment.", LANE, in_line),
            _family("quire_ocr_calls_per_second", "Calls that may be made a second, now.", (*LANE, "call"), rates),
        ]

    def _queues(self, waiting: Iterable[tuple[str, int, float]]) -> list[GaugeMetricFamily]:
        depth = dict.fromkeys(self.queue_of.values(), 0)
        age = dict.fromkeys(self.queue_of.values(), 0.0)
        for stage, count, seconds in waiting:
            queue = self.queue_of[stage]
            depth[queue] += count
            age[queue] = max(age[queue], float(seconds))
        return [
            _family("quire_queue_depth", "Jobs that are due, by queue.", ("queue",), depth.items()),
            _family("quire_queue_oldest_seconds", "How long the oldest due job has waited.", ("queue",), age.items()),
        ]


LANE = ("engine", "operation")
AWAY = {Position.CLOSED: 0.0, Position.HALF_OPEN: 0.5, Position.OPEN: 1.0}


def _ocr_families(rows: Sequence[Any]) -> list[GaugeMetricFamily]:
    """What the OCR jobs of all time add up to, by engine, operation and status."""
    figures = {
        "quire_textract_jobs": ("OCR jobs ever begun.", "jobs"),
        "quire_textract_gets": ("Get calls that OCR jobs took.", "gets"),
        "quire_textract_pages": ("Pages that OCR jobs have read.", "pages"),
        "quire_textract_seconds": ("Seconds that OCR jobs took, in all.", "seconds"),
        "quire_textract_cost_microdollars": ("What OCR jobs cost; 1,000,000 are a US dollar.", "cost"),
        "quire_textract_oldest_seconds": ("How long the oldest running OCR job has run.", "oldest"),
    }
    return [
        _family(name, said, (*LANE, "status"), [(*row[:3], getattr(row, column)) for row in rows])
        for name, (said, column) in figures.items()
    ]


def _family(name: str, said: str, labels: tuple[str, ...], rows: Iterable[Iterable[object]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, said, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))  # type: ignore[arg-type]  # rows end in numbers
    return family


def _render(families: list[GaugeMetricFamily]) -> bytes:
    class Fixed(Collector):
        def collect(self) -> Iterable[GaugeMetricFamily]:
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Fixed())
    return generate_latest(registry)
