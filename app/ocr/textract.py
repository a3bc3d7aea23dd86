"""AWS Textract, and whatever speaks its protocol, as an engine.

Errors are classified by code, never by HTTP status: Textract sends its throttles as 400, and sometimes as 500.
Sources: the API model of Textract 2018-06-27, and "Handling Errors" in the Amazon Textract Developer Guide.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import ClientError as HttpError  # what aiobotocore speaks HTTP with, and lets through while a body is read
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from app.config import Settings
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
from app.ocr.engine import (
    Block,
    EngineName,
    Feature,
    OcrStatus,
    Operation,
    PageWarning,
    Query,
    ReadRequest,
    ResultPart,
    Source,
)
from app.ocr.output import OutputStore

if TYPE_CHECKING:
    from types_aiobotocore_textract import TextractClient

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

ERRORS: Mapping[str, type[QuireError]] = {code: kind for kind, codes in CODES.items() for code in codes.split()}


@dataclass(frozen=True, slots=True)
class Calls:
    """What an operation's calls are named in the SDK, and its model's version in their answers."""

    start: str
    get: str
    read: str
    model_version: str


CALLS: Mapping[Operation, Calls] = {
    Operation.DETECTION: Calls(
        "start_document_text_detection",
        "get_document_text_detection",
        "detect_document_text",
        "DetectDocumentTextModelVersion",
    ),
    Operation.ANALYSIS: Calls(
        "start_document_analysis", "get_document_analysis", "analyze_document", "AnalyzeDocumentModelVersion"
    ),
}

SPOKEN: Mapping[EngineName, str] = {EngineName.TEXTRACT: "Textract", EngineName.LOCAL: "The local OCR engine"}


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """The SNS topic that is told of ended jobs, and the role under which Textract may publish to it."""

    topic_arn: str
    role_arn: str


@dataclass(frozen=True, slots=True)
class TextractEngine:
    """An account of Textract in one region, or one Textract-compatible server."""

    client: "TextractClient"
    reader: "TextractClient"
    """Asks but once: a synchronous call is paid for again with every try, even where only its answer is lost."""
    name: EngineName
    max_results: int
    notices: NotificationSettings | None = None
    output: OutputStore | None = None

    @property
    def stores_results(self) -> bool:
        return self.output is not None

    @property
    def parameters_fingerprint(self) -> str:
        """One hash over what the settings add to each Start: 64 hex digits.

        Textract refuses a token that comes with other parameters than before, so it has to be part of the token.
        """
        return hashlib.sha256(orjson.dumps(self._standing(), option=orjson.OPT_SORT_KEYS)).hexdigest()

    async def start(self, source: Source, request: ReadRequest, *, token: str, tag: str) -> str:
        said = {"DocumentLocation": _location(source), "ClientRequestToken": token, "JobTag": tag}
        with translated_errors(self.name):
            call = getattr(self.client, CALLS[request.operation].start)
            answer = await call(**said, **_asked(request), **self._standing())
        return str(answer["JobId"])

    async def get(self, engine_job_id: str, operation: Operation, next_token: str | None = None) -> ResultPart:
        more = {"NextToken": next_token} if next_token else {}
        with translated_errors(self.name):
            call = getattr(self.client, CALLS[operation].get)
            answer = await call(JobId=engine_job_id, MaxResults=self.max_results, **more)
        return _part(answer, operation, self.name)

    async def stored_results(self, engine_job_id: str, operation: Operation) -> AsyncIterator[ResultPart]:
        if self.output is None:
            raise OcrResultInvalid("No bucket is set that Textract's results are to be read from.")
        async for answer in self.output.parts(engine_job_id):
            yield _part(answer, operation, self.name)

    async def read(self, document: Source | bytes, request: ReadRequest) -> ResultPart:
        told = {"Bytes": document} if isinstance(document, bytes) else _location(document)
        with translated_errors(self.name):
            answer = await getattr(self.reader, CALLS[request.operation].read)(Document=told, **_asked(request))
        part = _part({**answer, "JobStatus": OcrStatus.SUCCEEDED}, request.operation, self.name)
        for block in part.blocks:
            block["Page"] = 1
        return part

    def _standing(self) -> dict[str, Any]:
        """The parameters that every Start has, whatever it reads."""
        standing: dict[str, Any] = {}
        if self.notices is not None:
            standing["NotificationChannel"] = {
                "SNSTopicArn": self.notices.topic_arn,
                "RoleArn": self.notices.role_arn,
            }
        if self.output is not None:
            standing["OutputConfig"] = {"S3Bucket": self.output.bucket, "S3Prefix": self.output.prefix}
            if self.output.kms_key_id is not None:
                standing["KMSKeyId"] = self.output.kms_key_id
        return standing


@asynccontextmanager
async def open_engine(
    session: Any, settings: Settings, name: EngineName, output: OutputStore | None = None
) -> AsyncIterator[TextractEngine]:
    """An engine with connections of its own to where the settings say it is; `session` is an aioboto3 session."""
    local = name is EngineName.LOCAL
    endpoint = settings.local_textract_endpoint_url if local else settings.aws_endpoint_url_textract
    topic, role = settings.textract_sns_topic_arn, settings.textract_sns_role_arn
    notices = NotificationSettings(topic, role) if topic and role and not local else None
    once = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    config = client_config(settings)
    async with (
        session.client("textract", endpoint_url=endpoint, config=config) as client,
        session.client("textract", endpoint_url=endpoint, config=config.merge(once)) as reader,
    ):
        yield TextractEngine(client, reader, name, settings.textract_max_results, notices, output)


def client_config(settings: Settings) -> Config:
    """Few retries in the SDK, whose own give up within seconds: a job's retries are ours, and cost no worker."""
    return Config(
        retries={"total_max_attempts": 2, "mode": "standard"},
        connect_timeout=settings.textract_connect_timeout_seconds,
        read_timeout=settings.textract_read_timeout_seconds,
        max_pool_connections=64,
    )


def classify(error: ClientError, name: EngineName = EngineName.TEXTRACT) -> QuireError:
    """The error of our tree that a Textract error is; an unknown code is transient, so that it is never ignored."""
    told = error.response.get("Error", {})
    code, message = told.get("Code", ""), told.get("Message", "")
    return ERRORS.get(code, OcrUnknown)(f"{SPOKEN[name]}: {message or 'no message'} ({code}).")


@contextmanager
def translated_errors(name: EngineName) -> Iterator[None]:
    """Turns the SDK's errors into those of our tree."""
    try:
        yield
    except ClientError as error:
        raise classify(error, name) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise OcrAccessDenied(f"{SPOKEN[name]} can't be asked: there are no AWS credentials.") from error
    except ParamValidationError as error:
        raise OcrRequestInvalid(f"{SPOKEN[name]} can't be asked so: {error}") from error
    except (BotoCoreError, HttpError, OSError) as error:
        raise OcrUnavailable(f"{SPOKEN[name]} doesn't answer ({type(error).__name__}).") from error


def _location(source: Source) -> dict[str, Any]:
    return {"S3Object": {"Bucket": source.bucket, "Name": source.key}}


def _asked(request: ReadRequest) -> dict[str, Any]:
    """What analysis is to find; detection takes no such parameters."""
    if request.operation is Operation.DETECTION:
        return {}
    features = request.analysis_features
    queries = [_query(query) for query in request.queries] if Feature.QUERIES in features else []
    return {"FeatureTypes": list(features)} | ({"QueriesConfig": {"Queries": queries}} if queries else {})


def _query(query: Query) -> dict[str, Any]:
    told: dict[str, Any] = {"Text": query.text}
    if query.alias:
        told["Alias"] = query.alias
    if query.pages:
        # Textract takes "*" only where it stands alone.
        told["Pages"] = ["*"] if "*" in query.pages else list(query.pages)
    return told


def _status(answer: Mapping[str, Any], name: EngineName) -> OcrStatus:
    word = str(answer.get("JobStatus"))
    if word not in OcrStatus.__members__:
        raise OcrUnknown(f"{SPOKEN[name]} says that its job is {word!r}, a status that Quire doesn't know.")
    return OcrStatus(word)


def _part(answer: Mapping[str, Any], operation: Operation, name: EngineName) -> ResultPart:
    pages = (answer.get("DocumentMetadata") or {}).get("Pages") or 0
    blocks: list[Block] = answer.get("Blocks") or []
    if not isinstance(pages, int) or not isinstance(blocks, list):
        raise OcrResultInvalid(f"{SPOKEN[name]} answers with a result that isn't one.")
    return ResultPart(
        _status(answer, name),
        blocks,
        pages,
        answer.get(CALLS[operation].model_version),
        answer.get("StatusMessage"),
        tuple(_warning(told) for told in answer.get("Warnings") or ()),
        answer.get("NextToken") or None,
    )


def _warning(told: Mapping[str, Any]) -> PageWarning:
    return PageWarning(told.get("ErrorCode") or "UNKNOWN", tuple(told.get("Pages") or ()))
