"""Status reads that cost little: weak ETags, and answers that wait for a change."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from fastapi import Request, Response

from app.api.bell import Bell
from app.jobs.models import Job
from app.jobs.states import TERMINAL_STATES

Item = TypeVar("Item")


def seen_versions(request: Request) -> frozenset[str]:
    """The versions that the caller has, without what makes them weak: here all are compared weakly (RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match", "").split(",")
    return frozenset(filter(None, (version.strip().removeprefix("W/") for version in given)))


@dataclass(frozen=True, slots=True)
class StatusReads(Generic[Item]):
    """How reads of one kind of thing are answered that changes until it has ended."""

    version: Callable[[Item], str]
    """A thing's version, in quotes, without what makes it weak."""
    has_ended: Callable[[Item], bool]
    look_seconds: float = math.inf
    """How often a thing is looked at while somebody waits, also where nothing rang."""

    def matches(self, seen: frozenset[str], item: Item) -> bool:
        """Whether the caller has this version already."""
        return "*" in seen or self.version(item) in seen

    async def wait(
        self, bell: Bell, item_id: UUID, find: Callable[[], Awaitable[Item]], *, seen: frozenset[str], seconds: float
    ) -> Item:
        """A thing as soon as it differs from what the caller has seen, or has ended, or when the time is up.

        Without a version that the caller has seen, it is the one there is now that must change.
        """
        deadline = time.monotonic() + seconds
        with bell.listening(item_id) as ear:
            item = await find()
            seen = seen - {"*"} or frozenset({self.version(item)})
            while self.matches(seen, item) and not self.has_ended(item) and not bell.stopping.is_set():
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                # Also when the time is up and nothing rang: a ring may have been lost.
                await ear.wait(min(left, self.look_seconds))
                item = await find()
        return item

    def set_headers(self, response: Response, item: Item) -> None:
        """The headers of a status read."""
        response.headers["ETag"] = f"W/{self.version(item)}"
        response.headers["Cache-Control"] = "no-cache"
        if not self.has_ended(item):
            response.headers["Retry-After"] = "2"

    def not_modified(self, item: Item) -> Response:
        """The answer to a caller who has this version."""
        response = Response(status_code=304)
        self.set_headers(response, item)
        return response


def _version_of_job(job: Job) -> str:
    """It grows with every event, and with a flag that waits to become one."""
    flagged = "c" if job.cancel_requested_at is not None and job.state not in TERMINAL_STATES else ""
    return f'"{job.id.hex[-8:]}-{job.last_event_number}{flagged}"'


JOB_READS = StatusReads(_version_of_job, lambda job: job.state in TERMINAL_STATES)
