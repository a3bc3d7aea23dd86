"""Status reads that cost little: weak ETags, and answers that wait for a change."""

import time
from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from app.api.bell import Bell
from app.jobs.models import Job
from app.jobs.states import TERMINAL_STATES


def job_etag(job: Job) -> str:
    """A job's version: it grows with every event, and with a flag that waits to become one."""
    return f"W/{_version(job)}"


def _version(job: Job) -> str:
    flagged = "c" if job.cancel_requested_at is not None and job.state not in TERMINAL_STATES else ""
    return f'"{job.id.hex[-8:]}-{job.last_event_number}{flagged}"'


def seen_versions(request: Request) -> frozenset[str]:
    """The versions that the caller has, without what makes them weak: here all are compared weakly (RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match", "").split(",")
    return frozenset(filter(None, (version.strip().removeprefix("W/") for version in given)))


def matches(seen: frozenset[str], job: Job) -> bool:
    """Whether the caller has this version already."""
    return "*" in seen or _version(job) in seen


async def wait_for_change(
    bell: Bell, find: Callable[[], Awaitable[Job]], *, seen: frozenset[str], seconds: float
) -> Job:
    """A job as soon as it differs from what the caller has seen, or has ended, or when the time is up.

    Without a version that the caller has seen, it is the one there is now that must change.
    """
    deadline = time.monotonic() + seconds
    job = await find()
    with bell.listening(job.id) as ear:
        job = await find()
        seen = seen - {"*"} or frozenset({_version(job)})
        while matches(seen, job) and job.state not in TERMINAL_STATES and not bell.stopping.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            # Also when the time is up and nothing rang: a ring may have been lost.
            await ear.wait(left)
            job = await find()
    return job


def set_status_headers(response: Response, job: Job) -> None:
    """The headers of a status read."""
    response.headers["ETag"] = job_etag(job)
    response.headers["Cache-Control"] = "no-cache"
    if job.state not in TERMINAL_STATES:
        response.headers["Retry-After"] = "2"


def not_modified(job: Job) -> Response:
    """The answer to a caller who has this version."""
    response = Response(status_code=304)
    set_status_headers(response, job)
    return response
