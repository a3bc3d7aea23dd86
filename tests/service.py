"""Quire as its users meet it: the API under a real server, workers at work, and a client with a key."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

from app.config import Settings
from app.db import open_engine, open_sessions
from app.entities.mentions import EntityExtractor
from app.main import create_app
from app.projects.service import Projects, new_key
from workers.main import serving

ENDED = {"done", "deadletter", "cancelled"}


class Client(httpx.AsyncClient):
    """A client of one project, with the verbs that tests are made of."""

    async def submit(self, content: bytes, *, filename: str = "document.pdf", **said: str) -> dict[str, Any]:
        """Submit bytes and return the answer's JSON; fails the test where they are refused."""
        answer = await self.post("/v1/documents", params={"filename": filename, **said}, content=content)
        assert answer.status_code == 202, answer.text
        submitted: dict[str, Any] = answer.json()
        return submitted

    async def ended(self, job_id: str, *, within_seconds: float = 100) -> dict[str, Any]:
        """The job once it has ended; fails the test where it doesn't."""
        async with asyncio.timeout(within_seconds):
            while (job := (await self.get(f"/v1/jobs/{job_id}", params={"wait": 5})).json())["state"] not in ENDED:
                pass
        return dict(job)


class _Server(uvicorn.Server):
    """uvicorn without its hands on the test run's signals."""

    def capture_signals(self) -> Any:
        """Leave signals to pytest."""
        return _NoSignals()


class _NoSignals:
    def __enter__(self) -> None:
        """Take nothing over."""

    def __exit__(self, *exception: object) -> None:
        """Give nothing back."""


@asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[str]:
    """Serve the API on a free port; yields its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(create_app(settings), log_config=None, timeout_graceful_shutdown=5))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def make_key(settings: Settings, project: str = "default") -> str:
    """A fresh key to a project, which is made where it isn't there."""
    engine, key = open_engine(settings), new_key()
    await Projects(open_sessions(engine)).ensure_key(key, project=project)
    await engine.dispose()
    return key


def hurried(settings: Settings) -> Settings:
    """The same with short delays, where a test has to see a retry, a poll or a lost lease."""
    return settings.model_copy(
        update={
            "textract_async_initial_delay_seconds": 0.2,
            "textract_async_polling_interval_seconds": 0.3,
            "sweep_interval_seconds": 0.2,
            "retry_base_seconds": 0.2,
            "worker_heartbeat_seconds": 0.5,
            "worker_completion_seconds": 2.0,
        }
    )


@asynccontextmanager
async def client_of(address: str, key: str) -> AsyncIterator[Client]:
    """A client with a key."""
    async with Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=70) as client:
        yield client


@asynccontextmanager
async def running_quire(settings: Settings, extractor: EntityExtractor) -> AsyncIterator[Client]:
    """The API and a worker on all queues, and a client of the project `default`."""
    async with (
        serving(settings, extractor=extractor),
        running_api(settings) as address,
        client_of(address, await make_key(settings)) as client,
    ):
        yield client
