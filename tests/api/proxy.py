"""A TCP proxy that can be told to fail: between Quire and what it depends on, or between Quire and its clients."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on to a server, until it is told not to."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        assert parts.hostname
        self._upstream = (parts.hostname, parts.port)
        self._url = parts
        self._open: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.down = False
        self.went_down = asyncio.Event()
        self.cut_after_bytes: int | None = None
        """Go down once clients have sent so much."""

    @property
    def url(self) -> str:
        """The server's URL, by way of this proxy."""
        login, at, _ = self._url.netloc.rpartition("@")
        return self._url._replace(netloc=f"{login}{at}127.0.0.1:{self._port}").geturl()

    def cut(self) -> None:
        """Close what is open, and what is opened from now on."""
        self.down = True
        self.went_down.set()
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        """Work again."""
        self.down, self.cut_after_bytes = False, None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if self.down:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(*self._upstream)
        both = {writer, there_writer}
        self._open |= both
        try:
            await asyncio.gather(
                self._carry(reader, there_writer, counted=True), self._carry(there_reader, writer, counted=False)
            )
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self._open -= both
            for end in both:
                end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(64 * 1024):
                if counted and self.cut_after_bytes is not None:
                    self.cut_after_bytes -= len(data)
                    if self.cut_after_bytes <= 0:
                        self.cut()
                if self.down:
                    break
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()

    async def start(self) -> asyncio.Server:
        """Listen."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        return server


@asynccontextmanager
async def proxy_to(upstream: str | None) -> AsyncIterator[Proxy]:
    """A proxy to a server, by URL."""
    assert upstream
    proxy = Proxy(upstream)
    server = await proxy.start()
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
