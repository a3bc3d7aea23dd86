"""What keeps the stack from running, in words for the person who started it."""

from collections import deque
from pathlib import Path

LOG_LINES_SHOWN = 20


class StackError(Exception):
    """The stack can't go on; the message says why and what to do about it."""


class ChildError(StackError):
    """A child process failed; its last log lines come with the message."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(f"{message}\n\nThe last lines of {log}:\n\n{last_lines(log)}")


def last_lines(log: Path) -> str:
    """Return the end of a log, indented, for a person to read."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            kept = deque(lines, LOG_LINES_SHOWN)
    except OSError:
        kept = deque()
    return "".join(f"    {line.rstrip()}\n" for line in kept) or "    (nothing was logged)\n"
