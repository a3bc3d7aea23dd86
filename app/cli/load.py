"""`quire loadtest`: documents of its own, submitted many at a time, and how long they took."""

import asyncio
import io
import secrets
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pikepdf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.connection import AWAY, FAILED, CommandError, Server, connected, first_of, patiently
from app.cli.following import ENDED
from app.cli.output import say, table
from app.jobs.steps import ORDER

HELD_SECONDS = 30
SHARES = (50, 90, 95, 99)
"""The percentiles that are told."""


@dataclass(slots=True)
class Tally:
    """What came of all documents."""

    submitting: list[float] = field(default_factory=list)
    """Seconds from a submission to its answer."""
    ending: list[float] = field(default_factory=list)
    """Seconds from a submission to the end of its job, as a caller sees it."""
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def said(self) -> dict[str, Any]:
        """As a line of JSON."""
        done = len(self.ending)
        return {
            "documents": done + sum(self.failures.values()),
            "done": done,
            "failures": dict(self.failures),
            "seconds": round(self.seconds, 3),
            "documents_per_second": round(done / self.seconds, 3) if self.seconds else 0.0,
            "submit_seconds": percentiles(self.submitting),
            "done_seconds": percentiles(self.ending),
            "stage_seconds": {stage.value: percentiles(self.stages[stage]) for stage in ORDER if stage in self.stages},
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Some percentiles, and the longest."""
    if not values:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return {f"p{share}": round(cuts[share - 1], 3) for share in SHARES} | {"max": round(max(values), 3)}


def one_page(number: int, run: str) -> bytes:
    """A PDF with a page of text that no other document has, so that nothing read before is taken over."""
    lines = (f"Load test {run}, document {number}", "The court finds for the plaintiff.", secrets.token_hex(12))
    shown = " ".join(f"({line}) Tj 0 -30 Td" for line in lines)
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(612, 792))
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
    page.Contents = pdf.make_stream(f"BT /F1 18 Tf 72 700 Td {shown} ET".encode())
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()


async def load(count: int, concurrency: int, priority: str, *, as_json: bool) -> int:
    """Submit documents, so many at a time, each followed to its end; returns `FAILED` where one failed."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    console, tally, run = Console(stderr=True), Tally(), secrets.token_hex(4)
    numbers = iter(range(count))
    async with connected() as server:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            bar = progress.add_task(f"{concurrency} at a time", total=count)

            async def worker() -> None:
                for number in numbers:  # shared: each takes the next one
                    await _one(server, one_page(number, run), priority, tally)
                    progress.advance(bar)

            began = time.perf_counter()
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(concurrency, count)):
                        group.create_task(worker())
            except BaseExceptionGroup as errors:
                raise first_of(errors) from errors
            tally.seconds = time.perf_counter() - began
    if as_json:
        say(tally.said())
    else:
        _show(tally)
    return FAILED if tally.failures else 0


async def _one(server: Server, content: bytes, priority: str, tally: Tally) -> None:
    began = time.perf_counter()
    headers = {"Content-Type": "application/pdf", "Idempotency-Key": str(uuid4())}
    said = {"filename": "loadtest.pdf", "priority": priority}
    try:
        answer = await patiently(
            lambda: server.request("POST", "/v1/documents", params=said, headers=headers, content=content)
        )
        job = answer.json()["job"]
        tally.submitting.append(time.perf_counter() - began)
        while job["state"] not in ENDED:
            job = await patiently(lambda: server.get(f"/v1/jobs/{answer.json()['job']['id']}", wait=HELD_SECONDS))
    except CommandError as error:
        if error.exit_code == AWAY:
            raise
        tally.failures[error.code or "refused"] += 1
        return
    if job["state"] != "done":
        tally.failures[job["error"]["code"] if job["error"] else job["state"]] += 1
        return
    tally.ending.append(time.perf_counter() - began)
    for stage, spent in stage_seconds(job).items():
        tally.stages[stage].append(spent)


def stage_seconds(job: Mapping[str, Any]) -> dict[str, float]:
    """Seconds that a job spent at each stage."""
    return {stage: float(spent["seconds"]) for stage, spent in job["stage_timings"].items()}


def _show(tally: Tally) -> None:
    said = tally.said()
    print(
        f"{said['done']} of {said['documents']} documents in {tally.seconds:.1f} s: {said['documents_per_second']:.2f} a second"
    )
    rows = [
        ("submit", said["submit_seconds"]),
        ("submit to done", said["done_seconds"]),
        *said["stage_seconds"].items(),
    ]
    names = (*(f"p{share}" for share in SHARES), "max")
    table(("seconds", *names), ((what, *(f"{found.get(name, 0.0):.3f}" for name in names)) for what, found in rows))
    for code, number in tally.failures.most_common():
        print(f"{number} failed: {code}")
