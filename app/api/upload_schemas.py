"""What is said of uploads straight to S3, and of imports."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.api.schemas import DOCUMENT_ID, NOW, JobError, example
from app.api.submission import DocumentFields
from app.documents.arrivals import Said, parts_of
from app.documents.intake import MediaType
from app.documents.originals import Original
from app.documents.upload_rows import DirectUpload, UploadState
from app.documents.uploads import Announced, Begun
from app.jobs.states import Stage
from app.storage.staging import MOST_PARTS

UPLOAD_ID = "019aa6c1-8f00-7d41-8c1e-3b5d7f9a1c2e"
SHA256 = "c5974d853db8e0cfbb1ce44b8472c2274df040f344efbd6b60e56056b5fdeab3"
URL = "https://quire.s3.us-east-1.amazonaws.com/uploads/019aa6c1?partNumber=1&X-Amz-Signature=…"

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]

PART_EXAMPLE: dict[str, Any] = {
    "number": 1,
    "size_bytes": 189575,
    "url": URL,
    "url_expires_at": NOW,
    "etag": None,
}
UPLOAD_EXAMPLE: dict[str, Any] = {
    "id": UPLOAD_ID,
    "state": "open",
    "filename": "filing.pdf",
    "external_id": "case-1234/17",
    "metadata": {"court": "ca10"},
    "size_bytes": 189575,
    "sha256": SHA256,
    "part_size_bytes": 16777216,
    "part_count": 1,
    "document_id": None,
    "job_id": None,
    "error": None,
    "created_at": NOW,
    "updated_at": NOW,
    "expires_at": NOW,
}


class ImportRequest(DocumentFields):
    """A document that is in a bucket already."""

    model_config = example({"source": "s3://court-filings/2026/11/filing.pdf", "external_id": "case-1234/17"})

    source: str = Field(max_length=2048, description="`s3://bucket/key`, the key as it is, nothing escaped.")


class UploadRequest(DocumentFields):
    """A file that is to be sent straight to S3."""

    model_config = example({"filename": "filing.pdf", "size_bytes": 189575, "sha256": SHA256})

    size_bytes: int = Field(gt=0, le=2**53, description="How many bytes the file has, exactly.")
    sha256: Sha256 | None = Field(None, description="What the bytes must have, in hex.")

    def announce(self) -> Announced:
        """In the core's words."""
        return Announced(self.size_bytes, self.describe(), self.sha256)


class PartSent(BaseModel):
    """A part that was sent, and what the store answered."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"number": 1, "etag": "5d41402abc4b2a76b9719d911017c592"}]}
    )

    number: int = Field(ge=1, le=MOST_PARTS)
    etag: str = Field(max_length=200, description="The `ETag` of the answer.")


class UploadCompletion(BaseModel):
    """What is said of an upload whose parts have all been sent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"sha256": SHA256}]})

    parts: list[PartSent] | None = Field(
        None, max_length=MOST_PARTS, description="Checked against what is in the store, where they are given."
    )
    sha256: Sha256 | None = Field(None, description="What the bytes must have, in hex.")

    def said(self) -> Said:
        """In the core's words."""
        etags = None if self.parts is None else {part.number: part.etag for part in self.parts}
        return Said(etags, self.sha256)


class UploadPart(BaseModel):
    """A part of an upload: PUT its bytes to the URL; nothing of another size is taken there."""

    model_config = example(PART_EXAMPLE)

    number: int = Field(description="From 1.")
    size_bytes: int = Field(description="How many bytes it must have.")
    url: str = Field(description="Where to PUT it, with no header but, if you like, `Content-MD5`, which is checked.")
    url_expires_at: datetime = Field(description="Then ask for the parts again.")
    etag: str | None = Field(description="Of what was sent; null until it is in the store.")


class UploadPartList(BaseModel):
    """Parts of an upload."""

    model_config = example({"items": [PART_EXAMPLE], "next": None})

    items: list[UploadPart]
    next: int | None = Field(description="The number to go on `from`; null at the end.")

    @classmethod
    def of(cls, begun: Begun) -> Self:
        """From some parts of an upload."""
        items = [
            UploadPart(
                number=part.number,
                size_bytes=part.size_bytes,
                url=part.url,
                url_expires_at=begun.urls_expire_at,
                etag=part.etag,
            )
            for part in begun.parts
        ]
        more = bool(items) and items[-1].number < parts_of(begun.upload).count
        return cls(items=items, next=items[-1].number + 1 if more else None)


class UploadRead(BaseModel):
    """An upload straight to S3."""

    model_config = example(UPLOAD_EXAMPLE)

    id: UUID
    state: UploadState
    filename: str | None
    external_id: str | None
    metadata: dict[str, Any]
    size_bytes: int
    sha256: str | None
    part_size_bytes: int = Field(description="What all parts have but the last.")
    part_count: int
    document_id: UUID | None = Field(description="What it became.")
    job_id: UUID | None = Field(description="What reads it.")
    error: JobError | None = Field(description="Why its bytes were refused.")
    created_at: datetime
    updated_at: datetime
    expires_at: datetime = Field(description="When it is given up unless it is completed before.")

    @classmethod
    def of(cls, upload: DirectUpload) -> Self:
        """From an upload's row."""
        return cls(**_fields(upload))


class UploadBegun(UploadRead):
    """An upload that was begun, and its first parts."""

    model_config = example({**UPLOAD_EXAMPLE, "parts": {"items": [PART_EXAMPLE], "next": None}})

    parts: UploadPartList = Field(description="The first hundred; `GET …/parts` has the rest.")

    @classmethod
    def begun(cls, begun: Begun) -> Self:
        """From an upload and its first parts."""
        return cls(**_fields(begun.upload), parts=UploadPartList.of(begun))


class OriginalRead(BaseModel):
    """Where a document's bytes can be fetched."""

    model_config = example(
        {
            "document_id": DOCUMENT_ID,
            "url": URL,
            "expires_at": NOW,
            "filename": "filing.pdf",
            "media_type": "application/pdf",
            "size_bytes": 189575,
            "sha256": SHA256,
        }
    )

    document_id: UUID
    url: str = Field(description="GET it without the API key.")
    expires_at: datetime
    filename: str | None
    media_type: MediaType
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, original: Original) -> Self:
        """From a document and its URL."""
        document = original.document
        said = {name: getattr(document, name) for name in ("filename", "media_type", "size_bytes", "sha256")}
        return cls(document_id=document.id, url=original.url, expires_at=original.expires_at, **said)


_COPIED = (
    "id", "state", "filename", "external_id", "size_bytes", "sha256", "part_size_bytes", "document_id", "job_id",
    "created_at", "updated_at", "expires_at",
)  # fmt: skip


def _fields(upload: DirectUpload) -> dict[str, Any]:
    fields = {name: getattr(upload, name) for name in _COPIED}
    return {**fields, "metadata": upload.details, "part_count": parts_of(upload).count, "error": _error(upload)}


def _error(upload: DirectUpload) -> JobError | None:
    if upload.error_code is None:
        return None
    return JobError(code=upload.error_code, message=upload.error_message or "", retryable=False, stage=Stage.QUEUED)
