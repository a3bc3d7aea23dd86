"""AWS JSON 1.1 on the wire: a POST to `/` with the operation in `X-Amz-Target`, and answers as the real service's."""

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.textract_server.errors import (
    DocumentTooLargeError,
    InternalServerError,
    SerializationError,
    TextractError,
    UnknownOperationError,
    UnsupportedProtocolError,
)
from app.textract_server.faults import Fault, Faults
from app.textract_server.limits import MEBIBYTE, SYNCHRONOUS_BYTES
from app.textract_server.lost_response import LostResponse
from app.textract_server.operations import OPERATIONS, find_operation
from app.textract_server.orders import JSON
from app.textract_server.quotas import Quotas
from app.textract_server.service import Service
from app.textract_server.signature import SignatureVerifier, SignedRequest
from app.textract_server.statistics import LOST, SUCCESS, Statistics

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "Textract."
BODY_BYTES = SYNCHRONOUS_BYTES * 4 // 3 + MEBIBYTE
"""The longest body: the largest synchronous document in base64, and room for the rest."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Answers every request of the protocol."""

    service: Service
    verifier: SignatureVerifier
    quotas: Quotas
    faults: Faults
    statistics: Statistics

    async def __call__(self, request: Request) -> Response:
        """Answer one request; whatever happens, the answer is one that SDKs understand."""
        request_id, started_at = str(uuid4()), time.monotonic()
        name = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        code = SUCCESS
        try:
            response = _response(request_id, await self._answer(request, name))
            if self.faults.drawn(Fault.LOST_RESPONSE, name):
                code, response = LOST, LostResponse()
        except TextractError as error:
            code = error.code
            response = _failure(request_id, error)
        except Exception:
            # The outermost edge of the server.
            logger.exception("request failed request_id=%s", request_id)
            code = InternalServerError.code
            response = _failure(request_id, InternalServerError())
        # A caller's own invention of a name must not become a counter.
        self.statistics.answered(name if name in OPERATIONS else "others", code)
        milliseconds = 1000 * (time.monotonic() - started_at)
        logger.info("answered operation=%s code=%s ms=%.0f request_id=%s", name, code, milliseconds, request_id)
        return response

    async def _answer(self, request: Request, name: str) -> JSON:
        _check_protocol(request)
        body = await _body(request)
        headers = {key.lower(): value for key, value in request.headers.items()}
        signed = SignedRequest(request.method, request.url.path, headers, body)
        self.verifier.verify(signed, datetime.now(UTC))
        operation = find_operation(name)
        self.quotas.admit(name, operation.kind)
        self.faults.raise_error(name)
        parameters = _parse(body)
        operation.shape.check(parameters, "")
        return await operation.answer(self.service, operation.family, parameters)


def _check_protocol(request: Request) -> None:
    content_type = request.headers.get("content-type", "")
    if "smithy-protocol" in request.headers or "cbor" in content_type or request.url.path.startswith("/service/"):
        raise UnsupportedProtocolError
    if request.method != "POST" or request.url.path != "/" or request.url.query:
        raise UnknownOperationError("requests are POSTs to /")
    if content_type.partition(";")[0].strip() != CONTENT_TYPE:
        raise UnsupportedProtocolError


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise DocumentTooLargeError
    return bytes(body)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SerializationError("the body is not JSON") from error


def _response(request_id: str, content: JSON, status: int = HTTPStatus.OK) -> Response:
    headers = {"x-amzn-requestid": request_id}
    return Response(orjson.dumps(content), status, headers, media_type=CONTENT_TYPE)


def _failure(request_id: str, error: TextractError) -> Response:
    response = _response(request_id, {"__type": error.code, "Message": str(error)}, error.status)
    response.headers["x-amzn-errortype"] = error.code
    return response
