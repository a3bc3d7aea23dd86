"""The folder that one stack keeps everything in, and the lock that keeps a second stack out of it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import StackError


@dataclass(frozen=True, slots=True)
class DataDir:
    """Where the data, logs, secrets and process records of one stack are."""

    root: Path

    @classmethod
    def create(cls, path: Path) -> "DataDir":
        """Make the folder and those within it where they are missing."""
        data_dir = cls(path.expanduser().resolve())
        try:
            data_dir.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (data_dir.logs, data_dir.processes):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise StackError(f"QUIRE_DATA_DIR ({data_dir.root}) can't be used: {error.strerror}.") from error
        return data_dir

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        return self.root / "processes"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def address(self) -> Path:
        """Where the API of the last stack was that became ready, for commands that are called from the same folder."""
        return self.root / "address"

    def part(self, name: str) -> Path:
        """Return the folder of one server's data."""
        return self.root / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this folder for one stack; the kernel lets go of it however the stack ends."""
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StackError(
                f"{self.root} can't be used ({error.strerror}): an earlier start was made by another user, or as root.\n"
                "Start as that user again, or set QUIRE_DATA_DIR to a folder of your own."
            ) from error
        try:
            _lock(descriptor, self.root)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise StackError(
            f"Quire is running already on {root} (process {holder}).\n"
            "Stop that one first, or set QUIRE_DATA_DIR to another folder for a second Quire."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
