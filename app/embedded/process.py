"""One child process: started so that it dies with us, and ended together with whatever it started itself."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.embedded.probes import Probe

LOG_BYTES_KEPT = 10 * 1024 * 1024
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that a child runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start a child, how to see that it is ready, and how to end it."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    probe: Probe
    """Returns once the child can be used, raises while it can't."""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    """What the kernel sends when we are gone without a word (Linux)."""
    stop_rank: int = 0
    """Children are stopped from the highest rank down, those of one rank together."""
    account: Account | None = None
    prepare: Callable[[], None] | None = None
    """Runs before each start, to clear away what a crash may have left."""


def open_log(path: Path) -> int:
    """Open a log for appending; one that has grown large is set aside first."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES_KEPT:
            path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


async def spawn(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    log: Path,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> asyncio.subprocess.Process:
    """Start a process in a session of its own, so that Ctrl-C in the terminal reaches us and not it."""
    descriptor = open_log(log)
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_die_with_parent(death_signal),
        )
    finally:
        os.close(descriptor)


async def run_to_end(
    argv: tuple[str, ...], *, env: Mapping[str, str], log: Path, account: Account | None = None
) -> int:
    """Run a process to its end and return its exit code; it doesn't outlive this call, however that ends."""
    process = await spawn(argv, env=env, log=log, account=account, death_signal=signal.SIGKILL)
    try:
        return await process.wait()
    finally:
        signal_group(process.pid, signal.SIGKILL)
        await process.wait()


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None  # There, what a killed stack left running is found and ended at the next start.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # Gone before we could ask to be told.
            os._exit(1)

    return before_exec


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child and all that it started and that stayed in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
