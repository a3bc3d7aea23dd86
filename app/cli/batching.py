"""`quire batch submit`: files straight to the object storage, then batches of them, and on to their ends."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from app.batches.drafts import Strictness
from app.cli.connection import FAILED, CommandError, Server, connected, first_of, patiently
from app.cli.following import follow_batch
from app.cli.journal import Journal, default_journal, open_journal, size_of
from app.cli.manifest import Entry, read_entries
from app.cli.output import problem_line, say
from app.cli.sending import STORE_TIMEOUT, Sender
from app.jobs.states import Priority

MOST_ITEMS = 10_000
"""The most documents of one batch."""

FILES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class BatchWishes:
    """What is said of a whole submission."""

    priority: Priority = Priority.NORMAL
    options: str | None = None
    preflight: Strictness = Strictness.REQUIRE
    journal: Path | None = None
    wait: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """As much of a submission as makes one batch."""

    number: int
    priority: Priority
    entries: Sequence[Entry]


async def submit_batch(place: Path, wishes: BatchWishes) -> int:
    """Submit a folder or a manifest; returns `FAILED` where a document was refused or, with `wait`, failed."""
    entries = read_entries(place)
    _check_files(entries)
    options = _options(wishes.options)
    slices = list(_slices(entries, wishes.priority))
    async with connected() as server:
        if wishes.preflight is Strictness.REQUIRE:
            await _check_workers(server, {each.priority for each in slices})
        with open_journal(wishes.journal or default_journal(place), str(server.client.base_url)) as journal:
            if journal.resumed:
                problem_line(f"Going on from where an earlier call was ended ({journal.path}).")
            accepted = [
                (each, await _submit_slice(server, journal, each, options, wishes.preflight)) for each in slices
            ]
            journal.remove()
        return await _tell(server, accepted, wishes)


async def _submit_slice(
    server: Server, journal: Journal, part: Slice, options: Mapping[str, Any], preflight: Strictness
) -> dict[str, Any]:
    """The batch of a slice, made where no earlier call has made it."""
    if part.number in journal.batches:
        return {"batch": await server.get(f"/v1/batches/{journal.batches[part.number]}"), "refused": []}
    uploads = await _send_files(server, journal, [entry.path for entry in part.entries if entry.path is not None])
    body = {
        "documents": [entry.item(uploads.get(entry.path) if entry.path else None) for entry in part.entries],
        "priority": part.priority,
        "options": options,
        "preflight": preflight,
    }
    # Under the same name for the same documents of this submission, so that a lost answer makes no second batch.
    name = f"{journal.run}-{hashlib.sha256(orjson.dumps(body)).hexdigest()[:32]}"
    accepted: dict[str, Any] = await patiently(lambda: server.post("/v1/batches", body, **{"Idempotency-Key": name}))
    journal.accepted(part.number, accepted["batch"]["id"])
    return accepted


async def _send_files(server: Server, journal: Journal, paths: Sequence[Path]) -> dict[Path, str]:
    """Have files in the storage; returns the upload of each."""
    if not paths:
        return {}
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), DownloadColumn()),
        *(TransferSpeedColumn(), TimeRemainingColumn()),
    )
    console = Console(stderr=True)
    files, uploads = asyncio.Semaphore(FILES_AT_ONCE), dict[Path, str]()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        whole = progress.add_task(f"{len(paths)} files", total=sum(size_of(path) for path in paths))
        async with httpx.AsyncClient(timeout=STORE_TIMEOUT) as store:
            sender = Sender(server, store, journal)

            async def one(path: Path) -> None:
                async with files:
                    bar = progress.add_task(path.name, total=size_of(path))
                    uploads[path] = await sender.send(path, _both(progress, bar, whole))
                    progress.remove_task(bar)
                    progress.update(whole, description=f"{len(uploads)} of {len(paths)} files")

            await _together(one(path) for path in dict.fromkeys(paths))
    return uploads


def _both(progress: Progress, bar: TaskID, whole: TaskID) -> Callable[[int], None]:
    def moved(count: int) -> None:
        progress.advance(bar, count)
        progress.advance(whole, count)

    return moved


async def _together(work: Iterator[Awaitable[None]]) -> None:
    """Do all at once; the first error ends the others, and is raised as it is."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    except BaseExceptionGroup as errors:
        raise first_of(errors) from errors
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(server: Server, accepted: Sequence[tuple[Slice, dict[str, Any]]], wishes: BatchWishes) -> int:
    """Say what was accepted and refused and, where that is waited for, how it ended."""
    well = True
    for part, answer in accepted:
        batch = answer["batch"]
        titled = [{**each, "document": part.entries[each["number"] - 1].title} for each in answer["refused"]]
        if not wishes.as_json:
            _tell_accepted(batch, titled)
        if wishes.wait:
            batch = await _to_the_end(server, batch)
            _tell_ended(batch, as_json=wishes.as_json)
            well &= not batch["progress"]["errors"] and batch["state"] == "done"
        if wishes.as_json:
            say({"batch": batch, "refused": titled})
        well &= not titled
    return 0 if well else FAILED


def _tell_accepted(batch: Mapping[str, Any], refused: Sequence[Mapping[str, Any]]) -> None:
    for warning in batch["warnings"]:
        problem_line(f"{warning['message']} [{warning['code']}]")
    for each in refused:
        problem_line(f"{each['document']}: {each['message']} [{each['code']}]")
    print(
        f"{batch['id']}  {batch['priority']}  {batch['item_count']} documents, {len(refused)} of them refused",
        flush=True,
    )


def _tell_ended(batch: Mapping[str, Any], *, as_json: bool) -> None:
    progress = batch["progress"]
    if not as_json:
        print(
            f"{batch['id']}  {batch['state']}  {progress['documents_done']} documents, {progress['pages_done']} pages"
        )
    for code, count in progress["errors"].items():
        problem_line(f"{count} failed: {code}; `quire batch report {batch['id']}` says which.")


async def _to_the_end(server: Server, batch: dict[str, Any]) -> dict[str, Any]:
    """Follow a batch until it has ended; returns it as it is then."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}")
    latest = batch
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task(batch["id"], total=100, what=batch["state"])
        async for latest in follow_batch(server, batch["id"]):
            bars.update(bar, completed=latest["percent"], what=describe(latest))
    return latest


def describe(batch: Mapping[str, Any]) -> str:
    """How a batch does, in a line."""
    progress = batch["progress"]
    said = [
        f"{progress['documents_done']} of {progress['documents_total']} documents",
        f"{progress['pages_done']} pages",
    ]
    if progress["documents_per_minute"]:
        said.append(f"{progress['documents_per_minute']:.0f} a minute")
    if failed := sum(progress["errors"].values()):
        said.append(f"{failed} failed")
    if progress["estimated_completion_at"] and batch["state"] == "working":
        said.append(f"until {progress['estimated_completion_at'][11:16]} UTC")
    return ", ".join(said)


def _slices(entries: Sequence[Entry], usual: Priority) -> Iterator[Slice]:
    """What makes one batch each: documents of one priority, urgent ones first, as many as one batch may have."""
    number = 0
    for priority in Priority:
        of_it = [entry for entry in entries if (entry.priority or usual) is priority]
        for start in range(0, len(of_it), MOST_ITEMS):
            number += 1
            yield Slice(number, priority, of_it[start : start + MOST_ITEMS])


def _check_files(entries: Sequence[Entry]) -> None:
    paths = [entry.path for entry in entries if entry.path is not None]
    missing = [str(path) for path in paths if not path.is_file()]
    empty = [str(path) for path in paths if path.is_file() and not path.stat().st_size]
    for names, what in ((missing, "There is no such file"), (empty, "These files are empty")):
        if names:
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""  # noqa: PLR2004 (enough to see what is wrong)
            raise CommandError(f"{what}: {', '.join(names[:10])}{more}.")


def _options(said: str | None) -> Mapping[str, Any]:
    try:
        options = orjson.loads(said) if said else {}
    except orjson.JSONDecodeError:
        options = None
    if not isinstance(options, dict):
        raise CommandError("""--options must be a JSON object, such as '{"entity_resolution": false}'.""")
    return options


async def _check_workers(server: Server, priorities: set[Priority]) -> None:
    """Before anything is sent: that the batches would be taken up. Raises `CommandError`."""
    queues = (await server.get("/v1/queues"))["items"]
    needed = {f"batch.{priority}" for priority in priorities} | {"ocr"}
    missing = sorted(queue["name"] for queue in queues if queue["name"] in needed and not queue["workers"])
    if missing:
        names = ",".join(missing)
        raise CommandError(
            f"No live worker serves {names}, so nothing was sent. Start one with `quire worker --queues {names}`, "
            "or submit with --preflight warn. [no_workers]"
        )
