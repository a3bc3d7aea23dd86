"""Statements that the driver runs itself: SQLAlchemy writes each down once, and asyncpg executes it from then on.

What SQLAlchemy does anew for every execution (the key of its cache, a cursor, a result with its columns, two hops between
greenlets) takes five times as long as the statement's own trip. Here a statement that comes again is a lookup away from
its SQL, its parameters' places and its columns' types. What can't be run so goes through SQLAlchemy as ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self
from weakref import WeakKeyDictionary

import asyncpg
import orjson
from sqlalchemy import Dialect, Executable
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.written import Parameters, Rows, Written, written_down

ACQUIRE_SECONDS = 10
RECYCLE_SECONDS = 1800
STATEMENTS_KEPT = 500
"""Prepared statements that a connection keeps: all that there are."""

NONE: Parameters = {}


@dataclass(slots=True)
class Driver:
    """The driver's connections, as many as there may be, and the statements that were written down for them."""

    url: str
    dialect: Dialect
    size: int
    options: Mapping[str, Any]
    """What connections are opened with."""
    _written: WeakKeyDictionary[Executable, dict[tuple[str, ...], Written | None]] = field(
        default_factory=WeakKeyDictionary
    )
    _free: list[asyncpg.Connection] = field(default_factory=list)
    """The last one that was used is the next, so that those that are too many rest."""
    _opened: dict[asyncpg.Connection, float] = field(default_factory=dict)
    """When each was."""
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.size)

    async def acquire(self) -> asyncpg.Connection:
        """A connection, to be released. Raises `TimeoutError` where none gets free in time, and what opening one raises."""
        if self._places.locked():
            async with asyncio.timeout(ACQUIRE_SECONDS):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            while self._free:
                connection = self._free.pop()
                if self._is_fit(connection):
                    return connection
            return await self._open()
        except BaseException:
            self._places.release()
            raise

    def release(self, connection: asyncpg.Connection, *, fit: bool) -> None:
        """Let others have a connection; one that was cut off in the middle of something is closed instead."""
        if not fit:
            connection.terminate()
        if connection.is_closed():
            self._opened.pop(connection, None)
        else:
            self._free.append(connection)
        self._places.release()

    def known(self, statement: Executable, parameters: Parameters, *, at_once: bool = False) -> Written | None:
        """A statement as it was written down. At its first sight it isn't: it may have been made for this one time."""
        forms = self._written.get(statement)
        if forms is None:
            forms = self._written[statement] = {}
            if not at_once:
                return None
        names = tuple(parameters)
        if names not in forms:
            forms[names] = written_down(statement, parameters, self.dialect)
        return forms[names]

    def close(self) -> None:
        """Close all connections, whatever they are doing."""
        for connection in self._opened:
            connection.terminate()
        self._opened.clear()
        self._free.clear()

    async def _open(self) -> asyncpg.Connection:
        connection: asyncpg.Connection = await asyncpg.connect(
            self.url, statement_cache_size=STATEMENTS_KEPT, **self.options
        )
        await _speak_json(connection)
        self._opened[connection] = time.monotonic()
        return connection

    def _is_fit(self, connection: asyncpg.Connection) -> bool:
        is_young = time.monotonic() - self._opened.get(connection, 0.0) < RECYCLE_SECONDS
        if is_young and not connection.is_closed():
            return True
        self._opened.pop(connection, None)
        connection.terminate()
        return False


class Executing:
    """As much of a session as executing takes."""

    __slots__ = ()

    async def execute(self, statement: Executable, parameters: Any = NONE) -> Any:
        """Execute a statement; what it returns is all there at once. Raises `DBAPIError`."""
        raise NotImplementedError

    async def scalar(self, statement: Executable, parameters: Any = NONE) -> Any:
        """The first column of the first row, if there is one. Raises `DBAPIError`."""
        return (await self.execute(statement, parameters)).scalar()

    async def scalars(self, statement: Executable, parameters: Any = NONE) -> Any:
        """The first column of every row. Raises `DBAPIError`."""
        return (await self.execute(statement, parameters)).scalars()


class EachByItself(Executing):
    """Statements that are transactions by themselves. What the driver can't run, or hasn't seen before, SQLAlchemy runs."""

    __slots__ = ("_driver", "_engine", "_slow")

    def __init__(self, driver: Driver, engine: AsyncEngine) -> None:
        self._driver = driver
        self._engine = engine
        self._slow: AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._slow is not None:
            await self._slow.close()

    async def execute(self, statement: Executable, parameters: Any = NONE) -> Any:
        """Execute a statement; what it returns is all there at once. Raises `DBAPIError`."""
        written = self._driver.known(statement, parameters) if isinstance(parameters, Mapping) else None
        if written is not None:
            async with using(self._driver) as connection:
                return await _run(connection, written, parameters)
        if self._slow is None:
            self._slow = await self._engine.connect()
        return await self._slow.execute(statement, parameters or None)


class Together(Executing):
    """Statements that are one transaction, on one connection: of those alone that the driver can run."""

    __slots__ = ("_connection", "_driver")

    def __init__(self, driver: Driver, connection: asyncpg.Connection) -> None:
        self._driver = driver
        self._connection = connection

    async def execute(self, statement: Executable, parameters: Any = NONE) -> Any:
        """Execute a statement; what it returns is all there at once. Raises `DBAPIError`."""
        written = self._driver.known(statement, parameters, at_once=True)
        if written is None:
            raise NotImplementedError("A statement that is written anew each time has no place in such a transaction.")
        return await _run(self._connection, written, parameters)


@asynccontextmanager
async def using(driver: Driver) -> AsyncIterator[asyncpg.Connection]:
    """A connection for a while. The driver's errors come out as SQLAlchemy's."""
    try:
        connection = await driver.acquire()
    except OF_DRIVER as error:
        raise translated(error) from error
    fit = False
    try:
        yield connection
        fit = True
    except OF_DRIVER as error:
        raise translated(error) from error
    except Exception as error:
        # By then its statement has ended, and its transaction is undone, unless it was cut off or the server is gone.
        fit = not isinstance(error, OSError)
        raise
    finally:
        driver.release(connection, fit=fit)


@asynccontextmanager
async def together(driver: Driver) -> AsyncIterator[Together]:
    """One transaction, which is undone where an error leaves it."""
    async with using(driver) as connection, connection.transaction():
        yield Together(driver, connection)


async def _run(connection: asyncpg.Connection, written: Written, parameters: Parameters) -> Rows:
    try:
        records = await connection.fetch(written.sql, *written.arguments(parameters))
    except OF_DRIVER as error:
        raise translated(error, written.sql) from error
    return written.rows(records)


OF_DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The last one is what a connection says that Postgres ended a moment ago, before that has been noticed here."""


def translated(error: BaseException, sql: str | None = None) -> DBAPIError:
    """An error of the driver's as one of SQLAlchemy's, which tells nobody the parameters."""
    lost = isinstance(error, asyncpg.PostgresConnectionError | asyncpg.InternalClientError)
    kind = IntegrityError if isinstance(error, asyncpg.IntegrityConstraintViolationError) else DBAPIError
    return kind(sql, None, error, hide_parameters=True, connection_invalidated=lost)


async def _speak_json(connection: asyncpg.Connection) -> None:
    """Have JSON go in as text and come out decoded, as SQLAlchemy's types expect it."""
    for name, prefix in (("json", b""), ("jsonb", b"\x01")):
        await connection.set_type_codec(
            name,
            encoder=partial(_as_json, prefix),
            decoder=partial(_of_json, len(prefix)),
            schema="pg_catalog",
            format="binary",
        )


def _as_json(prefix: bytes, text: str) -> bytes:
    return prefix + text.encode()


def _of_json(begins: int, data: bytes) -> Any:
    return orjson.loads(data[begins:])
