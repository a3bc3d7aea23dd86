"""The API process: `create_app(settings)` puts the parts together. `python -m app.main FILE` writes openapi.json."""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import orjson
from fastapi import FastAPI

from app import __version__, event_log
from app.alerts.service import Alerts
from app.api import (
    batches,
    events,
    jobs,
    webhooks,
)
from app.api.batch_streams import BatchStreams, batch_piece
from app.api.bell import Bell
from app.api.dependencies import Services
from app.api.draining import Draining
from app.api.event_schemas import project_piece
from app.api.feeds import Feeds, Kind
from app.api.json_body import LimitedBodies
from app.api.limits import Limits
from app.api.metrics import Metrics
from app.api.middleware import RequestContext
from app.api.openapi import openapi_document
from app.api.problems import add_error_handlers
from app.api.readiness import Readiness
from app.api.routes import all_routes
from app.api.streams import Streams, job_piece
from app.api.uploads import UploadSlots
from app.audit import Audit
from app.batches.preflight import Preflight
from app.batches.progress import ProgressBook
from app.batches.service import Batches
from app.config import Settings
from app.documents.format_cache import FormatCache
from app.documents.formats import Formats
from app.documents.formats import Limits as FormatLimits
from app.documents.imports import Imports
from app.documents.intake import SizeLimits
from app.documents.making import make_arrivals, make_uploads
from app.documents.originals import Originals
from app.documents.service import Documents
from app.documents.trace import Traces
from app.event_log import Portion, Position
from app.idempotency import Keys
from app.jobs.fleet import Fleet
from app.jobs.outlook import Outlook
from app.jobs.service import Jobs
from app.jobs.watch import WATCH_SECONDS
from app.knowledge.reprocessing import Reprocessing
from app.knowledge.search import Search
from app.knowledge.searched_model import SearchedModel
from app.knowledge.service import Knowledge
from app.limits.intake import Intake
from app.limits.rates import Rate, RateLimits
from app.logs import configure_logs
from app.pipeline.outcome import erasing_of, slots_of
from app.pipeline.stages import QUEUES, ROUTES, STEPS, queues_for
from app.pipeline.sweep import every
from app.pipeline.watching import watch_of
from app.projects.service import Projects
from app.queue import ArqQueue, Queue, QueueName, stages_of
from app.resources import Resources, open_resources
from app.stopping import end
from app.webhooks.addresses import Reach
from app.webhooks.service import Webhooks

LIMIT_THEIR_OWN = frozenset({"/v1/documents", "/v1/batches"})
"""Calls whose bodies are read by hand, up to other limits."""

TAGS = [
    {"name": "documents", "description": "Submit documents, and fetch what was read."},
    {"name": "batches", "description": "Submit many documents as one, and follow, stop or retry them together."},
    {"name": "entities", "description": "What the project's documents speak of, and how it is related."},
    {"name": "jobs", "description": "Follow the runs of the pipeline."},
    {"name": "search", "description": "Find places in documents, by words and by meaning."},
    {"name": "events", "description": "What happened, and who did it."},
    {"name": "webhooks", "description": "Have your own service told when jobs and batches end."},
    {"name": "monitoring", "description": "Queues, the workers that serve them, and alerts."},
    {"name": "operations", "description": "Health and metrics."},
]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The API, with settings from the environment where none are given. Nothing is opened before it starts."""
    settings = settings or Settings()
    configure_logs(settings)
    app = FastAPI(
        title="Quire",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        openapi_tags=TAGS,
        lifespan=lambda app: _lifespan(app, settings),
        generate_unique_id_function=lambda route: route.name,
    )
    app.router.routes.extend(all_routes())
    add_error_handlers(app)
    app.add_middleware(LimitedBodies, most_bytes=settings.json_request_bytes, besides=LIMIT_THEIR_OWN)
    app.add_middleware(RequestContext)
    app.add_middleware(Draining)
    app.openapi = _written_once(  # type: ignore[method-assign]  # FastAPI's way
        lambda: openapi_document(app, (*jobs.PUBLISHED, *batches.PUBLISHED, *events.PUBLISHED, *webhooks.PUBLISHED))
    )
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    async with open_resources(settings) as resources:
        services = make_services(resources)
        app.state.services = services
        listening = [asyncio.create_task(run()) for run in (services.bell.run, *services.streams.running)]
        watching = asyncio.create_task(every(WATCH_SECONDS, watch_of(resources).look))
        with _told_on_signal(services.bell.stop):
            yield
        services.bell.stop()
        await end([*listening, watching])
        await asyncio.gather(*services.documents.background, return_exceptions=True)
        await services.formats.cache.close()
        await services.bucket.close()


def make_services(resources: Resources) -> Services:
    """Everything that routes call."""
    settings, sessions = resources.settings, resources.sessions
    queue = ArqQueue(resources.redis, ROUTES, window=2 * settings.fleet_slots_per_queue)
    slots, bell = slots_of(resources), Bell(resources.redis)
    audit = Audit(sessions)
    service_batches = make_batches(resources, queue)
    streams = make_streams(resources, bell, audit)
    arrivals = make_arrivals(settings, sessions, resources.bucket)
    service_documents = Documents(
        sessions=sessions,
        bucket=resources.bucket,
        queue=queue,
        sizes=SizeLimits(settings.max_document_bytes, settings.max_image_bytes),
        part_bytes=settings.upload_part_bytes,
        parts_in_flight=settings.upload_parts_in_flight,
    )
    return Services(
        projects=Projects(sessions),
        documents=service_documents,
        formats=make_formats(resources, service_documents),
        traces=Traces(sessions),
        jobs=Jobs(sessions, resources.redis, queue, slots),
        outlook=Outlook(sessions),
        erasing=erasing_of(resources, slots),
        batches=service_batches,
        batch_request_bytes=settings.batch_request_bytes,
        knowledge=Knowledge(sessions),
        reprocessing=Reprocessing(sessions, queue),
        bucket=resources.bucket,
        keys=Keys(sessions),
        imports=Imports(arrivals, queue),
        direct_uploads=make_uploads(settings, arrivals, queue),
        originals=Originals(sessions, resources.bucket, settings.presigned_url_seconds),
        bell=bell,
        streams=streams,
        batch_streams=BatchStreams(streams, service_batches, streams.batches),
        audit=audit,
        webhooks=make_webhooks(resources),
        router=resources.ocr.router,
        uploads=UploadSlots(settings.max_concurrent_uploads),
        limits=make_limits(resources),
        fleet=Fleet(sessions, queue, queue.window, {name: stages_of(ROUTES, name) for name in QueueName}),
        alerts=Alerts(sessions),
        readiness=Readiness(resources, QUEUES),
        metrics=Metrics(sessions, resources.ocr, {stage: route.queue for stage, route in ROUTES.items()}),
        search=Search(
            sessions, SearchedModel(sessions, resources.embedders), embedding_seconds=settings.search_embedding_seconds
        ),
        steps=STEPS,
        tasks={stage: route.task.value for stage, route in ROUTES.items()},
    )


def make_webhooks(resources: Resources) -> Webhooks:
    """What can be asked about webhooks."""
    settings = resources.settings
    return Webhooks(
        resources.sessions,
        resources.redis,
        Reach.of(settings.webhook_allowed_networks, http=settings.webhook_allow_http),
        patience=timedelta(seconds=settings.webhook_give_up_seconds),
        overlap=timedelta(seconds=settings.webhook_secret_overlap_seconds),
    )


def make_streams(resources: Resources, bell: Bell, audit: Audit) -> Streams:
    """What tells clients of events as they happen."""
    settings, sessions = resources.settings, resources.sessions

    async def read_jobs(positions: Mapping[UUID, Position]) -> Mapping[UUID, Portion]:
        async with sessions() as session:
            return await event_log.read_jobs(session, positions)

    async def read_batches(positions: Mapping[UUID, Position]) -> Mapping[UUID, Portion]:
        async with sessions() as session:
            return await event_log.read_batches(session, positions)

    return Streams(
        bell=bell,
        jobs=Feeds(Kind(read_jobs, job_piece), bell),
        projects=Feeds(Kind(audit.read_projects, project_piece(audit)), bell),
        batches=Feeds(Kind(read_batches, batch_piece), bell),
        most=settings.max_streams,
        ping_seconds=settings.stream_ping_seconds,
    )


def make_batches(resources: Resources, queue: Queue) -> Batches:
    """What takes batches in, and tells how they do."""
    sessions, redis = resources.sessions, resources.redis
    preflight = Preflight(
        sessions=sessions,
        redis=redis,
        bucket=resources.bucket,
        ocr=resources.ocr,
        queues_for=queues_for,
        daily_cap=resources.settings.max_cost_per_project_per_day,
    )
    return Batches(sessions, redis, queue, preflight, ProgressBook(sessions, redis))


def make_limits(resources: Resources) -> Limits:
    """How much keys and projects may ask for."""
    settings = resources.settings
    rate = Rate(settings.requests_per_second, settings.request_burst) if settings.requests_per_second else None
    return Limits(
        rates=RateLimits(resources.redis),
        intake=Intake(
            resources.sessions,
            {queue: stages_of(ROUTES, queue) for queue in QUEUES},
            max_queue_depth=settings.max_queue_depth,
            max_open_documents=settings.max_open_documents,
        ),
        default=rate,
    )


def make_formats(resources: Resources, service_documents: Documents) -> Formats:
    """What makes and keeps documents' formats."""
    settings = resources.settings
    return Formats(
        sessions=resources.sessions,
        bucket=resources.bucket,
        documents=service_documents,
        cache=FormatCache(
            bucket=resources.bucket,
            redis=resources.redis,
            wait_seconds=settings.format_wait_seconds,
            most_at_once=settings.max_concurrent_formats,
            part_bytes=settings.upload_part_bytes,
            parts_in_flight=settings.upload_parts_in_flight,
        ),
        limits=FormatLimits(settings.format_memory_bytes, settings.format_timeout_seconds),
        producer=f"Quire {__version__}",
    )


class _told_on_signal:  # noqa: N801 (reads as the statement it is used in)
    """Calls a function when the process is told to stop, before whatever handles that already.

    uvicorn waits for open connections before it ends the lifespan, and a stream stays open until it is told to end:
    without this, neither would ever come to pass.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell
        self.earlier: dict[int, Any] = {}

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            self.earlier[number] = before

            def handle(received: int, frame: FrameType | None, before: Any = before) -> None:
                loop.call_soon_threadsafe(self.tell)
                if callable(before):
                    before(received, frame)

            signal.signal(number, handle)

    def __exit__(self, *exception: object) -> None:
        for number, before in self.earlier.items():
            signal.signal(number, before)


def _written_once(write: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    kept: dict[str, Any] = {}
    return lambda: kept or kept.update(write()) or kept


def main() -> None:
    """Write openapi.json, or check that it is what would be written."""
    parser = argparse.ArgumentParser(prog="python -m app.main", description="Write the OpenAPI document.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file differs")
    arguments = parser.parse_args()
    written = orjson.dumps(create_app().openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if not arguments.check:
        arguments.file.write_bytes(written)
    elif not arguments.file.exists() or arguments.file.read_bytes() != written:
        sys.exit(f"{arguments.file} is not what the app says now; run: make openapi")


if __name__ == "__main__":
    main()
