"""The bucket: put, read, upload in parts, delete. S3 errors come out as `StorageUnavailable`, a missing key as None."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import anyio
import structlog
from aiohttp import ClientError as HttpError  # what aiobotocore speaks HTTP with, and lets through while a body is read
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.errors import StorageUnavailable
from app.storage.bare_puts import BarePuts

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger(__name__)

MEBIBYTE = 1024 * 1024

READ_CHUNK_BYTES = 256 * 1024

CLEAN_UP_PAUSES_SECONDS = (1, 2, 5, 15, 60, 300, 900)

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})

NOT_ENCODED = frozenset({"", "identity", "aws-chunked"})

FIRST_REGION = "us-east-1"

CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path", "payload_signing_enabled": False},
    retries={"total_max_attempts": 3, "mode": "standard"},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=64,
    user_agent="quire",  # the SDK's own is put together anew for each request, at a sixth of the request's cost
)
"""Bodies are covered by a CRC-32 trailer or header, so hashing each once more for the signature would be waste."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the bucket says of an object."""

    key: str
    size_bytes: int
    etag: str
    content_encoding: str | None


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """An object's bytes as they are stored, chunk by chunk, and how they are encoded."""

    chunks: AsyncIterator[bytes]
    content_encoding: str | None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks


class translated_errors:  # noqa: N801 (reads as the statement it is used in)
    """Turns the SDK's errors into ours; a missing key is the caller's to handle, as `FileNotFoundError`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ClientError):
            code = error.response.get("Error", {}).get("Code", "")
            if code in MISSING:
                raise FileNotFoundError(code) from error
            raise StorageUnavailable(f"The object storage answered {code}; try again in a moment.") from error
        if isinstance(error, BotoCoreError | HttpError | OSError) and not isinstance(error, FileNotFoundError):
            raise StorageUnavailable from error


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of an S3-compatible store."""

    client: "S3Client"
    name: str
    chores: "set[asyncio.Task[None]]" = field(default_factory=set)
    """What is still to be taken away, where the bucket was out of reach when it should have been."""
    public: "S3Client | None" = None
    """What presigns URLs, where clients reach the store by another address than we do."""
    bare_puts: BarePuts | None = None
    """What stores small objects by bare requests; the client does where there is none."""

    @property
    def signer(self) -> "S3Client":
        """What presigns URLs."""
        return self.public or self.client

    async def put(self, key: str, body: bytes, content_type: str, content_encoding: str | None = None) -> None:
        """Store a small object in one request; the body is encoded already."""
        bare = self.bare_puts
        if bare is not None and await bare.put(quote(key), body, content_type, content_encoding):
            return
        with translated_errors():
            await self.client.put_object(
                Bucket=self.name, Key=key, Body=body, **described(content_type, content_encoding)
            )
        if bare is not None:
            bare.client_did()

    async def head(self, key: str) -> StoredObject | None:
        """What is stored under a key."""
        try:
            with translated_errors():
                answer = await self.client.head_object(Bucket=self.name, Key=key)
        except FileNotFoundError:
            return None
        return StoredObject(key, answer["ContentLength"], answer["ETag"], _encoding_of(answer))

    async def check(self) -> None:
        """Raise unless the bucket is there and may be used."""
        try:
            with translated_errors():
                await self.client.head_bucket(Bucket=self.name)
        except FileNotFoundError as error:
            raise StorageUnavailable(f"The bucket {self.name} isn't there.") from error

    async def ensure(self) -> None:
        """Make the bucket where it isn't there yet."""
        try:
            with translated_errors():
                await self.client.head_bucket(Bucket=self.name)
        except FileNotFoundError:
            with translated_errors():
                await self.client.create_bucket(Bucket=self.name, **_placed(self.client.meta.region_name))

    async def delete(self, key: str) -> None:
        """Remove an object; one that isn't there is fine."""
        with suppress(FileNotFoundError), translated_errors():
            await self.client.delete_object(Bucket=self.name, Key=key)

    async def delete_all(self, prefix: str) -> None:
        """Remove every object whose key begins with a prefix, a thousand at a time."""
        with translated_errors():
            async for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                keys = [entry["Key"] for entry in page.get("Contents", ())]
                if keys:
                    await self.client.delete_objects(
                        Bucket=self.name, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
                    )

    async def copy(self, key: str, to: str) -> None:
        """Copy an object within the bucket, of up to 5 GB. Raises `FileNotFoundError` where there is none."""
        with translated_errors():
            await self.client.copy_object(Bucket=self.name, Key=to, CopySource={"Bucket": self.name, "Key": key})

    async def abort(self, key: str, upload_id: str) -> None:
        """Drop an unfinished upload and its parts; one that isn't there is fine."""
        with translated_errors(), suppress(self.client.exceptions.NoSuchUpload):
            await self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id)

    async def clean_up(self, take_away: Callable[[], Awaitable[None]], *, at_once: bool = True) -> None:
        """Take something away: now, or beside what follows, and again with growing pauses until it is gone."""
        try:
            if at_once:
                await take_away()
                return
        except StorageUnavailable as error:
            log.warning("cleaning_up_later", error=error.detail)
        chore = asyncio.create_task(_persist(take_away))
        self.chores.add(chore)
        chore.add_done_callback(self.chores.discard)

    async def close(self) -> None:
        """Give up what is still to be taken away; a lifecycle rule of the bucket is there for that."""
        for chore in self.chores:
            chore.cancel()
        await asyncio.gather(*self.chores, return_exceptions=True)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[StoredBytes]:
        """The object's bytes as they are stored, chunk by chunk. Raises `FileNotFoundError` where there is none."""
        with translated_errors():
            answer = await self.client.get_object(Bucket=self.name, Key=key)
        async with answer["Body"] as body:
            yield StoredBytes(_chunks(body), _encoding_of(answer))

    async def download(self, key: str, path: Path) -> int:
        """Copy an object to a local file; returns its size in bytes. Raises `FileNotFoundError`."""
        size = 0
        async with self.open(key) as chunks:
            # Opened here and not in a thread: one that is cancelled meanwhile would leave an open file behind.
            with path.open("wb") as opened:
                file = anyio.wrap_file(opened)
                async for chunk in chunks:
                    size += await file.write(chunk)
        return size


async def _persist(take_away: Callable[[], Awaitable[None]]) -> None:
    for seconds in CLEAN_UP_PAUSES_SECONDS:
        await asyncio.sleep(seconds)
        try:
            return await take_away()
        except StorageUnavailable as error:
            log.warning("clean_up_failed", error=error.detail)
    log.error("left_behind_in_the_bucket")
    return None


async def _chunks(body: object) -> AsyncIterator[bytes]:
    with translated_errors():
        async for chunk in body.content.iter_chunked(READ_CHUNK_BYTES):  # type: ignore[attr-defined]  # aiohttp's stream
            yield chunk


def described(content_type: str, content_encoding: str | None) -> Any:
    """What a request that stores an object says of it. The SDK takes no None for what isn't there."""
    return {"ContentType": content_type} | ({"ContentEncoding": content_encoding} if content_encoding else {})


def _encoding_of(answer: Mapping[str, Any]) -> str | None:
    """How an object is encoded; `aws-chunked`, which some stores keep, says only how the SDK had sent it."""
    said = (each.strip().lower() for each in answer.get("ContentEncoding", "").split(","))
    return ", ".join(each for each in said if each not in NOT_ENCODED) or None


def _placed(region: str) -> Any:
    """Where a bucket is to be made. S3 wants no constraint for its first region, and one for all others."""
    return {} if region == FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
