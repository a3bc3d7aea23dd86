"""Uploads that clients send to the store themselves: begun and joined by us, their parts sent to presigned URLs."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.errors import UploadEnded, UploadIncomplete
from app.storage.s3 import MEBIBYTE, Bucket, translated_errors

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef, PartTypeDef

MOST_PARTS = 10_000
"""S3's limit, as is the smallest size of all parts but the last."""
LEAST_PART_BYTES = 5 * MEBIBYTE

NAMED_PARTS = 20
"""How many parts an error names."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A multipart upload, and the parts that it is to have; numbers start at 1."""

    key: str
    upload_id: str
    size_bytes: int
    part_size_bytes: int

    @property
    def count(self) -> int:
        """How many parts there are to be."""
        return math.ceil(self.size_bytes / self.part_size_bytes)

    def size_of(self, number: int) -> int:
        """How many bytes a part is to have."""
        return min(self.part_size_bytes, self.size_bytes - (number - 1) * self.part_size_bytes)


@dataclass(frozen=True, slots=True)
class SentPart:
    """A part that is in the store."""

    size_bytes: int
    etag: str


def part_size(size_bytes: int, preferred_bytes: int) -> int:
    """The size of parts, in whole mebibytes: as preferred, or as much larger as it takes to stay within S3's limit."""
    least = max(preferred_bytes, LEAST_PART_BYTES, math.ceil(size_bytes / MOST_PARTS))
    return math.ceil(least / MEBIBYTE) * MEBIBYTE


async def begin(bucket: Bucket, key: str) -> str:
    """Begin a multipart upload, and return its id."""
    with translated_errors():
        created = await bucket.client.create_multipart_upload(
            Bucket=bucket.name, Key=key, ContentType="application/octet-stream"
        )
    return created["UploadId"]


async def part_url(bucket: Bucket, parts: Parts, number: int, *, seconds: int) -> str:
    """A URL that one part can be PUT to, and nothing of another size."""
    asked = {
        "Bucket": bucket.name,
        "Key": parts.key,
        "UploadId": parts.upload_id,
        "PartNumber": number,
        "ContentLength": parts.size_of(number),
    }
    return await bucket.signer.generate_presigned_url("upload_part", Params=asked, ExpiresIn=seconds)


async def sent_parts(
    bucket: Bucket, parts: Parts, *, after: int = 0, limit: int | None = None
) -> dict[int, SentPart] | None:
    """The parts after a number that are in the store; None where the upload was joined or is gone."""
    sent: dict[int, PartTypeDef] = {}
    marker: int | None = after
    try:
        while marker is not None and (limit is None or marker < after + limit):
            with translated_errors(), missing_told(bucket):
                page = await bucket.client.list_parts(
                    Bucket=bucket.name, Key=parts.key, UploadId=parts.upload_id, PartNumberMarker=marker
                )
            for part in page.get("Parts", ()):
                # Some stores list a part that was sent again once for each time: the last counts.
                earlier = sent.get(part["PartNumber"])
                if earlier is None or earlier["LastModified"] <= part["LastModified"]:
                    sent[part["PartNumber"]] = part
            marker = page["NextPartNumberMarker"] if page.get("IsTruncated") else None
    except NoSuchUpload:
        return None
    return {number: SentPart(part["Size"], part["ETag"].strip('"')) for number, part in sent.items()}


async def join(bucket: Bucket, parts: Parts, etags: Mapping[int, str] | None = None) -> None:
    """Make one object of the parts; one that was made before is fine.

    `etags` are what the client says its parts have. Raises `UploadIncomplete`, `UploadEnded`, `StorageUnavailable`.
    """
    sent = await sent_parts(bucket, parts)
    if sent is None:
        await _check_joined(bucket, parts)
        return
    wrong = [number for number in range(1, parts.count + 1) if not _sound(parts, number, sent.get(number), etags)]
    if wrong:
        raise UploadIncomplete(_told(wrong, parts.count))
    joined: list[CompletedPartTypeDef] = [
        {"PartNumber": number, "ETag": sent[number].etag} for number in range(1, parts.count + 1)
    ]
    try:
        with translated_errors(), missing_told(bucket):
            await bucket.client.complete_multipart_upload(
                Bucket=bucket.name,
                Key=parts.key,
                UploadId=parts.upload_id,
                MultipartUpload={"Parts": joined},
            )
    except NoSuchUpload:  # another attempt, or the answer to a first try got lost
        await _check_joined(bucket, parts)


class NoSuchUpload(Exception):
    """The store knows no multipart upload of that id: it was joined, aborted, or cleaned away."""


@contextmanager
def missing_told(bucket: Bucket) -> Iterator[None]:
    """Turns the store's word for an unknown upload into ours."""
    try:
        yield
    except bucket.client.exceptions.NoSuchUpload as error:
        raise NoSuchUpload from error


async def _check_joined(bucket: Bucket, parts: Parts) -> None:
    found = await bucket.head(parts.key)
    if found is None or found.size_bytes != parts.size_bytes:
        raise UploadEnded("The upload's parts are no longer in the store; begin a new one.")


def _sound(parts: Parts, number: int, sent: SentPart | None, etags: Mapping[int, str] | None) -> bool:
    if sent is None or sent.size_bytes != parts.size_of(number):
        return False
    return etags is None or number not in etags or etags[number].strip('"') == sent.etag


def _told(wrong: list[int], count: int) -> str:
    named = ", ".join(str(number) for number in wrong[:NAMED_PARTS]) + (", …" if len(wrong) > NAMED_PARTS else "")
    return (
        f"{len(wrong):,} of {count:,} parts are missing, or are not what they should be: {named}. "
        "Send them, and complete the upload again."
    )
