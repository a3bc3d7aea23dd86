"""Starts worker processes at the price of a fork: a program that imports once, and forks for every line it reads."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.config import Settings
from tests.workers.running import environment_of
from workers.main import run

PR_SET_PDEATHSIG = 1


class Nursery:
    """A family of worker processes."""

    def __init__(self, settings: Settings) -> None:
        self.living: list[int] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            env=environment_of(settings),
            cwd=settings.quire_data_dir.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def born(self) -> int:
        """Start another worker, and return its process id."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.living.append(int(self.process.stdout.readline()))
        return self.living[-1]

    def kill(self, pid: int) -> None:
        """End a worker as a power cut would."""
        os.kill(pid, signal.SIGKILL)
        self.living.remove(pid)


@contextmanager
def a_nursery(settings: Settings) -> Iterator[Nursery]:
    """Worker processes of which none is left at the end."""
    nursery = Nursery(settings)
    try:
        yield nursery
    finally:
        for pid in nursery.living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        nursery.process.communicate(timeout=15)


def main() -> None:
    """Fork a worker for every line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's business
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # none outlives the test, however that ends
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # standard output is for process ids
            run(Settings())
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
