"""Documents without their object, objects without their row, and multipart uploads that nobody ends.

The bucket and the table are walked side by side, a page of each at a time.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from app.db import Sessions
from app.repair.defect import AT_ONCE, GRACE, Defect, Kind
from app.repair.paging import pages
from app.storage.s3 import Bucket, translated_errors

DOCUMENTS = "documents/"
OF_DOCUMENTS = (DOCUMENTS, "results/", "parts/", "formats/")
"""Folders whose objects go with a document: its id is what comes next."""
OF_UPLOADS = "uploads/"


@dataclass(frozen=True, slots=True)
class Objects:
    """Compares the bucket with the tables."""

    sessions: Sessions
    bucket: Bucket
    grace: timedelta = GRACE
    """What is younger is left alone."""

    async def documents_without_object(self) -> AsyncGenerator[Defect, None]:
        """Documents whose bytes are not in the bucket."""
        async for rows in pages(self.sessions, _DOCUMENTS, bucket=self.bucket.name):
            there = await self._between(rows[0].id, rows[-1].id)
            for row in rows:
                # Asked for by itself, too: it may have been written, or erased, a moment ago.
                if (
                    row.s3_key not in there
                    and await self.bucket.head(row.s3_key) is None
                    and await self._is_kept(row.id)
                ):
                    detail = f"{row.s3_key} ({row.filename or 'no name'}, {row.size_bytes} bytes) is not in the bucket"
                    remedy = "restore the object, or delete the document; what was read of it is there still"
                    yield Defect(Kind.NO_OBJECT, f"document {row.id}", detail, remedy)

    async def objects_without_row(self) -> AsyncGenerator[Defect, None]:
        """Objects whose document or upload is gone, and that are older than a day."""
        for folder in OF_DOCUMENTS:
            async for found in self._orphans(folder, _KNOWN_DOCUMENTS):
                yield found
        async for found in self._orphans(OF_UPLOADS, _KNOWN_UPLOADS):
            yield found

    async def unfinished_uploads(self) -> AsyncGenerator[Defect, None]:
        """Multipart uploads that were begun more than a day ago, and that no open upload is about."""
        with translated_errors():
            paginator = self.bucket.client.get_paginator("list_multipart_uploads")
            async for page in paginator.paginate(Bucket=self.bucket.name):
                old = [each for each in page.get("Uploads", ()) if self._is_old(each["Initiated"])]
                known = await self._known(_OPEN_UPLOADS, [each["UploadId"] for each in old])
                for each in old:
                    if each["UploadId"] not in known:
                        key, upload_id = each["Key"], each["UploadId"]
                        detail = f"begun on {each['Initiated']:%Y-%m-%d %H:%M} UTC, and never ended"
                        mend = partial(self.bucket.abort, key, upload_id)
                        yield Defect(Kind.UPLOAD, key, detail, "it is dropped, with its parts", mend)

    async def _between(self, first: UUID, last: UUID) -> set[str]:
        """The keys of documents from one id to another."""
        keys = set[str]()
        async for entries in self._listed(DOCUMENTS, after=f"{DOCUMENTS}{first}"):
            keys |= {entry["Key"] for entry in entries}
            if entries[-1]["Key"][: len(DOCUMENTS) + 36] > f"{DOCUMENTS}{last}":
                break
        return keys

    async def _orphans(self, folder: str, known: Any) -> AsyncGenerator[Defect, None]:
        async for entries in self._listed(folder):
            old = [(entry, owner_of(folder, entry["Key"])) for entry in entries if self._is_old(entry["LastModified"])]
            there = await self._known(known, list({owner for _, owner in old if owner is not None}))
            for entry, owner in old:
                if owner is not None and owner not in there:
                    detail = f"{entry['Size']} bytes of {entry['LastModified']:%Y-%m-%d}, whose row is gone"
                    mend = partial(self._remove, entry["Key"], owner, known)
                    yield Defect(Kind.NO_ROW, entry["Key"], detail, "it is removed", mend)

    async def _remove(self, key: str, owner: UUID, known: Any) -> None:
        if not await self._known(known, [owner]):
            await self.bucket.delete(key)

    async def _listed(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        with translated_errors():
            paginator = self.bucket.client.get_paginator("list_objects_v2")
            config = {"PageSize": AT_ONCE}
            pages = paginator.paginate(
                Bucket=self.bucket.name,
                Prefix=prefix,
                StartAfter=after,
                PaginationConfig=config,  # type: ignore[arg-type]  # the stubs want a TypedDict
            )
            async for page in pages:
                if entries := page.get("Contents"):
                    yield entries

    async def _known(self, statement: Any, ids: Sequence[Any]) -> set[Any]:
        if not ids:
            return set()
        async with self.sessions() as session:
            return set((await session.scalars(statement, {"ids": list(ids)})).all())

    def _is_old(self, moment: datetime) -> bool:
        return datetime.now(UTC) - moment > self.grace

    async def _is_kept(self, document_id: UUID) -> bool:
        return bool(await self._known(_NOT_ERASED, [document_id]))


def owner_of(folder: str, key: str) -> UUID | None:
    """The id that an object's key begins with; None where it has none, and we know nothing of it."""
    try:
        return UUID(key.removeprefix(folder)[:36])
    except ValueError:
        return None


def _by_ids(statement: str, kind: Any) -> Any:
    return text(statement).bindparams(bindparam("ids", type_=ARRAY(kind)))


_DOCUMENTS = text(f"""
    SELECT id, s3_key, filename, size_bytes FROM documents
    WHERE id > :after AND s3_bucket = :bucket AND erased_at IS NULL ORDER BY id LIMIT {AT_ONCE}
""")  # noqa: S608 (no outside text)
_KNOWN_DOCUMENTS = _by_ids("SELECT id FROM documents WHERE id = ANY(:ids)", Uuid())
_NOT_ERASED = _by_ids("SELECT id FROM documents WHERE id = ANY(:ids) AND erased_at IS NULL", Uuid())
_KNOWN_UPLOADS = _by_ids("SELECT id FROM uploads WHERE id = ANY(:ids) AND staged", Uuid())
_OPEN_UPLOADS = _by_ids(
    "SELECT s3_upload_id FROM uploads WHERE s3_upload_id = ANY(:ids) AND state IN ('open', 'completing')", Text()
)
