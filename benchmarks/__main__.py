"""`python -m benchmarks [NAME ...]`: run the comparisons, all or those named, on a stack of their own."""

import argparse
import asyncio
import platform
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks import (
    analysis,
    batch,
    entities,
    latency,
    memory,
    ocr,
    pipeline,
    scale,
    search,
    status,
    streams,
    submit,
    upload,
)
from benchmarks.running import RunningStack, free_port, running_stack, settle

BENCHMARKS: dict[str, Callable[[RunningStack], Awaitable[None]]] = {
    "memory": memory.run,
    "latency": latency.run,
    "status": status.run,
    "submit": submit.run,
    "submit-minute": submit.run_minute,
    "upload": upload.run,
    "ocr": ocr.run,
    "search": search.run,
    "search-real": search.run_real,
    "analysis": analysis.run,
    "pipeline": pipeline.run,
    "long": pipeline.run_long,
    "scale": scale.run,
    "quotas": scale.run_unscaled,
    "blocking": scale.run_blocking,
    "faults": scale.run_faults,
    "streams": streams.run,
    "batch": batch.run,
    "batch-whole": batch.run_whole,
}

ALONE: dict[str, Callable[[], Awaitable[None]]] = {"entities": entities.run}
"""Those that need no stack."""

PARTS = dict.fromkeys(
    ("pipeline", "long", "scale", "quotas", "blocking", "faults", "streams", "batch", "batch-whole"),
    ("postgres", "valkey", "s3"),
)
"""What those run on that start a worker and a simulated engine of their own."""

PREPARED = ("search", "search-real")
"""Those that `--keep` is for."""


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of: {', '.join((*BENCHMARKS, *ALONE))} (all)")
    parser.add_argument(
        "--keep", metavar="FOLDER", type=Path, help="keep what is searched there; a later run begins with it"
    )
    arguments = parser.parse_args()
    names = arguments.names or [*BENCHMARKS, *ALONE]
    if unknown := sorted(set(names) - {*BENCHMARKS, *ALONE}):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    memory_gb = psutil.virtual_memory().total / 1e9
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {psutil.cpu_count()} cores, {memory_gb:.0f} GB"
    )
    asyncio.run(_run(names, arguments.keep))


async def _run(names: list[str], keep: Path | None) -> None:
    for name in names:  # each on a fresh stack: what one leaves behind is none of the next one's business
        if name in ALONE:
            await ALONE[name]()
            continue
        only = PARTS.get(name, ())
        kept_in = _kept_in(keep, name)
        with running_stack(free_port(), only, kept_in=kept_in) as stack:
            if not only:
                await settle(stack)
            await BENCHMARKS[name](stack)


def _kept_in(keep: Path | None, name: str) -> Path | None:
    """The folder of a benchmark whose rows take minutes to write; none of the others'."""
    if keep is None or name not in PREPARED:
        return None
    folder = (keep / name).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
