"""A receiver of webhooks on this machine, that answers as it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def said(self) -> dict[str, Any]:
        """What the message says."""
        return dict(json.loads(self.body))


@dataclass(slots=True)
class Receiver:
    """What was received, and what is answered: in turn, and then the last again and again."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=lambda: [answer(204)])
    slow_seconds: float = 0.0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait(self, count: int, *, within_seconds: float = 30) -> list[Received]:
        """The first requests, once there were so many; fails the test where they don't come."""
        async with asyncio.timeout(within_seconds), self.news:
            await self.news.wait_for(lambda: len(self.received) >= count)
        return self.received[:count]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request, note it, and answer."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
            await asyncio.sleep(self.slow_seconds)
            async with self.news:
                self.received.append(Received(first.split()[1], headers, body))
                self.news.notify_all()
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer as it stands on the wire; underscores in names are hyphens."""
    said = {"content-length": str(len(body)), "connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items())
    return f"HTTP/1.1 {status} As Told\r\n{lines}\r\n".encode() + body


@asynccontextmanager
async def running_receiver(host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, host, 0)
    receiver.url = f"http://{host}:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
