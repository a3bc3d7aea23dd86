"""Objects that are taken over from elsewhere in the store: looked at, then copied by the store itself.

The bytes stay in the store where it says what they are: S3 makes the SHA-256 of an object that it copies in one go. Where it
doesn't, the copy is read once. A copy is of what was looked at, or it fails: each step names the object's ETag.
"""

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError, ParamValidationError

from app.errors import SourceNotFound, SourceUnreadable
from app.storage.s3 import MEBIBYTE, MISSING, Bucket, translated_errors

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

COPY_PARTS_AT_ONCE = 8

HASH_INLINE_BYTES = 256 * 1024
"""Below this, handing bytes to a thread costs more than hashing them here."""

FORBIDDEN = frozenset({"403", "AccessDenied", "AllAccessDisabled", "InvalidObjectState"})
"""The last is what archived objects answer with."""
CHANGED = frozenset({"412", "PreconditionFailed"})


@dataclass(frozen=True, slots=True)
class Origin:
    """An object as it was when it was looked at."""

    bucket: str
    key: str
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class CopySizes:
    """From which size on objects are copied in parts: S3 takes 5 GB in one go, but keeps the caller waiting for it."""

    at_once_bytes: int = 512 * MEBIBYTE
    part_bytes: int = 128 * MEBIBYTE


COPY_SIZES = CopySizes()


class translated_source_errors:  # noqa: N801 (reads as the statement it is used in)
    """Turns the SDK's errors about an object that isn't ours into those that a client can do something about."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else None
        if code in MISSING or code == "NoSuchBucket" or isinstance(error, ParamValidationError):
            raise SourceNotFound from error
        if code in FORBIDDEN:
            raise SourceUnreadable from error
        if code in CHANGED:
            raise SourceUnreadable("The object was changed while it was copied; import it again.") from error
        translated_errors().__exit__(kind, error, trace)


async def look_at(bucket: Bucket, source_bucket: str, key: str) -> Origin:
    """An object of any bucket. Raises `SourceNotFound`, `SourceUnreadable`, `StorageUnavailable`."""
    with translated_source_errors():
        found = await bucket.client.head_object(Bucket=source_bucket, Key=key)
    return Origin(source_bucket, key, found["ContentLength"], found["ETag"])


async def first_bytes(bucket: Bucket, origin: Origin, count: int) -> bytes:
    """The beginning of an object, or all where it is shorter. Raises as `look_at` does."""
    if origin.size_bytes == 0:  # no range of nothing can be asked for
        return b""
    with translated_source_errors():
        answer = await bucket.client.get_object(
            Bucket=origin.bucket, Key=origin.key, Range=f"bytes=0-{count - 1}", IfMatch=origin.etag
        )
        async with answer["Body"] as body:
            return await body.read()


async def copy_in(bucket: Bucket, origin: Origin, key: str, content_type: str, sizes: CopySizes = COPY_SIZES) -> str:
    """Copy an object into our bucket, and return the hex SHA-256 of the copy; nothing is left of one that fails.

    Raises as `look_at` does.
    """
    try:
        if origin.size_bytes > sizes.at_once_bytes:
            await _copy_in_parts(bucket, origin, key, content_type, sizes.part_bytes)
            return await sha256_of(bucket, key)
        return await _copy_at_once(bucket, origin, key, content_type) or await sha256_of(bucket, key)
    except BaseException:
        await asyncio.shield(bucket.clean_up(partial(bucket.delete, key)))
        raise


async def sha256_of(bucket: Bucket, key: str) -> str:
    """The hex SHA-256 of an object of ours, read through once. Raises `FileNotFoundError`."""
    digest = hashlib.sha256()
    async with bucket.open(key) as chunks:
        async for chunk in chunks:
            if len(chunk) < HASH_INLINE_BYTES:
                digest.update(chunk)
            else:
                await asyncio.to_thread(digest.update, chunk)
    return digest.hexdigest()


async def _copy_at_once(bucket: Bucket, origin: Origin, key: str, content_type: str) -> str | None:
    """Copy with one request; the hex SHA-256 where the store makes one."""
    with translated_source_errors():
        answer = await bucket.client.copy_object(
            Bucket=bucket.name,
            Key=key,
            CopySource={"Bucket": origin.bucket, "Key": origin.key},
            CopySourceIfMatch=origin.etag,
            ContentType=content_type,
            MetadataDirective="REPLACE",
            TaggingDirective="REPLACE",  # else the right to read the source's tags is asked for
            ChecksumAlgorithm="SHA256",
        )
    return _hex(answer.get("CopyObjectResult", {}).get("ChecksumSHA256"))


async def _copy_in_parts(bucket: Bucket, origin: Origin, key: str, content_type: str, part_bytes: int) -> None:
    with translated_errors():
        created = await bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key, ContentType=content_type)
    upload_id, slots = created["UploadId"], asyncio.Semaphore(COPY_PARTS_AT_ONCE)

    async def copy(number: int, start: int) -> "CompletedPartTypeDef":
        span = f"bytes={start}-{min(start + part_bytes, origin.size_bytes) - 1}"
        async with slots:
            with translated_source_errors():
                answer = await bucket.client.upload_part_copy(
                    Bucket=bucket.name,
                    Key=key,
                    UploadId=upload_id,
                    PartNumber=number,
                    CopySource={"Bucket": origin.bucket, "Key": origin.key},
                    CopySourceRange=span,
                    CopySourceIfMatch=origin.etag,
                )
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    try:
        async with asyncio.TaskGroup() as group:
            starts = enumerate(range(0, origin.size_bytes, part_bytes), 1)
            copies = [group.create_task(copy(number, start)) for number, start in starts]
        with translated_errors():
            await bucket.client.complete_multipart_upload(
                Bucket=bucket.name,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": [copy.result() for copy in copies]},
            )
    except BaseException as error:
        await asyncio.shield(bucket.clean_up(partial(bucket.abort, key, upload_id)))
        if isinstance(error, BaseExceptionGroup):
            raise error.exceptions[0] from error
        raise


def _hex(checksum: Any) -> str | None:
    """A checksum as S3 gives it, in base 64, as hex; that of a multipart object is one of parts, and ends in their number."""
    if not checksum or "-" in checksum:
        return None
    return base64.b64decode(checksum).hex()
