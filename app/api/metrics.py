"""Prometheus metrics: what this process counts itself, and what Postgres knows of the whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import Sessions
from app.jobs.presence import live_workers

log = structlog.get_logger(__name__)

_JOBS = text("SELECT stage, state, count(*) FROM jobs GROUP BY stage, state")
_WAITING = text("""
    SELECT stage, count(*), coalesce(extract(epoch FROM now() - min(next_attempt_at)), 0)
    FROM jobs WHERE state IN ('queued', 'retryable') AND next_attempt_at <= now() GROUP BY stage
""")
_PAGES = text("SELECT status, count(*) FROM pages GROUP BY status")
_TEXTRACT = text("""
    SELECT textract_job_status, count(*) FROM jobs WHERE textract_job_status IS NOT NULL GROUP BY textract_job_status
""")
_FAILURES = text("SELECT error_code, count(*) FROM jobs WHERE state = 'deadletter' GROUP BY error_code")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Writes the metrics page."""

    sessions: Sessions
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
            textract = (await session.execute(_TEXTRACT)).all()
            failures = (await session.execute(_FAILURES)).all()
        workers = await live_workers(self.sessions)
        return [
            _family("quire_jobs", "Jobs, by stage and state.", ("stage", "state"), jobs),
            _family("quire_pages", "Pages that were read, by what became of them.", ("status",), pages),
            _family("quire_textract_jobs", "Textract jobs, by status.", ("status",), textract),
            _family("quire_dead_letters", "Jobs that were given up, by code.", ("code",), failures),
            _family("quire_workers", "Live workers.", (), [(len(workers),)]),
            *self._queues(waiting),
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
