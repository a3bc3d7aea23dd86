"""`quire submit`: files to the server, several at once, and on to the end of their jobs where that is waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.cli.connection import AWAY, FAILED, CommandError, Server, connected
from app.cli.following import ENDED, follow
from app.cli.journal import size_of
from app.cli.output import problem_line, say
from app.cli.preflight import check_documents, parsed_options

UPLOADS_AT_ONCE = 4
STREAMS_AT_ONCE = 50
PIECE_BYTES = 256 * 1024
TRIES = 3
"""How often an upload that broke is sent; its idempotency key makes one document of them."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is said of every file."""

    priority: str = "normal"
    options: str | None = None
    wait: bool = False
    as_json: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of one file."""

    path: Path
    document: dict[str, Any] | None = None
    job: dict[str, Any] | None = None
    refused: str | None = None

    def is_well(self, *, waited: bool) -> bool:
        """Whether it was taken in and, where that was waited for, read."""
        return self.job is not None and (not waited or self.job["state"] == "done")

    def said(self) -> dict[str, Any]:
        """As a line of JSON."""
        return {"file": str(self.path), "document": self.document, "job": self.job, "error": self.refused}


@dataclass(slots=True)
class Board:
    """The bars: one for each file, upload first, then its stages."""

    progress: Progress
    tasks: dict[Path, TaskID] = field(default_factory=dict)

    def begin(self, path: Path, size: int) -> Callable[[int], None]:
        """A bar for an upload; what is returned moves it."""
        task = self.tasks[path] = self.progress.add_task(path.name, total=size, what="uploading")
        return lambda count: self.progress.advance(task, count)

    def sent(self, path: Path) -> None:
        """From here on the bar is the job's."""
        self.progress.reset(self.tasks[path], total=100, what="queued")

    def show(self, path: Path, job: dict[str, Any]) -> None:
        """How the job is doing."""
        what = f"{job['stage']} {job['state']}"
        self.progress.update(self.tasks[path], what=what, completed=100 * job["progress"]["fraction"])

    def end(self, path: Path, what: str) -> None:
        """The last word on a file."""
        if path in self.tasks:
            self.progress.update(self.tasks[path], completed=100, total=100, what=what)


async def submit(paths: Sequence[Path], wishes: Wishes) -> int:
    """Submit files; returns the exit code: 0 where all is well, `FAILED` where a file was refused or its job failed."""
    _check_paths(paths)
    options = parsed_options(wishes.options)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"), TimeElapsedColumn()
    console = Console(stderr=True)
    async with connected() as server:
        await check_documents(server, wishes.priority, options)
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            outcomes = await _all(server, paths, wishes, Board(progress))
    for outcome in outcomes:
        _report(outcome, wishes)
    return 0 if all(each.is_well(waited=wishes.wait) for each in outcomes) else FAILED


def _check_paths(paths: Sequence[Path]) -> None:
    """That each names a file. Raises `CommandError`."""
    folders = [path for path in paths if path.is_dir()]
    if folders:
        raise CommandError(f"{folders[0]} is a folder; use `quire batch submit {folders[0]}`.")
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise CommandError(f"There is no such file: {', '.join(missing)}.")


async def _all(server: Server, paths: Sequence[Path], wishes: Wishes, board: Board) -> list[Outcome]:
    uploads, streams = asyncio.Semaphore(UPLOADS_AT_ONCE), asyncio.Semaphore(STREAMS_AT_ONCE)

    async def one(path: Path) -> Outcome:
        outcome = Outcome(path)
        async with uploads:
            try:
                answer = await upload(server, path, wishes, board.begin(path, size_of(path)))
            except CommandError as error:
                if error.exit_code == AWAY:
                    raise
                outcome.refused = error.sentence
                board.end(path, "refused")
                return outcome
        outcome.document, outcome.job = answer["document"], answer["job"]
        board.sent(path)
        if wishes.wait:
            async with streams:
                outcome.job = await to_the_end(server, answer["job"]["id"], lambda job: board.show(path, job))
            board.end(path, outcome.job["state"])
        return outcome

    return await asyncio.gather(*(one(path) for path in paths))


async def upload(server: Server, path: Path, wishes: Wishes, moved: Callable[[int], None]) -> dict[str, Any]:
    """Send one file as the body of a request, piece by piece; sent again, under the same key, where the line breaks."""
    parameters = {"filename": path.name, "priority": wishes.priority}
    if wishes.options:
        parameters["options"] = wishes.options
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(size_of(path)),
        "Idempotency-Key": str(uuid4()),
    }
    for left in reversed(range(TRIES)):
        sent = 0

        def told(count: int) -> None:
            nonlocal sent
            sent += count
            moved(count)

        try:
            content = pieces(path, told)
            answer = await server.request("POST", "/v1/documents", params=parameters, headers=headers, content=content)
        except CommandError as error:
            if not (error.exit_code == AWAY or error.is_busy) or not left:
                raise
            moved(-sent)
            await asyncio.sleep(max(2.0 ** (TRIES - left), error.retry_after or 0.0))
        else:
            taken: dict[str, Any] = answer.json()
            return taken
    raise AssertionError  # the last try returns or raises


async def pieces(path: Path, moved: Callable[[int], None]) -> AsyncIterator[bytes]:
    """A file's bytes."""
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
            moved(len(piece))


async def to_the_end(server: Server, job_id: str, show: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Follow a job until it has ended; returns it as it is then."""
    async with aclosing(follow(server, job_id)) as changes:
        async for job in changes:
            show(job)
            if job["state"] in ENDED:
                break
    with suppress(httpx.TransportError):
        ended: dict[str, Any] = await server.get(f"/v1/jobs/{job_id}")
        return ended
    return job


def _report(outcome: Outcome, wishes: Wishes) -> None:
    if wishes.as_json:
        say(outcome.said())
    elif outcome.refused is not None:
        problem_line(f"{outcome.path}: {outcome.refused}")
    elif outcome.job is not None and outcome.document is not None:
        error = outcome.job["error"]
        reason = f"  {error['message']} [{error['code']}]" if error else ""
        print(f"{outcome.document['id']}  {outcome.job['state']:<10}  {outcome.path.name}{reason}")
