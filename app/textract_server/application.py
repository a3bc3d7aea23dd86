"""The ASGI application, and everything it opens and closes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from time import time
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.textract_server.detection import TextDetection
from app.textract_server.jobs import JobTable
from app.textract_server.paging import ResultTokens
from app.textract_server.pool import Slot
from app.textract_server.protocol import Endpoint
from app.textract_server.runner import JobRunner
from app.textract_server.scheduler import PageScheduler
from app.textract_server.settings import Settings
from app.textract_server.signature import SignatureVerifier
from app.textract_server.source import open_source
from app.textract_server.store import JobStore

SWEEP_SECONDS = 600

logger = logging.getLogger(__name__)


class State(TypedDict):
    """What requests find on the application."""

    endpoint: Endpoint


def create_app(settings: Settings, page_processes: int) -> Starlette:
    """Put the application together; nothing is opened before it starts."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with open_endpoint(settings, page_processes) as endpoint:
            yield {"endpoint": endpoint}

    routes = [Route("/health", health, methods=["GET"]), Route("/{path:path}", answer, methods=["GET", "POST", "PUT"])]
    return Starlette(routes=routes, lifespan=lifespan)


async def health(_request: Request) -> Response:
    """Say that the server is up."""
    return JSONResponse({"status": "ok"})


async def answer(request: Request) -> Response:
    """Answer a request of the protocol."""
    endpoint: Endpoint = request.state.endpoint
    return await endpoint(request)


@asynccontextmanager
async def open_endpoint(settings: Settings, page_processes: int) -> AsyncIterator[Endpoint]:
    """Open all that answering takes, take up unfinished jobs, and close it again in the reverse order."""
    async with AsyncExitStack() as stack:
        folder = settings.textract_server_data_dir / "documents"
        folder.mkdir(parents=True, exist_ok=True)
        store = await JobStore.open(settings.textract_server_data_dir / "jobs.sqlite3")
        stack.push_async_callback(store.close)
        source = await stack.enter_async_context(open_source(settings))
        scheduler = PageScheduler([Slot(settings.slot_limits) for _ in range(page_processes)])
        stack.push_async_callback(scheduler.close)
        active = asyncio.Semaphore(settings.textract_server_max_active_jobs)
        runner = JobRunner(store, source, scheduler, settings.reading_limits, folder, active)
        stack.push_async_callback(runner.close)
        await runner.resume()
        await stack.enter_async_context(_sweeping(store, settings.textract_server_retention_seconds))
        secret = settings.textract_server_secret_access_key.get_secret_value()
        detection = TextDetection(
            runner,
            ResultTokens(secret.encode()),
            settings.textract_server_retention_seconds,
            settings.textract_server_max_open_jobs,
            settings.textract_server_max_waiting_detections,
        )
        yield Endpoint(detection, SignatureVerifier(settings.textract_server_access_key_id, secret))


@asynccontextmanager
async def _sweeping(store: JobStore, retention_seconds: float) -> AsyncIterator[None]:
    """Delete expired jobs now and then, while the server runs."""

    async def sweep() -> None:
        while True:
            if forgotten := await store.ask(JobTable.forget, time() - retention_seconds):
                logger.info("expired jobs deleted count=%d", forgotten)
            await asyncio.sleep(SWEEP_SECONDS)

    task = asyncio.create_task(sweep(), name="sweep of expired jobs")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
