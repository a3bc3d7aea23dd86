"""The ASGI application, and everything it opens and closes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.textract_server.admin import Admin, admin_routes
from app.textract_server.capacity import asks_second_opinions
from app.textract_server.faults import Faults
from app.textract_server.jobs import JobTable
from app.textract_server.notices import PUBLISHERS, Notifier
from app.textract_server.opinions import SecondOpinions
from app.textract_server.output import OutputWriter
from app.textract_server.paging import ResultTokens
from app.textract_server.pool import Slot
from app.textract_server.protocol import Endpoint
from app.textract_server.quotas import Quotas
from app.textract_server.runner import JobRunner
from app.textract_server.scheduler import PageScheduler
from app.textract_server.service import Engine, Service
from app.textract_server.settings import EngineKind, Settings
from app.textract_server.signature import SignatureVerifier
from app.textract_server.simulation import SimulatedEngine
from app.textract_server.source import open_source
from app.textract_server.statistics import Statistics
from app.textract_server.store import JobStore
from app.textract_server.tesseract import TesseractEngine
from app.textract_server.topics import Topics
from app.textract_server.tracing import PageTrace

SWEEP_SECONDS = 600

logger = logging.getLogger(__name__)


class State(TypedDict):
    """What requests find on the application."""

    endpoint: Endpoint
    admin: Admin


def create_app(settings: Settings, page_processes: int) -> Starlette:
    """Put the application together; nothing is opened before it starts."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with open_service(settings, page_processes) as state:
            yield state

    routes = [
        Route("/health", health, methods=["GET"]),
        *(admin_routes() if settings.textract_server_admin else ()),
        Route("/{path:path}", answer, methods=["GET", "POST", "PUT"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def health(_request: Request) -> Response:
    """Say that the server is up."""
    return JSONResponse({"status": "ok"})


async def answer(request: Request) -> Response:
    """Answer a request of the protocol."""
    endpoint: Endpoint = request.state.endpoint
    return await endpoint(request)


@asynccontextmanager
async def open_service(settings: Settings, page_processes: int) -> AsyncIterator[State]:
    """Open all that answering takes, take up unfinished jobs, and close it again in the reverse order."""
    secret = settings.textract_server_secret_access_key.get_secret_value()
    faults, statistics = Faults(), Statistics(by_job=settings.textract_server_admin)
    async with AsyncExitStack() as stack:
        topics = Topics(settings, PUBLISHERS)
        stack.push_async_callback(topics.close)
        engine: Engine
        if settings.textract_server_engine is EngineKind.SIMULATED:
            engine = await _simulated(stack, settings, topics, faults, statistics)
        else:
            engine = await _tesseract(stack, settings, topics, faults, statistics, page_processes)
        service = Service(engine, ResultTokens(secret.encode()), statistics)
        verifier = SignatureVerifier(settings.textract_server_access_key_id, secret)
        endpoint = Endpoint(service, verifier, Quotas(settings.rates), faults, statistics)
        yield {"endpoint": endpoint, "admin": Admin(faults, statistics, engine.open_jobs)}


async def _tesseract(
    stack: AsyncExitStack,
    settings: Settings,
    topics: Topics,
    faults: Faults,
    statistics: Statistics,
    page_processes: int,
) -> TesseractEngine:
    folder = settings.textract_server_data_dir / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    store = await JobStore.open(settings.textract_server_data_dir / "jobs.sqlite3")
    stack.push_async_callback(store.close)
    source = await stack.enter_async_context(open_source(settings))
    opinions = None
    if asks_second_opinions(settings):
        opinions = SecondOpinions(Slot(settings.slot_limits), settings.ocr_second_opinion_confidence)
    slots = [Slot(settings.slot_limits) for _ in range(page_processes)]
    scheduler = PageScheduler(slots, opinions, PageTrace(settings.textract_server_trace_file))
    stack.push_async_callback(scheduler.close)
    active = asyncio.Semaphore(settings.textract_server_max_active_jobs)

    async def settle(job_id: str) -> None:
        await store.ask(JobTable.mark_notified, job_id)

    notifier = Notifier(topics, faults, statistics, settle)
    await stack.enter_async_context(notifier.running())
    runner = JobRunner(
        store, source, scheduler, settings.reading_limits, folder, active, OutputWriter(source), notifier
    )
    stack.push_async_callback(runner.close)
    await runner.resume()
    engine = TesseractEngine(
        runner,
        faults,
        statistics,
        settings.textract_server_retention_seconds,
        settings.textract_server_max_open_jobs,
        settings.textract_server_max_waiting_detections,
    )
    await stack.enter_async_context(_sweeping(engine.forget_expired))
    return engine


async def _simulated(
    stack: AsyncExitStack, settings: Settings, topics: Topics, faults: Faults, statistics: Statistics
) -> SimulatedEngine:
    no_s3 = settings.textract_server_simulated_no_s3
    notifier = Notifier(topics, faults, statistics, _forgotten_at_a_restart)
    await stack.enter_async_context(notifier.running())
    engine = SimulatedEngine(
        settings.simulated_work,
        None if no_s3 else await stack.enter_async_context(open_source(settings)),
        notifier,
        faults,
        statistics,
        settings.textract_server_retention_seconds,
        settings.textract_server_max_open_jobs,
    )
    await stack.enter_async_context(_sweeping(engine.forget_expired))
    return engine


async def _forgotten_at_a_restart(_job_id: str) -> None:
    """Nothing is noted of simulated jobs' notices."""


@asynccontextmanager
async def _sweeping(forget_expired: Callable[[], Awaitable[int]]) -> AsyncIterator[None]:
    """Delete expired jobs now and then, while the server runs."""

    async def sweep() -> None:
        while True:
            if forgotten := await forget_expired():
                logger.info("expired jobs deleted count=%d", forgotten)
            await asyncio.sleep(SWEEP_SECONDS)

    task = asyncio.create_task(sweep(), name="sweep of expired jobs")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
