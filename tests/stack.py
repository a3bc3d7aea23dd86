"""The servers that the tests run on: the embedded ones, started once, with a database of its own for every test."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import redis

from app.config import Settings
from tests.databases import ROOT, Databases


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
        values: dict[str, Any] = {name.lower(): value for name, value in environment.items()}
        # Read and checked once: that takes longer than many a test.
        self._settings = Settings(_env_file=None, **values)

    @contextmanager
    def fresh_settings(self, data_dir: Path) -> Iterator[Settings]:
        """Lend a database and a Redis database of their own, with the bucket and the Textract server of all."""
        own: dict[str, Any] = {"quire_data_dir": data_dir, "redis_url": self._redis.take()}
        own["database_url"] = self._databases.take()
        try:
            yield self._settings.model_copy(update=own)
        finally:
            self._databases.give_back(own["database_url"])

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
