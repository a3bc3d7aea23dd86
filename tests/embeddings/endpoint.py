"""An OpenAI-compatible endpoint on this machine: it makes vectors of words, and fails as it is told to."""

import json
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from app.embeddings.remote import Limits, RemoteEmbedder

DIMENSIONS = 16

Answer = Callable[[web.Request, dict[str, Any]], Any]


def vector_of(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Texts with words in common are near to each other."""
    vector = [0.01] * dimensions
    for word in text.lower().split():
        vector[zlib.crc32(word.encode()) % dimensions] += 1.0
    return vector


def good(asked: dict[str, Any], *, dimensions: int = DIMENSIONS) -> dict[str, Any]:
    """The answer that an endpoint should give, its vectors in another order than the texts."""
    data = [
        {"object": "embedding", "index": index, "embedding": vector_of(text, dimensions)}
        for index, text in enumerate(asked["input"])
    ]
    return {"object": "list", "data": data[::-1], "usage": {"total_tokens": 7}}


@dataclass(slots=True)
class Endpoint:
    """What it was asked, and what it is to answer before it answers as it should again."""

    address: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: deque[web.Response | Callable[[dict[str, Any]], Any]] = field(default_factory=deque)
    always: web.Response | None = None
    dimensions: int = DIMENSIONS

    def refuse(self, status: int, *, times: int = 1, code: str = "", **headers: str) -> None:
        """Answer with a status, so often."""
        body = json.dumps({"error": {"message": "said the endpoint", "code": code}})
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for _ in range(times):
            self.faults.append(web.Response(status=status, text=body, headers=named))

    def say(self, body: Any) -> None:
        """Answer the next request with a body: JSON, or bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.faults.append(web.Response(body=raw, content_type="application/json"))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        asked = await request.json()
        self.asked.append(asked)
        self.headers.append(dict(request.headers))
        if self.faults:
            fault = self.faults.popleft()
            return fault if isinstance(fault, web.Response) else await fault(asked)
        return web.json_response(good(asked, dimensions=self.dimensions))


@asynccontextmanager
async def running_endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint on a free port."""
    endpoint = Endpoint()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/embeddings", endpoint.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    endpoint.address = f"http://127.0.0.1:{port}/v1"
    try:
        yield endpoint
    finally:
        await runner.cleanup()


def embedder_of(endpoint: Endpoint, client: Any, **limits: Any) -> RemoteEmbedder:
    """A client's side of an endpoint."""
    url = f"{endpoint.address}/embeddings"
    return RemoteEmbedder(client, url, "model-of-the-test", endpoint.dimensions, Limits(**limits))
