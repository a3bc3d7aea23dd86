"""What is submitted: what a client says of a document, what its bytes turned out to be, and the rows of both."""

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.db import new_id
from app.documents import repository
from app.documents.intake import MediaType, clean_filename
from app.documents.models import Document
from app.jobs.models import Job
from app.jobs.states import Priority
from app.ocr.engine import ReadRequest


@dataclass(frozen=True, slots=True)
class Description:
    """What a client says about a document that it submits."""

    filename: str | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    options: dict[str, Any] = field(default_factory=dict)
    callback_url: str | None = None

    def fingerprint(self, sha256: str) -> str:
        """One hash over the bytes and all that was said of them."""
        told = [sha256, self.filename, self.external_id, self.metadata, self.priority, self.options, self.callback_url]
        return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class Submission:
    """A document and the job that reads it."""

    document: Document
    job: Job
    cost_microdollars: int = 0
    """What all jobs of the document have cost so far."""


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """What a submission's bytes turned out to be, and where they are."""

    document_id: UUID
    bucket: str
    key: str
    media_type: MediaType
    size_bytes: int
    sha256: str


async def record(
    session: AsyncSession, project_id: UUID, stored: StoredBytes, described: Description, **job_values: Any
) -> Submission:
    """Write a document down, and the job that reads it, in one statement. Doesn't commit.

    `job_values` are columns of the job, over what the description says of it.
    """
    document = _document(project_id, stored, described)
    values = {
        "id": new_id(),
        "priority": described.priority,
        "options": described.options,
        "operation": ReadRequest.from_options(described.options).operation,
        "callback_url": described.callback_url,
        "request_id": events.request_id(),
    }
    return Submission(document, await repository.add_with_job(session, document, **{**values, **job_values}))


def _document(project_id: UUID, stored: StoredBytes, described: Description) -> Document:
    return Document(
        id=stored.document_id,
        project_id=project_id,
        filename=clean_filename(described.filename),
        external_id=described.external_id,
        details=described.metadata,
        media_type=stored.media_type,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        s3_bucket=stored.bucket,
        s3_key=stored.key,
    )
