"""What is checked of a document before anything is done with it: its kind, told from its first bytes, and its size."""

import base64
from dataclasses import dataclass

from app.textract_server.errors import DocumentTooLargeError, UnsupportedDocumentError
from app.textract_server.kinds import HEAD_BYTES, PAGED_KINDS, DocumentKind, sniff
from app.textract_server.limits import IMAGE_BYTES, PAGED_DOCUMENT_BYTES, SYNCHRONOUS_BYTES
from app.textract_server.orders import JSON, S3Location
from app.textract_server.source import ObjectFacts, S3Source


async def job_document(source: S3Source, location: S3Location) -> tuple[DocumentKind, ObjectFacts]:
    """Look at a document in S3 that a job is to read; the errors are those that a Start answers with."""
    facts = await source.facts(location)
    kind = kind_of(facts.head)
    if facts.size_bytes > (PAGED_DOCUMENT_BYTES if kind in PAGED_KINDS else IMAGE_BYTES):
        raise DocumentTooLargeError
    return kind, facts


@dataclass(frozen=True, slots=True)
class SentDocument:
    """A document of one page that came with the request."""

    kind: DocumentKind
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of one page that lies in S3."""

    kind: DocumentKind
    location: S3Location
    etag: str


def sent_document(document: JSON) -> SentDocument | None:
    """Look at the document in a request, if it is there."""
    if not document.get("Bytes"):
        return None
    content = base64.b64decode(document["Bytes"])
    return SentDocument(_small_kind(content[:HEAD_BYTES], len(content)), content)


async def stored_document(source: S3Source, document: JSON) -> StoredDocument:
    """Look at the document that a request names."""
    location = S3Location.of(document["S3Object"])
    facts = await source.facts(location)
    return StoredDocument(_small_kind(facts.head, facts.size_bytes), location, facts.etag)


def kind_of(head: bytes) -> DocumentKind:
    """Tell a document's kind; UnsupportedDocumentError where it is none of Textract's."""
    kind = sniff(head)
    if kind is None:
        raise UnsupportedDocumentError
    return kind


def _small_kind(head: bytes, size_bytes: int) -> DocumentKind:
    if size_bytes > SYNCHRONOUS_BYTES:
        raise DocumentTooLargeError
    return kind_of(head)
