"""What commands print: JSON lines for programs, tables for people, problems on standard error."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

IDS = frozenset({"id", "document"})
ID_WIDTH = 36


def say(value: Any) -> None:
    """A line of JSON."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def problem_line(sentence: str) -> None:
    """A sentence on standard error."""
    sys.stderr.write(sentence + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under headings; ids are never cut off, and nothing is where the output is no terminal."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, min_width=ID_WIDTH if column in IDS else None)
    for row in rows:
        drawn.add_row(*("" if cell is None else str(cell) for cell in row))
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=10_000)
    console.print(drawn)


def age(moment: str | None, *, now: datetime | None = None) -> str:
    """How long ago a moment was, in one unit."""
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
