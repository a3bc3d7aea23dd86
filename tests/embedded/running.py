"""A stack that a test starts, hurts and stops: the same program that `quire up` runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
# What may be set where the tests run: here each stack has its own servers.
POINTERS = (
    "DATABASE_URL",
    "REDIS_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_TEXTRACT",
    "LOCAL_TEXTRACT_ENDPOINT_URL",
    "OCR_ENGINES",
    "S3_BUCKET",
)


class RunningStack:
    """One run of the stack on a data directory."""

    def __init__(self, data_dir: Path, only: str, env: Mapping[str, str], user: int | None = None) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in POINTERS}
        self.errors = data_dir.with_name(f"{data_dir.name[:50]}.stderr")
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.embedded", "--only", only, "--data-dir", data_dir],
                cwd=data_dir.parent,
                env={**inherited, "PYTHONPATH": str(ROOT), **env},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(20)
        self.environment: dict[str, str] = json.loads(line or "{}")
        self.family = _family(self.process.pid)

    @property
    def said(self) -> str:
        return self.errors.read_text()

    def child(self, program: str) -> psutil.Process:
        """Return the direct child that runs this program."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.name().startswith(program))

    def stop(self) -> float:
        """Ask it to stop, and return how many seconds it took."""
        began = time.monotonic()
        self.family = _family(self.process.pid) or self.family
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - began

    def kill_all(self) -> None:
        """Kill every process of it at once, as a power cut would."""
        for process in _family(self.process.pid):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(5)

    def left_over(self, *, within: float = 0) -> list[psutil.Process]:
        """Return what of it still runs after that time."""
        _, alive = psutil.wait_procs(self.family, timeout=within)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def a_stack(
    data_dir: Path, only: str = "postgres,valkey", *, user: int | None = None, **env: str
) -> Iterator[RunningStack]:
    """Run a stack, and leave nothing of it."""
    stack = RunningStack(data_dir, only, env, user)
    try:
        yield stack
    finally:
        stack.close()


def eventually(holds: Callable[[], bool], within: float = 15) -> None:
    """Wait until this holds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def _family(pid: int) -> list[psutil.Process]:
    try:
        supervisor = psutil.Process(pid)
        return [supervisor, *supervisor.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
