"""`quire status` and `quire result`: how a document, job or batch is doing, and what was read."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import orjson

from app.cli.connection import CommandError, Server, check, connected, reaching
from app.cli.ids import check_ids
from app.cli.output import say, table

FORMATS: Mapping[str, str] = {
    "text": "text",
    "markdown": "markdown",
    "json": "pages",
    "textract": "textract",
    "hocr": "hocr",
    "alto": "alto",
    "pdf": "searchable.pdf",
    "chunks": "chunks",
    "entities": "entities",
    "relationships": "relationships",
    "trace": "trace.json",
}
"""What each format is called in the address of a document."""

LISTS = frozenset({"json", "chunks", "entities", "relationships"})
"""Formats that come page by page; each item is printed as a line of JSON."""


async def status(name: str, *, as_json: bool) -> None:
    """Print how a document, a job or a batch is doing, whichever has the id."""
    async with connected() as server:
        kind, found = await _find(server, name)
    if as_json:
        say(found)
        return
    shown = {"document": _of_document, "job": of_job, "batch": _of_batch}[kind](found)
    table(("", ""), [(name, value) for name, value in shown.items() if value is not None])


async def result(document_id: str, *, wanted: str, to: Path | None) -> None:
    """Print what was read in a format, or write it to a file."""
    if wanted not in FORMATS:
        raise CommandError(f"There is no format {wanted!r}; there are: {', '.join(FORMATS)}.")
    check_ids("document", document_id)
    if wanted == "pdf" and to is None and sys.stdout.isatty():
        raise CommandError("A PDF is nothing for a terminal; name a file with --output.")
    path = f"/v1/documents/{document_id}/{FORMATS[wanted]}"
    async with connected() as server:
        with opened(to) as out:
            if wanted in LISTS:
                async for item in server.listed(path):
                    out.write(_line(item))
            else:
                await copied(server, path, out)


@contextmanager
def opened(to: Path | None) -> Iterator[BinaryIO]:
    """A file to write to, or standard output. Raises `CommandError` where it can't be written."""
    if to is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        file = to.open("wb")
    except OSError as error:
        raise CommandError(f"{to} can't be written: {error.strerror}.") from error
    with file:
        yield file


async def copied(server: Server, path: str, out: BinaryIO) -> None:
    """Write what a path answers with, piece by piece."""
    with reaching(server.client):
        async with server.client.stream("GET", path) as answer:
            await check(answer)
            async for piece in answer.aiter_bytes():
                out.write(piece)


def _line(item: Any) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE)


async def _find(server: Server, name: str) -> tuple[str, dict[str, Any]]:
    for kind, path in (("document", "documents"), ("job", "jobs"), ("batch", "batches")):
        found = await _get(server, f"/v1/{path}/{name}")
        if found is not None:
            return kind, found
    raise CommandError(f"There is no document, job or batch with the id {name}.")


async def _get(server: Server, path: str) -> dict[str, Any] | None:
    with reaching(server.client):
        answer = await server.client.get(path)
    if answer.status_code in {httpx.codes.NOT_FOUND, httpx.codes.UNPROCESSABLE_ENTITY}:
        return None
    await check(answer)
    found: dict[str, Any] = answer.json()
    return found


def _of_document(document: Mapping[str, Any]) -> dict[str, object]:
    steps = {name: each["status"] for name, each in document["state"].items()}
    return {
        "document": document["id"],
        "file": document["filename"],
        "pages": document["page_count"],
        **{f"  {name}": said for name, said in steps.items() if name != "last_update"},
        **of_job(document["job"]),
    }


def of_job(job: Mapping[str, Any]) -> dict[str, object]:
    """What a person is shown of a job."""
    progress, error = job["progress"], job["error"]
    return {
        "job": job["id"],
        "state": job["state"],
        "stage": job["stage"],
        "progress": f"{progress['fraction']:.0%}, {progress['pages_done']} of {progress['pages_total'] or '?'} pages",
        "attempts": job["attempts"] or None,
        "queue position": job["queue_position"],
        "cost": f"${job['cost_microdollars'] / 1e6:.4f}" if job["cost_microdollars"] else None,
        "error": f"{error['message']} [{error['code']}]" if error else None,
    }


def _of_batch(batch: Mapping[str, Any]) -> dict[str, object]:
    return {name: value for name, value in batch.items() if not isinstance(value, dict | list)} | {
        name: ", ".join(f"{key} {count}" for key, count in value.items() if count)
        for name, value in batch.items()
        if isinstance(value, dict)
    }
