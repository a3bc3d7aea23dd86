"""A stack of the benchmark's own: the real processes, in a folder that is thrown away."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.config import Settings

ROOT = Path(__file__).parent.parent
OK = 200


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that runs: where its parts are, and its processes."""

    environment: dict[str, str]
    process: psutil.Process

    @property
    def settings(self) -> Settings:
        """Settings that lead to it."""
        values: dict[str, Any] = {name.lower(): value for name, value in self.environment.items()}
        return Settings(_env_file=None, **values)

    @property
    def address(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.environment['QUIRE_PORT']}"

    @property
    def authorization(self) -> dict[str, str]:
        """The header with its API key."""
        return {"Authorization": f"Bearer {self.environment['QUIRE_API_KEY']}"}

    def processes(self) -> dict[int, psutil.Process]:
        """All its processes, the supervisor's included."""
        return {each.pid: each for each in [self.process, *self.process.children(recursive=True)]}

    def named(self, name: str) -> psutil.Process:
        """The process of a title, as `ps` shows it."""
        for process in self.processes().values():
            if " ".join(process.cmdline()).strip().startswith(name):
                return process
        raise LookupError(name)


UNLIMITED = {"REQUESTS_PER_SECOND": "0"}
"""What is measured is the service, and not its limits."""


@contextmanager
def running_stack(
    port: int, only: Sequence[str] = (), *, kept_in: Path | None = None, **extra: str
) -> Iterator[RunningStack]:
    """The embedded stack, or only some of its parts, with the API on a port, and what else is to be set; durable, as
    `make run` has it. Its data are thrown away unless they are to be kept in a folder."""
    with (
        nullcontext(str(kept_in)) if kept_in else tempfile.TemporaryDirectory(prefix="quire-bench-", dir="/var/tmp")
    ) as folder:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "app.embedded", "--data-dir", folder),
                *(("--only", ",".join(only)) if only else ()),
            ],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "QUIRE_PORT": str(port),
                "LOG_LEVEL": "WARNING",
                **UNLIMITED,
                **extra,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            environment: dict[str, str] = json.loads(process.stdout.readline())
            yield RunningStack(environment, psutil.Process(process.pid))
        finally:
            process.communicate(timeout=20)


async def settle(stack: RunningStack) -> None:
    """Wait until every part answers, and let what was started come to rest."""
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=stack.address) as client:
        while (await client.get("/health/ready")).status_code != OK:  # noqa: ASYNC110 (nobody tells us)
            await asyncio.sleep(0.5)
    await asyncio.sleep(2)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
