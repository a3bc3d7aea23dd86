"""Results that Textract has written to a bucket (OutputConfig), read from there instead of asked for by Get calls.

Layout (Amazon Textract Developer Guide, "OutputConfig"): `{prefix}/{JobId}/1`, `/2` and so on, each of which is an answer
as Get gives it, with every member present and null where Get leaves it out; beside them an empty `.s3_access_check`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import ClientError as HttpError  # what aiobotocore speaks HTTP with, and lets through while a body is read
from botocore.exceptions import BotoCoreError, ClientError

from app.errors import OcrAccessDenied, OcrResultInvalid, OcrUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MAX_OBJECT_BYTES = 64 * 1024 * 1024
"""An object holds up to some thousand blocks of half a kilobyte; a hundred times that is none of Textract's."""

DENIED = frozenset({"AccessDenied", "403", "KMS.DisabledException", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


@dataclass(frozen=True, slots=True)
class OutputStore:
    """The folder of a bucket that Textract writes results to, and the key that it encrypts them with."""

    client: "S3Client"
    bucket: str
    prefix: str
    kms_key_id: str | None = None
    max_object_bytes: int = MAX_OBJECT_BYTES

    @property
    def folder(self) -> str:
        """The prefix as Textract is told it: with slashes around it, it would not be clear where results lie."""
        return self.prefix.strip("/")

    async def parts(self, engine_job_id: str) -> AsyncIterator[dict[str, Any]]:
        """The answers that make up an ended job's result, in order and without nulls; one is in memory at a time.

        Raises OcrUnavailable where one isn't there (yet), OcrResultInvalid where one is no answer.
        """
        folder = f"{self.folder}/{engine_job_id}/"
        numbers = await self._numbers(folder)
        if numbers != list(range(1, len(numbers) + 1)) or not numbers:
            raise OcrUnavailable(
                f"The result of Textract's job isn't whole in {self.bucket}/{folder}: {len(numbers)} parts."
            )
        for number in numbers:
            yield _parsed(await self._content(f"{folder}{number}"))

    async def _numbers(self, folder: str) -> list[int]:
        """The parts that are there, sorted as numbers: names sort 10 before 2."""
        with translated_errors():
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder)
            names = [each["Key"].removeprefix(folder) async for page in pages for each in page.get("Contents", ())]
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    async def _content(self, key: str) -> bytes:
        with translated_errors():
            answer = await self.client.get_object(Bucket=self.bucket, Key=key)
            async with answer["Body"] as body:
                if answer["ContentLength"] > self.max_object_bytes:
                    raise OcrResultInvalid(
                        f"{self.bucket}/{key} has {answer['ContentLength']} bytes: no part of a result."
                    )
                return await body.read()


def without_nulls(value: Any) -> Any:
    """The same JSON without members and elements that are null, which the API leaves out and parsers stumble over."""
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(element) for element in value if element is not None]
    return value


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise OcrResultInvalid("A part of the result that Textract has stored is not JSON.") from error
    if not isinstance(answer, dict):
        raise OcrResultInvalid("A part of the result that Textract has stored is not an object.")
    told: dict[str, Any] = without_nulls(answer)
    return told


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns S3's errors into those of our tree; all but a refusal may pass."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in DENIED:
            raise OcrAccessDenied(f"The bucket that Textract writes results to can't be read ({code}).") from error
        raise OcrUnavailable(f"The bucket that Textract writes results to answered {code}.") from error
    except (BotoCoreError, HttpError, OSError) as error:
        raise OcrUnavailable(
            f"The bucket that Textract writes results to doesn't answer ({type(error).__name__})."
        ) from error
