"""AWS Textract, and whatever speaks its protocol, as an engine."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from botocore.config import Config

from app.aws import SignedRequests
from app.config import Settings
from app.errors import OcrEnginesAway, OcrResultInvalid, OcrUnknown
from app.ocr.answers import RAW_BLOCKS, SPOKEN, members_of, part_of, refusal, translated_errors
from app.ocr.engine import EngineName, Feature, OcrStatus, Operation, Query, ReadRequest, ResultPart, Source
from app.ocr.output import OutputStore

USER_AGENT = "quire"

CONTENT_TYPE = "application/x-amz-json-1.1"
"""Textract speaks AWS's JSON 1.1 protocol: each call is a POST to the root, with its name in a header."""


@dataclass(frozen=True, slots=True)
class Names:
    """What an operation's calls are named in Textract's API."""

    start: str
    get: str
    read: str


NAMES: Mapping[Operation, Names] = {
    Operation.DETECTION: Names("StartDocumentTextDetection", "GetDocumentTextDetection", "DetectDocumentText"),
    Operation.ANALYSIS: Names("StartDocumentAnalysis", "GetDocumentAnalysis", "AnalyzeDocument"),
}


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """The SNS topic that is told of ended jobs, and the role under which Textract may publish to it."""

    topic_arn: str
    role_arn: str


@dataclass(frozen=True, slots=True)
class TextractEngine:
    """An account of Textract in one region, or one Textract-compatible server."""

    requests: SignedRequests
    name: EngineName
    max_results: int
    notices: NotificationSettings | None = None
    output: OutputStore | None = None

    @property
    def endpoint_url(self) -> str:
        return self.requests.endpoint_url

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
        answer = await self._call(NAMES[request.operation].start, said | _asked(request) | self._standing())
        job_id = answer.get("JobId")
        if not isinstance(job_id, str) or not job_id:
            # It may pass: the same token names the same job.
            raise OcrUnknown(f"{SPOKEN[self.name]} has started a job, and doesn't say which.")
        return job_id

    async def get(self, engine_job_id: str, operation: Operation, next_token: str | None = None) -> ResultPart:
        said = {"JobId": engine_job_id, "MaxResults": self.max_results}
        answer = await self._call(NAMES[operation].get, said | ({"NextToken": next_token} if next_token else {}))
        return part_of(answer, operation, self.name)

    async def stored_results(self, engine_job_id: str, operation: Operation) -> AsyncIterator[ResultPart]:
        if self.output is None:
            raise OcrResultInvalid("No bucket is set that Textract's results are to be read from.")
        async for answer in self.output.parts(engine_job_id):
            yield part_of(answer, operation, self.name)

    async def read(self, document: Source | bytes, request: ReadRequest) -> ResultPart:
        said = {"Document": _inline(document) if isinstance(document, bytes) else _location(document)}
        answer = await self._call(NAMES[request.operation].read, said | _asked(request))
        part = part_of({**answer, "JobStatus": OcrStatus.SUCCEEDED, RAW_BLOCKS: None}, request.operation, self.name)
        for block in part.blocks:
            block["Page"] = 1
        return part

    async def _call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The members of the answer to a call. Raises what a refusal, or no answer, is in our tree."""
        headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": f"Textract.{operation}"}
        with translated_errors(self.name):
            answer = await self.requests.send("POST", "", headers, orjson.dumps(parameters))
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise refusal(answer.status, answer.body, self.name)
        return members_of(answer.body)

    def _standing(self) -> dict[str, Any]:
        """The parameters that every Start has, whatever it reads."""
        standing: dict[str, Any] = {}
        if self.notices is not None:
            standing["NotificationChannel"] = {
                "SNSTopicArn": self.notices.topic_arn,
                "RoleArn": self.notices.role_arn,
            }
        if self.output is not None:
            standing["OutputConfig"] = {"S3Bucket": self.output.bucket, "S3Prefix": self.output.folder}
            if self.output.kms_key_id is not None:
                standing["KMSKeyId"] = self.output.kms_key_id
        return standing


@asynccontextmanager
async def open_engine(
    session: Any, settings: Settings, name: EngineName, output: OutputStore | None = None
) -> AsyncIterator[TextractEngine]:
    """An engine with connections of its own to where the settings say it is; `session` is an aioboto3 session.

    Raises OcrEnginesAway where none says where `local` is: without an address, the SDK would ask AWS.
    """
    local = name is EngineName.LOCAL
    if local and settings.local_textract_endpoint_url is None:
        raise OcrEnginesAway(settings.engine_nowhere)
    endpoint = settings.local_textract_endpoint_url if local else settings.aws_endpoint_url_textract
    topic, role = settings.textract_sns_topic_arn, settings.textract_sns_role_arn
    notices = NotificationSettings(topic, role) if topic and role and not local else None
    async with session.client("textract", endpoint_url=endpoint, config=client_config(settings)) as client:
        requests = await SignedRequests.of(session, client)
        yield TextractEngine(requests, name, settings.textract_max_results, notices, output)


def client_config(settings: Settings) -> Config:
    """No retries in the SDK: its own would go past the pace, and be paid for where only the answer was lost."""
    return Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=settings.textract_connect_timeout_seconds,
        read_timeout=settings.textract_read_timeout_seconds,
        max_pool_connections=64,
        user_agent=USER_AGENT,
    )


def _location(source: Source) -> dict[str, Any]:
    return {"S3Object": {"Bucket": source.bucket, "Name": source.key}}


def _inline(document: bytes) -> dict[str, Any]:
    return {"Bytes": base64.b64encode(document).decode()}


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
