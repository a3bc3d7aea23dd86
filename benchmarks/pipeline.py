"""The whole pipeline without the engine: documents a second, processor by step, and the memory that a long document takes.

The engine is the Textract-compatible server's simulated one, at once. What a step costs is told by runs that end with it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg
import psutil

from app.jobs.steps import Step
from benchmarks.figures import verdict
from benchmarks.running import RunningStack
from benchmarks.simulated import (
    Account,
    Quotas,
    WorkerProcess,
    cpu_seconds,
    prepared,
    running_worker,
    simulated_account,
    validated_documents,
    worker_settings,
)

DOCUMENTS, WARM_UP = 200, 16
WORKERS = 2
"""One for each core of the machine that the target is for."""
ROUNDS = 5
"""The whole pipeline is measured so often: a shared machine's speed changes from minute to minute."""
LETTER = Path(__file__).with_name("letter.txt")
"""What every document says: 400 words made up for this, with a score of names, dates and amounts."""
LEAST_PER_SECOND = 20
PAGES = 3_000
MOST_MEGABYTES = 1_000
GENEROUS = Quotas(start=1000, get=1000, jobs=10_000)
STEPS = (Step.OCR, Step.CHUNKING, Step.EMBEDDING, Step.ENTITIES, Step.RESOLUTION, Step.RELATIONSHIPS)


async def run(stack: RunningStack) -> None:
    """One-page documents through all steps, and through fewer and fewer of them."""
    print(
        f"\n(10) the pipeline around an engine that answers at once: {DOCUMENTS} documents of one page, {WORKERS} workers"
    )
    with simulated_account(stack, GENEROUS, 0.0, text=LETTER) as account:
        async with prepared(stack) as connection:
            with ExitStack() as opened:
                workers = [opened.enter_context(running_worker(_settings(stack, account))) for _ in range(WORKERS)]
                before = 0.0
                rates: list[float] = []
                for steps in [STEPS[:count] for count in range(1, len(STEPS) + 1)] + [STEPS] * (ROUNDS - 1):
                    await _through(stack, connection, WARM_UP, steps)
                    began = _processor(stack, account, workers)
                    seconds = await _through(stack, connection, DOCUMENTS, steps)
                    ended = _processor(stack, account, workers)
                    taken = {name: ended[name] - began.get(name, 0.0) for name in ended}
                    each = sum(taken.values()) / DOCUMENTS * 1000
                    print(f"  to {steps[-1]:14} {DOCUMENTS / seconds:6.1f} documents/s", end="")
                    print(f"   {each:6.1f} ms of processor each   ({each - before:+.1f})")
                    before = each
                    if len(steps) == len(STEPS):
                        rates.append(DOCUMENTS / seconds)
                for name, seconds_taken in sorted(taken.items(), key=lambda each: -each[1]):
                    print(f"    {name:34} {seconds_taken / DOCUMENTS * 1000:6.1f} ms")
    print(f"  the whole pipeline, documents/s, median of {ROUNDS}   {_at_least(median(rates), LEAST_PER_SECOND)}")


async def run_long(stack: RunningStack) -> None:
    """One document of 3,000 pages: the peak of every process."""
    print(f"\n(11) one document of {PAGES:,} pages: the most memory that each process takes")
    with simulated_account(stack, GENEROUS, 0.0, PAGES) as account:
        async with prepared(stack) as connection:
            with running_worker(_settings(stack, account)) as worker:
                peaks: dict[str, float] = {}
                watching = asyncio.create_task(_watch(stack, worker, peaks))
                try:
                    seconds = await _through(stack, connection, 1, STEPS, pages=PAGES)
                finally:
                    watching.cancel()
                timings = await connection.fetchval("SELECT stage_timings FROM jobs WHERE state = 'done' LIMIT 1")
    print(f"  {seconds:.0f} s; by stage: {timings}")
    for name, megabytes in sorted(peaks.items(), key=lambda each: -each[1]):
        print(f"    {name:45} {megabytes:7.1f} MB")
    print(f"  the largest   {verdict(max(peaks.values()), MOST_MEGABYTES, ' MB')}")


def _processor(stack: RunningStack, account: Account, workers: Sequence[WorkerProcess]) -> dict[str, float]:
    """The processor's seconds that were taken so far, by what took them; a process that has ended takes its own with it."""
    taken: defaultdict[str, float] = defaultdict(float)
    families = [process for worker in workers for process in worker.family]
    for process in [account.process, *families, *stack.processes().values()]:
        with suppress(psutil.Error):
            name = _name(process)
            taken["postgres" if name.startswith("postgres") else name] += cpu_seconds([process])
    return taken


def _settings(stack: RunningStack, account: Any) -> dict[str, str]:
    soon = {"textract_async_initial_delay_seconds": 0.1, "textract_async_polling_interval_seconds": 0.1}
    return worker_settings(stack, account, **soon)


async def _through(
    stack: RunningStack, connection: asyncpg.Connection, count: int, steps: Sequence[str], *, pages: int = 1
) -> float:
    """Have documents go through some steps. Fails where one is given up.

    Returns the seconds from the first one's beginning, which the next sweep brings, to the last one's end.
    """
    jobs = await validated_documents(stack, connection, count, steps=steps, pages=pages)
    while await _open(connection, jobs):  # noqa: ASYNC110 (it is Postgres, in another process, that is asked)
        await asyncio.sleep(0.5)
    took = await connection.fetchval(
        "SELECT max(finished_at) - min(started_at) FROM jobs WHERE id = ANY($1::uuid[])", jobs
    )
    return float(took.total_seconds())


async def _open(connection: asyncpg.Connection, jobs: Sequence[UUID]) -> int:
    failed = await connection.fetch(
        "SELECT error_code, error_message FROM jobs WHERE id = ANY($1::uuid[]) AND state = 'deadletter' LIMIT 3", jobs
    )
    if failed:
        raise RuntimeError(f"jobs were given up: {failed}")
    return int(
        await connection.fetchval("SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND finished_at IS NULL", jobs)
    )


async def _watch(stack: RunningStack, worker: WorkerProcess, peaks: dict[str, float]) -> None:
    while True:
        for process in [*worker.family, *stack.processes().values()]:
            try:
                name, megabytes = f"{_name(process)} ({process.pid})", process.memory_info().rss / 1e6
            except psutil.Error:
                continue
            peaks[name] = max(peaks.get(name, 0.0), megabytes)
        await asyncio.sleep(0.5)


def _name(process: psutil.Process) -> str:
    program, *arguments = process.cmdline() or [""]
    line = " ".join([program.rpartition("/")[2], *arguments]).strip()
    return "quire worker, a process of its" if "anyio.to_process" in line else line[:34]


def _at_least(figure: float, least: float) -> str:
    return f"{figure:.1f} (target: at least {least}) {'holds' if figure >= least else 'FALLS SHORT'}"
