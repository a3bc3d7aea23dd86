"""What is looked at before the first byte is sent: the options, whether the server would take it, and the files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.batches.drafts import Strictness
from app.cli.connection import CommandError, Server, patiently
from app.cli.output import problem_line
from app.jobs.states import Priority

HOPELESS = frozenset({"no_workers", "storage_unavailable", "ocr_engines_away"})
"""Codes with which a pre-flight refuses what may still be sent with `warn`."""

OF_THE_FILE = frozenset({"document_empty", "document_too_large", "request_invalid"})
"""Codes with which the server refuses one file, and none of the others."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file isn't sent."""

    code: str
    message: str

    def said(self, path: Path) -> dict[str, Any]:
        """As the server's own refusals, but that it has no number in a batch."""
        return {"number": None, "code": self.code, "message": self.message, "document": str(path)}


def parsed_options(said: str | None) -> Mapping[str, Any]:
    """The options as they were given. Raises `CommandError` where they are no JSON object."""
    try:
        options = orjson.loads(said) if said else {}
    except orjson.JSONDecodeError:
        options = None
    if not isinstance(options, dict):
        raise CommandError("""--options must be a JSON object, such as '{"entity_resolution": false}'.""")
    return options


async def check_batch(server: Server, priority: Priority, options: Mapping[str, Any], preflight: Strictness) -> None:
    """Ask whether the server would take a batch. Raises `CommandError` with what would keep it from that."""
    try:
        await _check(server, priority, options, preflight)
    except CommandError as error:
        if error.code not in HOPELESS:
            raise
        sentence = f"{error.sentence} Nothing was sent; --preflight warn sends it all the same."
        raise CommandError(sentence, code=error.code) from error


async def check_documents(server: Server, priority: str, options: Mapping[str, Any]) -> None:
    """Ask whether documents would be read like that, and say what they will wait for. Raises `CommandError`."""
    for warning in await _check(server, priority, options, Strictness.WARN):
        # What batches are taken apart by is nothing to documents that are submitted one by one.
        unserved = [queue for queue in warning["queues"] if not queue.startswith("batch.")]
        if unserved:
            names = ",".join(unserved)
            message = f"No live worker serves {names}: documents wait. Start one with `quire worker --queues {names}`."
            problem_line(f"{message} [{warning['code']}]")
        elif not warning["queues"]:
            problem_line(f"{warning['message']} [{warning['code']}]")


def look_at(path: Path) -> int | Refusal:
    """A file's size in bytes, or why it can't be sent as it is now."""
    try:
        if path.is_dir():
            return Refusal("file_unreadable", "It is a folder; a batch is made of files.")
        if not path.is_file():
            return Refusal("file_not_found", "There is no such file.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return size if file.read(1) else Refusal("document_empty", "The file has no bytes.")
    except OSError as error:
        return unreadable(error)


def unreadable(error: OSError) -> Refusal:
    """What a file is refused with that the system doesn't let us read."""
    if isinstance(error, FileNotFoundError):
        return Refusal("file_not_found", "The file was taken away while others were sent.")
    return Refusal("file_unreadable", f"The file can't be read: {error.strerror or type(error).__name__}.")


async def _check(
    server: Server, priority: str, options: Mapping[str, Any], preflight: Strictness
) -> list[dict[str, Any]]:
    said = {"priority": priority, "options": options, "preflight": preflight}
    answer = await patiently(lambda: server.post("/v1/batches/check", said))
    warnings: list[dict[str, Any]] = answer["warnings"]
    return warnings
