"""Answers that come before the whole request was read, such as refusals, and how a client gets to read them.

A connection that is closed with unread bytes in it is reset, and a reset throws away the answer that was on its way.
So what a client still sends is read and dropped for a while, after it has been answered and before the connection is
closed.
"""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALL_BYTES = 64 * 1024
"""A body of so much has arrived with its headers, or nearly; servers deal with it themselves."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much of a body that nobody wants is read all the same."""

    seconds: float = 30.0
    idle_seconds: float = 3.0
    size_bytes: int = 1024 * 1024 * 1024


class Draining:
    """Reads the rest of a body after an answer that came early, and closes the connection then."""

    def __init__(self, app: ASGIApp, patience: Patience | None = None) -> None:
        self.app = app
        self.patience = patience or Patience()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _may_be_long(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        body = Body(receive)

        async def send_and_drain(message: Message) -> None:
            if not body.ended and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            if not body.ended and message["type"] == "http.response.body" and not message.get("more_body"):
                await send({**message, "more_body": True})
                await body.drain(self.patience)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self.app(scope, body.receive, send_and_drain)


class Body:
    """A request's body on its way to whoever reads it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def receive(self) -> Message:
        """The next piece; notes the last one, and a client that went away."""
        message = await self._receive()
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self, patience: Patience) -> None:
        """Read what is left, within limits, and drop it."""
        left = patience.size_bytes
        try:
            async with asyncio.timeout(patience.seconds):
                while left > 0 and not self.ended:
                    async with asyncio.timeout(patience.idle_seconds):
                        left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            return


def _may_be_long(headers: Headers) -> bool:
    announced = headers.get("content-length", "0")
    return "transfer-encoding" in headers or (announced.isdigit() and int(announced) > SMALL_BYTES)
