"""A journal beside a folder or manifest: what has been sent already, so that a second call goes on where the first ended.

Lines of JSON that are only ever appended, and a lock on the file for as long as a command works with it. It is removed
once all batches are accepted.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from app.cli.connection import CommandError


def default_journal(place: Path) -> Path:
    """Where the journal of a folder or a manifest is."""
    whole = place.resolve()
    return whole.with_name(f".{whole.name}.quire-journal")


def size_of(path: Path) -> int:
    """A file's size in bytes."""
    return path.stat().st_size


@dataclass(slots=True)
class SentFile:
    """An upload that was begun."""

    upload_id: str
    size_bytes: int
    mtime_ns: int
    is_whole: bool = False
    """Whether all its bytes were sent."""


@dataclass(slots=True)
class Journal:
    """What has been done of a submission."""

    file: BufferedRandom
    path: Path
    server: str
    run: str = field(default_factory=lambda: str(uuid4()))
    """The name of this submission, under which its batches are made once."""
    files: dict[str, SentFile] = field(default_factory=dict)
    batches: dict[int, str] = field(default_factory=dict)
    """Those that were accepted, by the number of their slice."""
    refused: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """What of those slices was refused."""
    resumed: bool = False

    def known(self, path: Path) -> SentFile | None:
        """The upload of a file as it is now; None where there is none, or where the file has changed since."""
        sent, now = self.files.get(str(path.resolve())), path.stat()
        unchanged = sent is not None and (sent.size_bytes, sent.mtime_ns) == (now.st_size, now.st_mtime_ns)
        return sent if unchanged else None

    def begun(self, path: Path, upload_id: str) -> SentFile:
        """Write down that an upload was begun."""
        name, now = str(path.resolve()), path.stat()
        sent = self.files[name] = SentFile(upload_id, now.st_size, now.st_mtime_ns)
        self._write({"file": name, "upload_id": upload_id, "size_bytes": now.st_size, "mtime_ns": now.st_mtime_ns})
        return sent

    def whole(self, sent: SentFile) -> None:
        """Write down that all of an upload was sent."""
        sent.is_whole = True
        self._write({"whole": sent.upload_id})

    def accepted(self, number: int, batch_id: str, refused: Sequence[Mapping[str, Any]]) -> None:
        """Write down that a batch was accepted, and what of its slice wasn't."""
        self._write({"slice": number, "batch_id": batch_id, "refused": refused})

    def remove(self) -> None:
        """All is done: the next call is another submission."""
        self.path.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        self.file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self.file.flush()

    def read(self) -> None:
        """Take in what an earlier call has written; a last line that was cut off counts for nothing.

        Raises `CommandError` where it was of another server.
        """
        self.file.seek(0)
        by_id: dict[str, SentFile] = {}
        line = b"\n"
        for line in self.file:
            try:
                said = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            self._take(said, by_id)
        self.file.seek(0, os.SEEK_END)
        if not line.endswith(b"\n"):
            self.file.write(b"\n")
        if not self.resumed:
            self._write({"server": self.server, "run": self.run})

    def _take(self, said: dict[str, Any], by_id: dict[str, SentFile]) -> None:
        match said:
            case {"server": server, "run": run}:
                if server != self.server:
                    raise CommandError(
                        f"{self.path} is of a submission to {server}. Finish that one, remove the file, or name another with --journal."
                    )
                self.run, self.resumed = run, True
            case {"file": name, "upload_id": upload_id, "size_bytes": size, "mtime_ns": mtime}:
                self.files[name] = by_id[upload_id] = SentFile(upload_id, size, mtime)
            case {"whole": upload_id} if upload_id in by_id:
                by_id[upload_id].is_whole = True
            case {"slice": number, "batch_id": batch_id}:
                self.batches[number], self.refused[number] = batch_id, said.get("refused", [])


@contextmanager
def open_journal(path: Path, server: str) -> Iterator[Journal]:
    """The journal, held for this process alone. Raises `CommandError` where it can't be used."""
    try:
        file = path.open("ab+")
    except OSError as error:
        raise CommandError(f"{path} can't be written ({error.strerror}); name another with --journal.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(f"Another `quire batch submit` is at work on {path}; wait for its end.") from error
        journal = Journal(file, path, server)
        journal.read()
        yield journal
