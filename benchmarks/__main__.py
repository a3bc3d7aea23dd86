"""`python -m benchmarks [NAME ...]`: run the comparisons, all or those named, on a stack of their own."""

import argparse
import asyncio
import platform
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import psutil

from benchmarks import latency, memory, ocr, submit, upload
from benchmarks.running import RunningStack, running_stack, settle

BENCHMARKS: dict[str, Callable[[RunningStack], Awaitable[None]]] = {
    "memory": memory.run,
    "latency": latency.run,
    "submit": submit.run,
    "upload": upload.run,
    "ocr": ocr.run,
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(BENCHMARKS)} (all)")
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    memory_gb = psutil.virtual_memory().total / 1e9
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {psutil.cpu_count()} cores, {memory_gb:.0f} GB"
    )
    asyncio.run(_run(names))


async def _run(names: list[str]) -> None:
    for name in names:  # each on a fresh stack: what one leaves behind is none of the next one's business
        with running_stack(_free_port()) as stack:
            await settle(stack)
            await BENCHMARKS[name](stack)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
