"""An OpenAI-compatible chat endpoint on this machine: it finds the words it was taught, and fails as it is told to."""

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


def answer(names: list[dict[str, Any]], finish_reason: str = "stop") -> dict[str, Any]:
    """What a chat endpoint says that answers by the schema."""
    message = {"role": "assistant", "content": json.dumps({"names": names})}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]}


@dataclass(slots=True)
class ChatEndpoint:
    """What it knows, what it was asked, and what it is to answer before it answers as it should again."""

    knows: dict[str, str] = field(default_factory=dict)
    """Names with their types: it claims all of them, whatever the text."""
    address: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    faults: deque[web.Response] = field(default_factory=deque)

    def refuse(self, status: int, *, times: int = 1, code: str = "", **headers: str) -> None:
        """Answer with a status, so often."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps({"error": {"message": "said the endpoint", "code": code}})
        self.faults.extend(web.Response(status=status, text=body, headers=named) for _ in range(times))

    def say(self, body: Any, *, times: int = 1) -> None:
        """Answer with a body: JSON, or bytes as they are; so often."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.faults.extend(web.Response(body=raw, content_type="application/json") for _ in range(times))

    def texts(self) -> list[str]:
        """The texts that it was sent, in order."""
        return [asked["messages"][-1]["content"] for asked in self.asked]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization"))
        if self.faults:
            return self.faults.popleft()
        return web.json_response(answer([{"type": kind, "text": text} for text, kind in self.knows.items()]))


@asynccontextmanager
async def running_endpoint() -> AsyncIterator[ChatEndpoint]:
    """An endpoint on a free port."""
    endpoint = ChatEndpoint()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    endpoint.address = f"http://{host}:{port}/v1/chat/completions"
    try:
        yield endpoint
    finally:
        await runner.cleanup()
