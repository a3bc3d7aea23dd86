"""What an earlier run left running: every child is written down when it starts, so that the next start can find it."""

import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.embedded.errors import StackError

# Clocks of the kernel tick in hundredths of a second; a process id can't come round again in this time.
CLOCK_TOLERANCE_SECONDS = 1.0
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """A child as it was started. The time tells it from a later process with the same id."""

    name: str
    pid: int
    started_at: float


def remember(folder: Path, name: str, pid: int) -> None:
    """Write down that this child runs."""
    with suppress(psutil.NoSuchProcess):
        record = {"pid": pid, "started_at": psutil.Process(pid).create_time()}
        (folder / f"{name}.json").write_text(json.dumps(record))


def recorded_pid(folder: Path, name: str) -> int:
    """Return the process id of a child that runs."""
    record = _read(folder / f"{name}.json")
    if record is None:
        raise StackError(f"{name} is not written down as running.")
    return record.pid


def forget(folder: Path, name: str) -> None:
    """Take down a child that has ended, with all that it had started."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def end_orphans(folder: Path) -> list[str]:
    """End what an earlier run left running, politely first, and return the names of what had to be ended."""
    records = [_read(path) for path in sorted(folder.glob("*.json"))]
    left = {record.name: _processes_of(record) for record in records if record is not None}
    everything = [process for processes in left.values() for process in processes]
    for process in everything:
        _send(process, signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, stubborn = psutil.wait_procs(everything, timeout=GRACE_SECONDS)
    for process in stubborn:
        _send(process, signal.SIGKILL)
    _, immortal = psutil.wait_procs(stubborn, timeout=GRACE_SECONDS)
    if immortal:
        raise StackError(f"Processes of an earlier run can't be ended: {', '.join(str(p.pid) for p in immortal)}.")
    for path in folder.glob("*.json"):
        path.unlink()
    return [name for name, processes in left.items() if processes]


def _read(path: Path) -> Record | None:
    try:
        content = json.loads(path.read_text())
        return Record(path.stem, int(content["pid"]), float(content["started_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # Half written by a crash.


def _processes_of(record: Record) -> list[psutil.Process]:
    if record.started_at < psutil.boot_time() - CLOCK_TOLERANCE_SECONDS:
        return []
    try:
        leader = psutil.Process(record.pid)
        if abs(leader.create_time() - record.started_at) > CLOCK_TOLERANCE_SECONDS:
            return []  # The id belongs to somebody else by now.
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process for process in psutil.process_iter() if _session_of(process.pid) == record.pid]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
