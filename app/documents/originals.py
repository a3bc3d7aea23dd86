"""Documents as they were submitted, fetched by the client from the bucket itself."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from app.db import Sessions
from app.documents import repository
from app.documents.models import Document
from app.storage.s3 import Bucket


@dataclass(frozen=True, slots=True)
class Original:
    """A document, and a URL that its bytes can be fetched from until a moment."""

    document: Document
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Originals:
    """Hands out URLs of documents' bytes."""

    sessions: Sessions
    bucket: Bucket
    url_seconds: int

    async def find(self, project_id: UUID, document_id: UUID) -> Original:
        """A document's bytes as they were submitted. Raises `DocumentNotFound`."""
        async with self.sessions() as session:
            document = await repository.find(session, project_id, document_id)
        asked = {
            "Bucket": document.s3_bucket,
            "Key": document.s3_key,
            "ResponseContentType": document.media_type.value,
            # RFC 8187; always as a file: a browser must not run what somebody submitted.
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(document.filename or document.s3_key.rpartition('/')[2], safe='')}",
        }
        expires_at = datetime.now(UTC) + timedelta(seconds=self.url_seconds)
        url = await self.bucket.signer.generate_presigned_url("get_object", Params=asked, ExpiresIn=self.url_seconds)
        return Original(document, url, expires_at)
