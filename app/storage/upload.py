"""Writing an object of unknown size as it arrives: one put when it is small, a multipart upload when it isn't.

Memory is bounded by the parts in flight and the one being filled, whatever the size. An upload that isn't completed
is aborted: no half object, and no parts that are paid for and never seen.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from app.errors import StorageUnavailable
from app.storage.s3 import Bucket, described, translated_errors

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

HASH_INLINE_BYTES = 256 * 1024
"""Below this, handing bytes to a thread costs more than hashing them here."""


FILE_CHUNK_BYTES = 1024 * 1024


@dataclass(slots=True)
class Upload:
    """An object on its way into a bucket. Use as `async with`; leaving it without `complete()` aborts."""

    bucket: Bucket
    key: str
    content_type: str
    part_bytes: int
    parts_in_flight: int
    content_encoding: str | None = None
    """How what is written is encoded."""
    size_bytes: int = 0
    """How much was written, as it is stored."""
    _buffer: bytearray = field(default_factory=bytearray)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _upload_id: str | None = None
    _parts: "list[asyncio.Task[CompletedPartTypeDef]]" = field(default_factory=list)
    _slots: asyncio.Semaphore = field(init=False)
    _completing: bool = False
    _completed: bool = False

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.parts_in_flight)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._completed:
            # Shielded: the client that went away cancels us, and the parts must go all the same.
            await asyncio.shield(self._abort(at_once=not isinstance(error, StorageUnavailable)))

    @property
    def sha256(self) -> str:
        """The hex digest of all bytes written so far and flushed; final once completed."""
        return self._digest.hexdigest()

    async def write(self, data: bytes) -> None:
        """Take bytes in; waits while as many parts are on their way as may be."""
        self.size_bytes += len(data)
        rest = memoryview(data)
        while rest:
            fits = self.part_bytes - len(self._buffer)
            self._buffer += rest[:fits]
            rest = rest[fits:]
            if len(self._buffer) == self.part_bytes:
                await self._send(self._take())

    async def complete(self) -> None:
        """Make the object appear under its key, whole."""
        rest = self._take()
        if self._upload_id is None:
            await self._hash(rest)
            self._completing = True
            await self.bucket.put(self.key, rest, self.content_type, self.content_encoding)
        else:
            if rest:
                await self._send(rest)
            parts = [await part for part in self._parts]
            self._completing = True
            with translated_errors():
                await self.bucket.client.complete_multipart_upload(
                    Bucket=self.bucket.name, Key=self.key, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
                )
        self._completed = True

    def _take(self) -> bytes:
        """What was gathered. The SDK takes nothing but bytes; the buffer is given up, not kept at its size."""
        taken = bytes(self._buffer)
        self._buffer = bytearray()
        return taken

    async def _send(self, part: bytes) -> None:
        """Start one part on its way, while its bytes are hashed beside it."""
        if self._upload_id is None:
            with translated_errors():
                created = await self.bucket.client.create_multipart_upload(
                    Bucket=self.bucket.name, Key=self.key, **described(self.content_type, self.content_encoding)
                )
            self._upload_id = created["UploadId"]
        await self._slots.acquire()
        for sent in self._parts:
            if sent.done():
                sent.result()  # a part that failed ends the upload now, not at its end
        self._parts.append(asyncio.create_task(self._upload_part(part, len(self._parts) + 1)))
        await self._hash(part)

    async def _upload_part(self, part: bytes, number: int) -> "CompletedPartTypeDef":
        try:
            with translated_errors():
                answer = await self.bucket.client.upload_part(
                    Bucket=self.bucket.name, Key=self.key, UploadId=self._upload_id or "", PartNumber=number, Body=part
                )
        finally:
            self._slots.release()
        return {"PartNumber": number, "ETag": answer["ETag"]}

    async def _hash(self, data: bytes) -> None:
        if len(data) < HASH_INLINE_BYTES:
            self._digest.update(data)
        else:
            await asyncio.to_thread(self._digest.update, data)

    async def _abort(self, *, at_once: bool) -> None:
        """Take away what is stored; later, and as often as it takes, where the storage is what failed."""
        for part in self._parts:
            part.cancel()
        await asyncio.gather(*self._parts, return_exceptions=True)
        await self.bucket.clean_up(self._take_away, at_once=at_once)

    async def _take_away(self) -> None:
        if self._completing:
            # What failed may have been the answer alone: the object may be there.
            await self.bucket.delete(self.key)
        if self._upload_id is not None:
            await self.bucket.abort(self.key, self._upload_id)


async def store_file(
    bucket: Bucket, key: str, path: Path, content_type: str, part_bytes: int, parts_in_flight: int
) -> None:
    """Store a local file, however large."""
    async with (
        await anyio.open_file(path, "rb") as file,
        Upload(bucket, key, content_type, part_bytes, parts_in_flight) as upload,
    ):
        while chunk := await file.read(FILE_CHUNK_BYTES):
            await upload.write(chunk)
        await upload.complete()
