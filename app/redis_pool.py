"""Connections to Redis that cost little to use: a worker asks some hundred times a second, each time for next to nothing.

redis-py makes sure of a connection before each command with a timer that ends at once, takes a lock to have it and one to
give it back, and writes in a task of its own. That is twice what the command itself costs. What is left out here is found
out all the same, when the answer is read: every command is tried again on another connection.
"""

from collections.abc import Awaitable, Iterable
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection

AT_ONCE_BYTES = 16 * 1024
"""So much is written without waiting for it to leave: less than what a transport holds before it asks for patience."""


class _Quick(AbstractConnection):
    """Writes what is short straight away."""

    @property
    def is_fit(self) -> bool:
        """Whether it is connected, as far as is known without asking, and no answer to an earlier command is left in it."""
        reader: Any = self._reader  # nothing public tells what it holds
        return self.is_connected and not reader._buffer and not reader.at_eof()  # noqa: SLF001

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """Send a command; with redis-py's own patience where it is long, or where what came before it has not left yet."""
        if isinstance(command, list) and sum(map(len, command)) <= AT_ONCE_BYTES and self.is_connected:
            if check_health:
                await cast("Awaitable[None]", self.check_health())  # type: ignore[no-untyped-call]  # redis-py's
                check_health = False
            writer = self._writer
            if writer is not None and not writer.transport.get_write_buffer_size():
                writer.writelines(command)
                return
        await super().send_packed_command(command, check_health)


class QuickConnection(_Quick, Connection):
    """Over TCP."""


class QuickSSLConnection(_Quick, SSLConnection):
    """Over TLS."""


class QuickUnixConnection(_Quick, UnixDomainSocketConnection):
    """Over a socket of the machine's own."""


_QUICK: dict[type[AbstractConnection], type[_Quick]] = {
    Connection: QuickConnection,
    SSLConnection: QuickSSLConnection,
    UnixDomainSocketConnection: QuickUnixConnection,
}


class QuickPool(BlockingConnectionPool):
    """A pool that hands out a connection that is free and connected as it is; all else is redis-py's."""

    def __init__(self, *, connection_class: type[AbstractConnection] = Connection, **options: Any) -> None:
        super().__init__(connection_class=_QUICK.get(connection_class, connection_class), **options)
        self._in_line = 0

    async def get_connection(self, *told: object, **options: object) -> AbstractConnection:  # noqa: ARG002 (redis-py ignores them, too)
        """A connection, once there is one. Raises redis-py's `ConnectionError` where none comes free in time."""
        free = self._available_connections
        if free and not self._in_line and getattr(free[-1], "is_fit", False):
            connection = free.pop()
            self._in_use_connections.add(connection)
            return connection
        self._in_line += 1
        try:
            return cast("AbstractConnection", await super().get_connection())
        finally:
            self._in_line -= 1

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back."""
        if self._in_line:
            await super().release(connection)
            return
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)
