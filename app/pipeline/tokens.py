"""Textract's idempotency tokens: the same work gives the same token, and is paid for once."""

import hashlib

from app.documents.models import Document

OPERATION = "StartDocumentTextDetection"


def textract_token(document: Document, generation: int) -> str:
    """The `ClientRequestToken` of a document: 64 hex digits, all that Textract allows.

    Textract refuses a token that comes with other parameters than before, and the place of the document is one of
    them, so it is hashed with the content. A new generation is a new token: Textract would go on answering the old
    one, for seven days, with the job that failed.
    """
    parts = [document.sha256, document.s3_bucket, document.s3_key, OPERATION, str(generation)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
