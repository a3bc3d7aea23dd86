"""AWS Textract, and whatever speaks its protocol, as an engine.

Errors are classified by code, never by HTTP status: Textract sends its throttles as 400, and sometimes as 500.
Sources: the API model of Textract 2018-06-27, and "Handling Errors" in the Amazon Textract Developer Guide.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.config import Settings
from app.errors import (
    DocumentCorrupt,
    DocumentTooLarge,
    DocumentUnreachable,
    OcrAccessDenied,
    OcrFailed,
    OcrJobLost,
    OcrRequestInvalid,
    OcrSlotsFull,
    OcrThrottled,
    OcrUnavailable,
    OcrUnknown,
    QuireError,
    UnsupportedMediaType,
)
from app.ocr.engine import OcrProgress, OcrStatus, PageWarning, ResultPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_aiobotocore_textract import TextractClient

ERRORS: Mapping[str, type[QuireError]] = {
    "ProvisionedThroughputExceededException": OcrThrottled,
    "ThrottlingException": OcrThrottled,
    "LimitExceededException": OcrSlotsFull,
    "InternalServerError": OcrUnavailable,
    "ServiceUnavailable": OcrUnavailable,
    "InvalidJobIdException": OcrJobLost,
    "InvalidParameterException": OcrRequestInvalid,
    "IdempotentParameterMismatchException": OcrRequestInvalid,
    "InvalidS3ObjectException": DocumentUnreachable,
    "UnsupportedDocumentException": UnsupportedMediaType,
    "BadDocumentException": DocumentCorrupt,
    "DocumentTooLargeException": DocumentTooLarge,
    "AccessDeniedException": OcrAccessDenied,
    "InvalidKMSKeyException": OcrAccessDenied,
    "UnrecognizedClientException": OcrAccessDenied,
    "InvalidSignatureException": OcrAccessDenied,
    "MissingAuthenticationTokenException": OcrAccessDenied,
}


def client_config(settings: Settings) -> Config:
    """Few retries in the SDK, whose own give up within seconds: a job's retries are ours, and cost no worker."""
    return Config(
        retries={"total_max_attempts": 2, "mode": "standard"},
        connect_timeout=settings.textract_connect_timeout_seconds,
        read_timeout=settings.textract_read_timeout_seconds,
        max_pool_connections=64,
    )


def classify(error: ClientError) -> QuireError:
    """The error of our tree that a Textract error is; an unknown code is transient, so that it is never ignored."""
    told = error.response.get("Error", {})
    code, message = told.get("Code", ""), told.get("Message", "")
    return ERRORS.get(code, OcrUnknown)(f"Textract: {message or 'no message'} ({code}).")


@contextmanager
def translated_errors() -> "Iterator[None]":
    """Turns the SDK's errors into those of our tree."""
    try:
        yield
    except ClientError as error:
        raise classify(error) from error
    except (BotoCoreError, OSError) as error:
        raise OcrUnavailable(f"Textract doesn't answer ({type(error).__name__}).") from error


@dataclass(frozen=True, slots=True)
class TextractEngine:
    """Asynchronous text detection."""

    client: "TextractClient"
    max_results: int

    async def start(self, *, bucket: str, key: str, token: str, tag: str) -> str:
        with translated_errors():
            answer = await self.client.start_document_text_detection(
                DocumentLocation={"S3Object": {"Bucket": bucket, "Name": key}}, ClientRequestToken=token, JobTag=tag
            )
        return answer["JobId"]

    async def ask(self, engine_job_id: str) -> OcrProgress:
        answer = await self._get(engine_job_id, MaxResults=1)
        pages = answer.get("DocumentMetadata", {}).get("Pages")
        return OcrProgress(_status(answer), answer.get("StatusMessage"), pages)

    async def results(self, engine_job_id: str) -> AsyncIterator[ResultPart]:
        token: str | None = None
        while True:
            more = {"NextToken": token} if token else {}
            answer = await self._get(engine_job_id, MaxResults=self.max_results, **more)
            yield _part(answer)
            token = answer.get("NextToken")
            if not token:
                return

    async def _get(self, engine_job_id: str, **options: Any) -> Mapping[str, Any]:
        with translated_errors():
            return await self.client.get_document_text_detection(JobId=engine_job_id, **options)


def _status(answer: Mapping[str, Any]) -> OcrStatus:
    word = answer.get("JobStatus", "")
    if word not in OcrStatus.__members__:
        raise OcrUnknown(f"Textract says that its job is {word!r}, a status that Quire doesn't know.")
    return OcrStatus(word)


def _part(answer: Mapping[str, Any]) -> ResultPart:
    status = _status(answer)
    if status is OcrStatus.FAILED:
        raise OcrFailed(f"Textract could not read the document: {answer.get('StatusMessage', 'no reason given')}.")
    warnings = (
        PageWarning(told.get("ErrorCode", "UNKNOWN"), tuple(told.get("Pages", ())))
        for told in answer.get("Warnings", ())
    )
    return ResultPart(
        status,
        answer.get("Blocks", []),
        answer.get("DocumentMetadata", {}).get("Pages", 0),
        answer.get("DetectDocumentTextModelVersion"),
        answer.get("StatusMessage"),
        tuple(warnings),
    )
