"""What commands print: JSON lines for programs, tables for people, problems on standard error."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table


def say(value: Any) -> None:
    """A line of JSON."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def problem_line(sentence: str) -> None:
    """A sentence on standard error."""
    sys.stderr.write(sentence + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under headings; nothing is cut off where the output is no terminal."""
    drawn = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console()
    console.print(drawn, width=None if console.is_terminal else 10_000, soft_wrap=not console.is_terminal)


def age(moment: str | None, *, now: datetime | None = None) -> str:
    """How long ago a moment was, in one unit."""
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
