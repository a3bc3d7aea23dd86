"""The servers that the tests run on: the embedded ones, started once, with a database of its own for every test."""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import asyncpg
import redis
from alembic import command
from alembic.config import Config

from app.config import Settings

ROOT = Path(__file__).parent.parent
Result = TypeVar("Result")


class Servers:
    """Postgres, Valkey, S3 and Textract: ours, or those that the environment points to."""

    def __init__(self, only: Sequence[str] = ()) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="quire-tests-"))
        # Not from the checkout: a developer's .env may lead to databases that no test should see.
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "app.embedded", "--only", ",".join(only or _parts())),
                *("--data-dir", str(self._folder), "--volatile"),
            ],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError("The servers for the tests did not start; what they said is in the captured stderr.")
        self.environment: dict[str, str] = json.loads(line)

    def stop(self) -> None:
        """Stop what was started, and remove its data."""
        # They end with their standard input, so they also end when the tests are killed.
        self._process.communicate(timeout=15)
        shutil.rmtree(self._folder, ignore_errors=True)


class Admin:
    """A connection that runs one statement at a time, whoever sends it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self._turn = asyncio.Lock()

    async def execute(self, statement: str) -> None:
        """Run a statement when those before it are done."""
        async with self._turn:
            await self.connection.execute(statement)


class Databases:
    """A migrated database for every test, copied from a template before it is asked for, dropped behind its back."""

    def __init__(self, server_url: str, *, migrate: bool = True) -> None:
        self._server_url = server_url
        self._template = f"quire_template_{secrets.token_hex(4)}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="databases", daemon=True)
        self._thread.start()
        self._drops: list[Future[None]] = []
        self._creating = Admin(self._call(asyncpg.connect(server_url)).result())
        self._dropping = Admin(self._call(asyncpg.connect(server_url)).result())
        self._call(self._creating.execute(f"CREATE DATABASE {self._template}")).result()
        if migrate:
            _migrate(self._url(self._template))
        self._next = self._call(self._create())

    def take(self) -> str:
        """Return the URL of a fresh database."""
        url = self._next.result()
        self._next = self._call(self._create())
        return url

    def give_back(self, url: str) -> None:
        """Drop the database, however many connections are still open."""
        self._drops.append(self._call(self._drop(_name_of(url))))

    def close(self) -> None:
        """Leave the server as it was found."""
        self.give_back(self._next.result())
        for drop in self._drops:
            drop.result()
        self._call(self._drop(self._template)).result()
        for admin in (self._creating, self._dropping):
            self._call(admin.connection.close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _create(self) -> str:
        name = f"t_{secrets.token_hex(6)}"
        await self._creating.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self._url(name)

    async def _drop(self, name: str) -> None:
        await self._dropping.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return urlsplit(self._server_url)._replace(path=f"/{name}").geturl()


class RedisDatabases:
    """An empty Redis database for every test, by turns; the first is left to whoever else uses the server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = redis.Redis.from_url(url, single_connection_client=True)
        self._count = int(cast("dict[str, str]", self._client.config_get("databases"))["databases"])
        self._number = 0

    def take(self) -> str:
        """Return the URL of an empty database."""
        self._number = self._number % (self._count - 1) + 1
        self._client.select(self._number)
        self._client.flushdb()
        return urlsplit(self._url)._replace(path=f"/{self._number}").geturl()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class Stack:
    """What the tests share, and what each gets for itself."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._databases = Databases(environment["DATABASE_URL"])
        self._redis = RedisDatabases(environment["REDIS_URL"])

    @contextmanager
    def fresh_settings(self, data_dir: Path) -> Iterator[Settings]:
        """Lend a database and a Redis database of their own, with the bucket and the Textract server of all."""
        values: dict[str, Any] = {name.lower(): value for name, value in self.environment.items()}
        values |= {"quire_data_dir": data_dir, "redis_url": self._redis.take(), "database_url": self._databases.take()}
        try:
            yield Settings(_env_file=None, **values)
        finally:
            self._databases.give_back(values["database_url"])

    def close(self) -> None:
        """Give everything back."""
        self._redis.close()
        self._databases.close()


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Run the servers for as long as the tests need them."""
    servers = Servers()
    try:
        stack = Stack(servers.environment)
        try:
            yield stack
        finally:
            stack.close()
    finally:
        servers.stop()


def _parts() -> list[str]:
    textract = ["textract"] if (ROOT / "app" / "textract_server" / "main.py").exists() else []
    return ["postgres", "valkey", "s3", *textract]


def _migrate(url: str) -> None:
    if not (ROOT / "alembic.ini").exists():
        return
    config = Config(ROOT / "alembic.ini")
    config.attributes["settings"] = Settings(_env_file=None, database_url=url)
    # In a thread: Alembic runs an event loop of its own, and this one may have one already.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(command.upgrade, config, "head").result()


def _name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
