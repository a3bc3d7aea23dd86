"""A migrated, empty database for every test: copied from a template, and lent again to another test once it is emptied."""

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.config import Config

from app.config import Settings

ROOT = Path(__file__).parent.parent
READY = 2
"""So many are made before they are asked for: one is lent while the other is emptied."""
LARGE_PAGES = 64
"""A database with a table of so many pages isn't lent again: what was deleted would still be read over."""

Result = TypeVar("Result")

TABLES = """
    SELECT quote_ident(relname) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' ORDER BY oid
"""
# What a migration or a test makes has an id above those that Postgres itself takes.
LOOK = """
    SELECT string_agg(concat_ws(' ', oid, relname, relnatts, relchecks, relhastriggers, relpages, reltuples), ','
                      ORDER BY oid),
           (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_attrdef), (SELECT count(*) FROM pg_constraint),
           (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace)
    FROM pg_class WHERE oid >= 16384
"""
IS_LARGE = f"""
    SELECT bool_or(pg_relation_size(oid) > {LARGE_PAGES} * current_setting('block_size')::int) FROM pg_class
    WHERE oid >= 16384 AND relkind IN ('r', 't')
"""
RESTART_SEQUENCES = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"


class Admin:
    """A connection that runs one statement at a time, whoever sends it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self._turn = asyncio.Lock()

    async def execute(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own, when those before them are done."""
        async with self._turn:
            for statement in statements:
                await self.connection.execute(statement)


class Databases:
    """Databases to be lent, each under a name that none had before, made and emptied behind the tests' backs."""

    def __init__(self, server_url: str, *, migrate: bool = True) -> None:
        self._server_url = server_url
        self._template = f"quire_template_{secrets.token_hex(4)}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="databases", daemon=True)
        self._thread.start()
        self._creating = Admin(self._call(asyncpg.connect(server_url)).result())
        self._changing = Admin(self._call(asyncpg.connect(server_url)).result())
        self._call(self._creating.execute(f"CREATE DATABASE {self._template}")).result()
        if migrate:
            migrated(self._url(self._template))
        self._look, self._empty = self._call(self._examine()).result()
        self._ready = deque(self._call(self._create()) for _ in range(READY))

    def take(self) -> str:
        """Return the URL of an empty database."""
        if not self._ready:
            self._ready.append(self._call(self._create()))
        return self._ready.popleft().result()

    def give_back(self, url: str) -> None:
        """End whatever is still connected to the database, and make it ready for another test."""
        self._ready.append(self._call(self._renew(_name_of(url))))

    def close(self) -> None:
        """Leave the server as it was found."""
        for ready in self._ready:
            self._call(self._drop(_name_of(ready.result()))).result()
        self._call(self._drop(self._template)).result()
        for admin in (self._creating, self._changing):
            self._call(admin.connection.close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _examine(self) -> tuple[tuple[Any, ...], str]:
        """What the template looks like, and the statements that empty a copy of it."""
        connection = await asyncpg.connect(self._url(self._template))
        try:
            tables = [row[0] for row in await connection.fetch(TABLES)]
            filled = [table for table in tables if await connection.fetchval(f"SELECT count(*) FROM {table}")]
            if filled:
                raise RuntimeError(f"The migrations leave rows in {', '.join(filled)}, which no emptied database has.")
            return await _look(connection), ";".join(f"DELETE FROM {table}" for table in tables)
        finally:
            await connection.close()

    async def _create(self) -> str:
        name = _new_name()
        # File by file takes a quarter of the time that going through the write-ahead log takes.
        await self._creating.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY")
        return self._url(name)

    async def _renew(self, old: str) -> str:
        """The database, emptied, or another in its place; under another name, so that what is left over of a test can't find it."""
        name = _new_name()
        await self._changing.execute(
            f"ALTER DATABASE {old} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{old}'",
            f"ALTER DATABASE {old} RENAME TO {name}",
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS true",
        )
        connection = await asyncpg.connect(self._url(name))
        try:
            is_as_new = await self._is_emptied(connection)
        finally:
            await connection.close()
        if is_as_new:
            return self._url(name)
        await self._drop(name)
        return await self._create()

    async def _is_emptied(self, connection: asyncpg.Connection) -> bool:
        """Delete all rows; false where the test has left more than rows behind."""
        if await _look(connection) != self._look or await connection.fetchval(IS_LARGE):
            return False
        # As a replica it doesn't look for rows that refer to those that go.
        await connection.execute(f"SET session_replication_role = replica; {self._empty}; {RESTART_SEQUENCES}")
        return True

    async def _drop(self, name: str) -> None:
        await self._changing.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return urlsplit(self._server_url)._replace(path=f"/{name}").geturl()


def migrated(url: str) -> None:
    """Migrate a database."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["settings"] = Settings(_env_file=None, database_url=url)
    # In a thread: Alembic runs an event loop of its own, and this one may have one already.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(command.upgrade, config, "head").result()


async def _look(connection: asyncpg.Connection) -> tuple[Any, ...]:
    row = await connection.fetchrow(LOOK)
    assert row is not None
    return tuple(row)


def _new_name() -> str:
    return f"t_{secrets.token_hex(6)}"


def _name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
