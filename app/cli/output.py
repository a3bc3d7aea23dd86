"""What commands print: JSON lines for programs, tables for people, problems on standard error."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from app.cli.connection import OutputClosed

IDS = frozenset({"id", "document"})
ID_WIDTH = 36


class Screen(Console):
    """Standard output, as rich writes to it."""

    def on_broken_pipe(self) -> None:
        """Leave it to whoever runs the command."""
        raise OutputClosed


def say(value: Any) -> None:
    """A line of JSON."""
    line(orjson.dumps(value, default=str).decode())


def line(text: str) -> None:
    """A line, at once: a program may wait for it. Raises `OutputClosed`."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputClosed from error


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
    terminal = Screen()
    console = terminal if terminal.is_terminal else Screen(width=10_000)
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
