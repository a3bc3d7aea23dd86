"""Where documents come from and results may go: S3, with the server's own credentials."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from app.textract_server.errors import InternalServerError, InvalidKMSKeyError, InvalidS3ObjectError
from app.textract_server.kinds import HEAD_BYTES
from app.textract_server.orders import S3Location
from app.textract_server.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CHUNK_BYTES = 1024 * 1024
RETRY_DELAYS = (1, 2, 4, 8, 15, 30, 60, 60, 60)
"""Seconds between tries to reach S3: after a restart of a whole machine it may come up later than this server."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What S3 says about a document before it is fetched. `etag` holds fast to this very content."""

    size_bytes: int
    etag: str
    head: bytes


@dataclass(frozen=True, slots=True)
class S3Source:
    """Reads documents from S3, and writes results."""

    client: "S3Client"

    async def facts(self, location: S3Location) -> ObjectFacts:
        """Ask for a document's size and first bytes; InvalidS3ObjectError where it can't be had."""
        with _as_textract_errors():
            # One call for all of it: a HEAD before it would cost as much again, half of what a Start costs.
            try:
                answer = await self.client.get_object(**_object(location), Range=f"bytes=0-{HEAD_BYTES - 1}")
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                found = await self.client.head_object(**_object(location))  # It is empty.
                return ObjectFacts(found["ContentLength"], found["ETag"], b"")
            with closing(answer["Body"]) as body:
                head = await body.read()
            size = answer.get("ContentRange", "").rpartition("/")[2]
            return ObjectFacts(int(size) if size.isdecimal() else answer["ContentLength"], answer["ETag"], head)

    async def download(self, location: S3Location, etag: str, path: Path) -> None:
        """Fetch a document to a file; InvalidS3ObjectError where it is gone, or isn't the one that `etag` names any more."""
        with _as_textract_errors():
            answer = await self.client.get_object(**_object(location), IfMatch=etag)
            with closing(answer["Body"]) as body, path.open("wb") as file:
                while chunk := await body.read(CHUNK_BYTES):
                    await asyncio.to_thread(file.write, chunk)

    async def store(self, bucket: str, key: str, content: bytes, kms_key_id: str | None = None) -> None:
        """Write an object, encrypted with a key of KMS if there is one; the errors are those that a Start answers with."""
        encryption: Any = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        with _as_textract_errors():
            await self.client.put_object(Bucket=bucket, Key=key, Body=content, **encryption)


@asynccontextmanager
async def open_source(settings: Settings) -> AsyncIterator[S3Source]:
    """Open a client to S3 and close it again."""
    secret = settings.s3_secret_access_key
    config = AioConfig(
        connect_timeout=5,
        read_timeout=30,
        retries={"total_max_attempts": 3, "mode": "standard"},
        max_pool_connections=32,
        s3={"addressing_style": "path"} if settings.s3_endpoint_url else {},
    )
    async with get_session().create_client(
        "s3",
        region_name=settings.aws_region,
        endpoint_url=settings.s3_endpoint_url,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=config,
    ) as client:
        yield S3Source(client)


async def patiently(call: Callable[[], Awaitable[None]]) -> None:
    """Call S3 again and again while it is in trouble, for some minutes."""
    for delay in RETRY_DELAYS:
        try:
            return await call()
        except InternalServerError as error:
            logger.warning("S3 is asked again in %d s: %s", delay, error)
            await asyncio.sleep(delay)
    return await call()


@contextmanager
def _as_textract_errors() -> Iterator[None]:
    """S3's refusals are the caller's to mend; what never got an answer is worth trying again."""
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise InternalServerError("S3 is in trouble") from error
        if error.response["Error"]["Code"].startswith("KMS."):
            raise InvalidKMSKeyError from error
        raise InvalidS3ObjectError from error
    except (BotoCoreError, OSError) as error:
        raise InternalServerError("S3 can't be reached") from error


def _object(location: S3Location) -> Any:
    version = {"VersionId": location.version} if location.version else {}
    return {"Bucket": location.bucket, "Key": location.name, **version}
