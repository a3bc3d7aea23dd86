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
from app.cli.journal import Journal, default_journal, open_journal
from app.cli.manifest import Entry, read_entries
from app.cli.output import problem_line, say
from app.cli.preflight import OF_THE_FILE, Refusal, check_batch, look_at, parsed_options, unreadable
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
    options = parsed_options(wishes.options)
    slices = list(_slices(entries, wishes.priority))
    async with connected() as server:
        with open_journal(wishes.journal or default_journal(place), str(server.client.base_url)) as journal:
            if journal.resumed:
                problem_line(f"Going on from where an earlier call was ended ({journal.path}).")
            left = dict.fromkeys(part.priority for part in slices if part.number not in journal.batches)
            await _check_first(server, journal, list(left), options, wishes.preflight)
            accepted = [await _submit_slice(server, journal, part, options, wishes.preflight) for part in slices]
            journal.remove()
        return await _tell(server, accepted, wishes)


async def _check_first(
    server: Server, journal: Journal, priorities: Sequence[Priority], options: Mapping[str, Any], preflight: Strictness
) -> None:
    """Before anything is sent: that the batches would be accepted. Raises `CommandError`."""
    try:
        for priority in priorities:
            await check_batch(server, priority, options, preflight)
    except CommandError:
        if not journal.resumed:
            journal.remove()
        raise


async def _submit_slice(
    server: Server, journal: Journal, part: Slice, options: Mapping[str, Any], preflight: Strictness
) -> dict[str, Any]:
    """The batch of a slice, made where no earlier call has made it, and what of the slice was refused.

    There is no batch where all of it was.
    """
    if part.number in journal.batches:
        batch_id = journal.batches[part.number]
        return {"batch": await server.get(f"/v1/batches/{batch_id}"), "refused": journal.refused[part.number]}
    paths = [entry.path for entry in part.entries if entry.path is not None]
    uploads, refused = await _send_files(server, journal, paths)
    told = [refused[path].said(path) for path in paths if path in refused]
    sound = [entry for entry in part.entries if entry.path not in refused]
    if not sound:
        return {"batch": None, "refused": told}
    body = {
        "documents": [entry.item(uploads.get(entry.path) if entry.path else None) for entry in sound],
        "priority": part.priority,
        "options": options,
        "preflight": preflight,
    }
    # Under the same name for the same documents of this submission, so that a lost answer makes no second batch.
    name = f"{journal.run}-{hashlib.sha256(orjson.dumps(body)).hexdigest()[:32]}"
    accepted: dict[str, Any] = await patiently(lambda: server.post("/v1/batches", body, **{"Idempotency-Key": name}))
    told += [{**each, "document": sound[each["number"] - 1].title} for each in accepted["refused"]]
    journal.accepted(part.number, accepted["batch"]["id"], told)
    return {"batch": accepted["batch"], "refused": told}


async def _send_files(
    server: Server, journal: Journal, paths: Sequence[Path]
) -> tuple[dict[Path, str], dict[Path, Refusal]]:
    """Have files in the storage; returns the upload of each, and why others have none."""
    looked = {path: look_at(path) for path in dict.fromkeys(paths)}
    refused = {path: found for path, found in looked.items() if isinstance(found, Refusal)}
    sizes = {path: found for path, found in looked.items() if isinstance(found, int)}
    if not sizes:
        return {}, refused
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), DownloadColumn()),
        *(TransferSpeedColumn(), TimeRemainingColumn()),
    )
    console = Console(stderr=True)
    files, uploads = asyncio.Semaphore(FILES_AT_ONCE), dict[Path, str]()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        whole = progress.add_task(f"{len(sizes)} files", total=sum(sizes.values()))
        async with httpx.AsyncClient(timeout=STORE_TIMEOUT) as store:
            sender = Sender(server, store, journal)

            async def one(path: Path) -> None:
                async with files:
                    bar = progress.add_task(path.name, total=sizes[path])
                    outcome = await _sent(sender, path, _both(progress, bar, whole))
                    if isinstance(outcome, Refusal):
                        refused[path] = outcome
                    else:
                        uploads[path] = outcome
                    progress.remove_task(bar)
                    progress.update(whole, description=f"{len(uploads)} of {len(sizes)} files")

            await _together(one(path) for path in sizes)
    return uploads, refused


async def _sent(sender: Sender, path: Path, moved: Callable[[int], None]) -> str | Refusal:
    """The upload of a file, or why it alone isn't taken. Raises `CommandError` for what keeps all of them back."""
    refusal: Refusal | None = None
    try:
        return await sender.send(path, moved)
    except* OSError as errors:
        error = first_of(errors)
        refusal = unreadable(error) if isinstance(error, OSError) else None
    except* CommandError as errors:
        error = first_of(errors)
        if not isinstance(error, CommandError) or error.code not in OF_THE_FILE:
            raise
        refusal = Refusal(error.code, error.sentence)
    assert refusal is not None  # noqa: S101 (what was raised is one of these, or goes on)
    return refusal


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


async def _tell(server: Server, accepted: Sequence[dict[str, Any]], wishes: BatchWishes) -> int:
    """Say what was accepted and refused and, where that is waited for, how it ended."""
    well = True
    for answer in accepted:
        batch, refused = answer["batch"], answer["refused"]
        if not wishes.as_json:
            _tell_accepted(batch, refused)
        if wishes.wait and batch is not None:
            batch = await _to_the_end(server, batch)
            _tell_ended(batch, as_json=wishes.as_json)
            well &= not batch["progress"]["errors"] and batch["state"] == "done"
        if wishes.as_json:
            say({"batch": batch, "refused": refused})
        well &= not refused
    return 0 if well else FAILED


def _tell_accepted(batch: Mapping[str, Any] | None, refused: Sequence[Mapping[str, Any]]) -> None:
    for warning in batch["warnings"] if batch is not None else ():
        problem_line(f"{warning['message']} [{warning['code']}]")
    for each in refused:
        problem_line(f"{each['document']}: {each['message']} [{each['code']}]")
    if batch is None:
        return
    unsent = sum(each["number"] is None for each in refused)
    said = f"{batch['item_count']} documents, {len(refused) - unsent} of them refused"
    print(f"{batch['id']}  {batch['priority']}  {said}{f'; {unsent} were not sent' if unsent else ''}", flush=True)


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
