"""Status reads of batches: what makes a version of one."""

import hashlib
from uuid import UUID

from app.api.batch_schemas import BatchRead
from app.api.conditional import StatusReads
from app.batches.models import ENDED_STATES
from app.batches.service import Batches

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


BATCH_READS = StatusReads(version_of, lambda batch: batch.state in ENDED_STATES, LOOK_SECONDS)
