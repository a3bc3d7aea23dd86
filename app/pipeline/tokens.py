"""Textract's idempotency tokens, and what documents are known by: the same work gives the same, and is paid for once."""

import hashlib
from typing import Any

from app.documents.models import Document
from app.jobs.models import Job
from app.ocr.engine import Engine, ReadRequest, Source


def content_key(document: Document, options: dict[str, Any]) -> str:
    """What a result depends on: the bytes, what is to be read from them, and by which engine where one was named."""
    parts = [document.sha256, ReadRequest.from_options(options).fingerprint, options.get("engine") or ""]
    return _hash(parts)


def textract_token(job: Job, document: Document, source: Source, engine: Engine) -> str:
    """The `ClientRequestToken` of a document or of a part of it: 64 hex digits, all that Textract allows.

    Textract refuses a token that comes with other parameters than before, and the place of the document is one of
    them, so it is hashed with the content, and so is all else that a Start says. A new generation is a new token:
    Textract would go on answering the old one, for seven days, with the job that failed. A job that is told to read
    anew has tokens of its own.
    """
    request = ReadRequest.from_options(job.options)
    anew = str(job.id) if job.options.get("force_reprocess") else ""
    parts = [
        document.sha256,
        source.bucket,
        source.key,
        request.fingerprint,
        engine.name,
        engine.parameters_fingerprint,
    ]
    return _hash([*parts, str(job.textract_generation), anew])


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
