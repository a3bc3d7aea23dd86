"""Status reads of batches that cost little: weak ETags, and answers that wait for a change."""

import hashlib
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from fastapi import Response

from app.api.batch_schemas import BatchRead
from app.api.bell import Bell
from app.batches.models import BatchState
from app.batches.service import Batches

ENDED = frozenset({BatchState.DONE, BatchState.CANCELLED})

LOOK_SECONDS = 1.0
"""How often a batch is looked at while somebody waits: it is counted no more often."""

VOLATILE = {"counted_at", "estimated_completion_at", "documents_per_minute", "pages_per_minute"}
"""What changes by itself, and is no news."""


async def current(batches: Batches, project_id: UUID, batch_id: UUID) -> BatchRead:
    """A batch as it is now. Raises `BatchNotFound`."""
    batch = await batches.find(project_id, batch_id)
    return BatchRead.read(batch, await batches.progress(batch))


def version_of(batch: BatchRead) -> str:
    """What is the same as long as there is no news."""
    told = batch.model_dump_json(exclude={"progress": VOLATILE, "updated_at": True})
    return f'"{batch.id.hex[-8:]}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"'


def matches_batch(seen: frozenset[str], batch: BatchRead) -> bool:
    """Whether the caller has this version already."""
    return "*" in seen or version_of(batch) in seen


async def wait_for_batch(
    bell: Bell, find: Callable[[], Awaitable[BatchRead]], batch_id: UUID, *, seen: frozenset[str], seconds: float
) -> BatchRead:
    """A batch as soon as it differs from what the caller has seen, or has ended, or when the time is up.

    Without a version that the caller has seen, it is the one there is now that must change.
    """
    deadline = time.monotonic() + seconds
    batch = await find()
    seen = seen - {"*"} or frozenset({version_of(batch)})
    with bell.listening(batch_id) as ear:
        while matches_batch(seen, batch) and batch.state not in ENDED and not bell.stopping.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            await ear.wait(min(left, LOOK_SECONDS))
            batch = await find()
    return batch


def set_batch_headers(response: Response, batch: BatchRead) -> None:
    """The headers of a status read."""
    response.headers["ETag"] = f"W/{version_of(batch)}"
    response.headers["Cache-Control"] = "no-cache"
    if batch.state not in ENDED:
        response.headers["Retry-After"] = "2"


def not_modified_batch(batch: BatchRead) -> Response:
    """The answer to a caller who has this version."""
    response = Response(status_code=304)
    set_batch_headers(response, batch)
    return response
