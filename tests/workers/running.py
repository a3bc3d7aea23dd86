"""Worker processes, as an operator starts them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pydantic import SecretStr

from app.config import Settings

ROOT = Path(__file__).parents[2]


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that leads a process to the same settings."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    plain = {
        name.upper(): str(value.get_secret_value() if isinstance(value, SecretStr) else value)
        for name, value in values.items()
        if value is not None
    }
    return {**os.environ, **plain, "PYTHONPATH": str(ROOT), "LOG_FORMAT": "console", "LOG_LEVEL": "INFO"}


class WorkerProcess:
    """One `python -m workers`, whose output is kept."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        # Not from the checkout: a developer's .env is no part of the test.
        self.log = Path(tempfile.mkstemp(prefix="worker-", suffix=".log", dir=settings.quire_data_dir.parent)[1])
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers", *arguments],
                cwd=settings.quire_data_dir.parent,
                env=environment_of(settings),
                stdout=log,
                stderr=log,
            )

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self.log.read_text()

    @property
    def title(self) -> str:
        """What `ps` shows of it."""
        return " ".join(psutil.Process(self.process.pid).cmdline())

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would, with whatever it started."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        for process in [psutil.Process(self.process.pid), *children]:
            process.kill()
        self.process.wait(5)

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def a_worker(settings: Settings, *arguments: str) -> Iterator[WorkerProcess]:
    """A worker process that is gone at the end, however it went."""
    worker = WorkerProcess(settings, *arguments)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.send(signal.SIGCONT)
            worker.kill()
