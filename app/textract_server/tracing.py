"""A line of JSON for every page that was read, from the server's own process: who read it, when, how and how surely."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PageEvent:
    """One page's reading. Times are seconds of the machine's monotonic clock; `error` is a code where it failed."""

    owner: str
    page: int
    pid: int | None
    queued_at: float
    started_at: float
    ended_at: float
    seconds: float
    read_by: str | None
    confidence: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class PageTrace:
    """Writes events to the log and, where there is one, to the end of a file."""

    path: Path | None = None

    def tell(self, event: PageEvent) -> None:
        """Write one event; a file that can't be written costs the line, never the page."""
        line = orjson.dumps(asdict(event) | {"event": "page_read"})
        logger.info("%s", line.decode())
        if self.path is not None:
            try:
                with self.path.open("ab") as file:
                    file.write(line + b"\n")
            except OSError as error:
                logger.warning("the trace file can't be written: %s", error)
