"""What Textract answers: its results as portions of ours, its errors as those of our tree.

Errors are classified by code, never by HTTP status: Textract sends its throttles as 400, and sometimes as 500.
Sources: the API model of Textract 2018-06-27, and "Handling Errors" in the Amazon Textract Developer Guide.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from socket import gaierror
from typing import Any

import msgspec
import orjson
from aiohttp import ClientConnectorError
from aiohttp import ClientError as HttpError  # what aiobotocore speaks HTTP with, and lets through while a body is read
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from app.errors import (
    DocumentCorrupt,
    DocumentTooLarge,
    DocumentUnreachable,
    OcrAccessDenied,
    OcrJobLost,
    OcrRequestInvalid,
    OcrResultInvalid,
    OcrSlotsFull,
    OcrThrottled,
    OcrUnavailable,
    OcrUnknown,
    QuireError,
    UnsupportedMediaType,
)
from app.ocr.engine import Block, EngineName, OcrStatus, Operation, PageWarning, ResultPart
from app.ocr.output import without_nulls

SPOKEN: Mapping[EngineName, str] = {EngineName.TEXTRACT: "Textract", EngineName.LOCAL: "The local OCR engine"}

MODEL_VERSION: Mapping[Operation, str] = {
    Operation.DETECTION: "DetectDocumentTextModelVersion",
    Operation.ANALYSIS: "AnalyzeDocumentModelVersion",
}

CODES: Mapping[type[QuireError], str] = {
    OcrThrottled: "ProvisionedThroughputExceededException ThrottlingException ThrottledException Throttling"
    " RequestThrottled RequestThrottledException RequestLimitExceeded TooManyRequestsException 429",
    OcrSlotsFull: "LimitExceededException",
    OcrUnavailable: "InternalServerError InternalServerException InternalFailure InternalError ServiceUnavailable"
    " ServiceUnavailableException RequestTimeout RequestTimeoutException SlowDown 408 500 502 503 504",
    OcrJobLost: "InvalidJobIdException",
    OcrRequestInvalid: "InvalidParameterException IdempotentParameterMismatchException HumanLoopQuotaExceededException"
    " ValidationException SerializationException UnknownOperationException",
    DocumentUnreachable: "InvalidS3ObjectException",
    UnsupportedMediaType: "UnsupportedDocumentException",
    DocumentCorrupt: "BadDocumentException",
    DocumentTooLarge: "DocumentTooLargeException RequestEntityTooLargeException 413",
    OcrAccessDenied: "AccessDeniedException AccessDenied InvalidKMSKeyException UnrecognizedClientException"
    " InvalidClientTokenId InvalidAccessKeyId InvalidSignatureException SignatureDoesNotMatch IncompleteSignature"
    " IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException ExpiredToken"
    " ExpiredTokenException RequestExpired NotAuthorized OptInRequired UnauthorizedOperation 401 403",
}
"""What each code is in our tree. Where an answer has none, the SDK gives its HTTP status in the code's place.

A bare 400 is not among them: it may be a throttle as well as a bad request.
"""

MOST_TOLD = 200
"""As many bytes of an answer without a message are told."""

ERRORS: Mapping[str, type[QuireError]] = {code: kind for kind, codes in CODES.items() for code in codes.split()}


def refusal(status: int, body: bytes, name: EngineName) -> QuireError:
    """The error of our tree that a refusal is; an unknown code is transient, so that it is never ignored.

    What has no code, as an answer of a proxy's, goes by its HTTP status, and its body is told as it came.
    """
    told = _parsed(body)
    # As in "com.amazonaws.textract#ThrottlingException:http://…", of which the name is the code.
    code = str(told.get("__type") or status).split(":", 1)[0].rpartition("#")[2]
    message = told.get("message") or told.get("Message") or body[:MOST_TOLD].decode(errors="replace").strip()
    return ERRORS.get(code, OcrUnknown)(f"{SPOKEN[name]}: {message or 'no message'} ({code}).")


@contextmanager
def translated_errors(name: EngineName) -> Iterator[None]:
    """Turns the SDK's errors, where nothing answers, into those of our tree."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise OcrAccessDenied(f"{SPOKEN[name]} can't be asked: there are no AWS credentials.") from error
    except (BotoCoreError, HttpError, OSError) as error:
        away = OcrUnavailable(f"{SPOKEN[name]} doesn't answer ({type(error).__name__}).")
        away.may_have_arrived = not _never_connected(error)
        raise away from error


def _never_connected(error: Exception) -> bool:
    """Whether nothing was sent. A connection that broke off later comes under the same class as one that was refused."""
    if isinstance(error, EndpointConnectionError):
        return isinstance(error.kwargs.get("error"), ClientConnectorError | gaierror)
    return isinstance(error, ConnectTimeoutError | ProxyConnectionError | SSLError)


RAW_BLOCKS = "RawBlocks"
"""The member that the bytes of a job's blocks stand under, beside what they were parsed to; JSON has no bytes."""


class _Answer(msgspec.Struct):
    blocks: msgspec.Raw = msgspec.field(name="Blocks", default=msgspec.Raw(b"[]"))


_ANSWERS = msgspec.json.Decoder(_Answer)


def members_of(body: bytes) -> dict[str, Any]:
    """The members of an answer, with the bytes of a job's blocks beside them; one that is no JSON object has none.

    The SDK's own parser goes through every member in Python: 60 ms for a portion of 1,000 blocks.
    """
    answer = _parsed(body)
    if b"null" in body:
        answer = without_nulls(answer)
    elif "JobStatus" in answer:  # the blocks of a page that is read at once are given its number
        answer.update(_raw_blocks(body))
    return answer


def _parsed(body: bytes) -> dict[str, Any]:
    answer: Any = None
    with suppress(orjson.JSONDecodeError):
        answer = orjson.loads(body)
    return answer if isinstance(answer, dict) else {}


def _raw_blocks(body: bytes) -> dict[str, bytes]:
    """The bytes of an answer's blocks, as a member of it: to find them takes a fifth of what writing them anew does."""
    with suppress(msgspec.DecodeError, RecursionError):  # nested deeper than Python goes
        return {RAW_BLOCKS: bytes(_ANSWERS.decode(body).blocks)}
    return {}


def part_of(answer: Mapping[str, Any], operation: Operation, name: EngineName) -> ResultPart:
    """The portion that an answer is. Raises OcrUnknown for a status, OcrResultInvalid for a result, that is none."""
    pages = _member(answer, "DocumentMetadata", dict, {}).get("Pages") or 0
    blocks: list[Block] = _member(answer, "Blocks", list, [])
    if not isinstance(pages, int) or not all(isinstance(block, dict) for block in blocks):
        raise OcrResultInvalid(f"{SPOKEN[name]} answers with a result that isn't one.")
    return ResultPart(
        _status(answer, name),
        blocks,
        pages,
        _member(answer, MODEL_VERSION[operation], str, None),
        _member(answer, "StatusMessage", str, None),
        tuple(_warning(told) for told in _member(answer, "Warnings", list, []) if isinstance(told, dict)),
        _member(answer, "NextToken", str, None),
        _member(answer, RAW_BLOCKS, bytes, None) if blocks else None,
    )


def _status(answer: Mapping[str, Any], name: EngineName) -> OcrStatus:
    word = str(answer.get("JobStatus"))
    if word not in OcrStatus.__members__:
        raise OcrUnknown(f"{SPOKEN[name]} says that its job is {word!r}, a status that Quire doesn't know.")
    return OcrStatus(word)


def _warning(told: Mapping[str, Any]) -> PageWarning:
    pages = _member(told, "Pages", list, [])
    return PageWarning(
        _member(told, "ErrorCode", str, "UNKNOWN"), tuple(page for page in pages if isinstance(page, int))
    )


def _member(answer: Mapping[str, Any], name: str, kind: type, otherwise: Any) -> Any:
    """A member of an answer, or what stands for it where it is missing, empty or of another kind."""
    value = answer.get(name)
    return value if value and isinstance(value, kind) else otherwise
