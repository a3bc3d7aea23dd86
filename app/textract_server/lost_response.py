"""Losing an answer: the connection is closed after a call was carried out, before a byte of the answer is sent."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ABORT = "abort_connection"


class AbortableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which tells requests how to cut their own connection: an ASGI server has no word for it."""

    def on_message_begin(self) -> None:
        """Prepare a request's scope."""
        super().on_message_begin()
        self.scope["state"][ABORT] = self.transport.abort


class LostResponse(Response):
    """No answer: to the client the connection breaks."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI calls it
        """Cut the connection, and wait until uvicorn has noticed, for it would answer with status 500 itself."""
        scope["state"][ABORT]()
        while (await receive())["type"] != "http.disconnect":
            pass
