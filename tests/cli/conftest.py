"""The real command in a process of its own, on real servers: one API and one worker for all tests that ask for them."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from tests.cli.forks import Forks
from tests.databases import ROOT
from tests.service import make_key
from tests.stack import Stack


@dataclass(frozen=True, slots=True)
class Command:
    """`quire`, called from an empty folder with an environment."""

    folder: Path
    environment: Mapping[str, str]
    forks: Forks

    def __call__(self, *arguments: str | Path, **changed: str) -> subprocess.CompletedProcess[str]:
        """Call it, and return what it said once it has ended."""
        told = [str(argument) for argument in arguments]
        return self.forks.call(told, folder=self.folder, environment={**self.environment, **changed})

    def line(self, *arguments: str | Path) -> list[str]:
        """The command's line."""
        return [sys.executable, "-m", "app.cli", *map(str, arguments)]


def environment_of(settings: Settings) -> dict[str, str]:
    """An environment that says the same as some settings, and nothing of whoever runs the tests."""
    said = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name in settings.model_fields_set
        if (value := getattr(settings, name)) is not None
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **said}


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """What all calls of the command go through: to start Python and import it takes longer than most calls."""
    forks = Forks(tmp_path_factory.mktemp("forks"))
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def quire(stack: Stack, forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command, with a key to a server that has a worker."""
    folder = tmp_path_factory.mktemp("cli")
    with stack.fresh_settings(folder / "quire") as lent, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        settings = lent.model_copy(
            update={"textract_async_initial_delay_seconds": 0.2, "textract_async_polling_interval_seconds": 0.3}
        )
        environment = environment_of(settings)
        address = f"http://127.0.0.1:{port}"
        with _child(environment, folder, "app.serve", "--port", str(port)), _child(environment, folder, "workers"):
            _wait_for(f"{address}/health/ready")
            key = asyncio.run(make_key(settings))
            yield Command(folder, {**environment, "QUIRE_URL": address, "QUIRE_API_KEY": key}, forks)


@contextmanager
def _child(environment: Mapping[str, str], folder: Path, *module: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", *module], cwd=folder, env=dict(environment))
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(url: str) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(url)
