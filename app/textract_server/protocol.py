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

from app.textract_server.detection import JSON, TextDetection
from app.textract_server.errors import (
    DocumentTooLargeError,
    InternalServerError,
    SerializationError,
    TextractError,
    UnknownOperationError,
    UnsupportedProtocolError,
)
from app.textract_server.limits import MEBIBYTE, SYNCHRONOUS_BYTES
from app.textract_server.operations import find_operation
from app.textract_server.signature import SignatureVerifier, SignedRequest

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "Textract."
BODY_BYTES = SYNCHRONOUS_BYTES * 4 // 3 + MEBIBYTE
"""The longest body: the largest synchronous document in base64, and room for the rest."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Answers every request of the protocol."""

    detection: TextDetection
    verifier: SignatureVerifier

    async def __call__(self, request: Request) -> Response:
        """Answer one request; whatever happens, the answer is one that SDKs understand."""
        request_id, started_at = str(uuid4()), time.monotonic()
        code = "200"
        try:
            response = _response(request_id, await self._answer(request))
        except TextractError as error:
            code = error.code
            response = _failure(request_id, error)
        except Exception:
            # The outermost edge of the server.
            logger.exception("request failed request_id=%s", request_id)
            code = InternalServerError.code
            response = _failure(request_id, InternalServerError())
        milliseconds = 1000 * (time.monotonic() - started_at)
        target = request.headers.get("x-amz-target", "-")
        logger.info("answered target=%s code=%s ms=%.0f request_id=%s", target, code, milliseconds, request_id)
        return response

    async def _answer(self, request: Request) -> JSON:
        _check_protocol(request)
        body = await _body(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = SignedRequest(request.method, request.url.path, headers, body)
        self.verifier.verify(signed, datetime.now(UTC))
        operation = find_operation(headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX))
        parameters = _parse(body)
        operation.shape.check(parameters, "")
        return await operation.answer(self.detection, parameters)


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


def _response(request_id: str, content: JSON, status: HTTPStatus = HTTPStatus.OK) -> Response:
    headers = {"x-amzn-requestid": request_id}
    return Response(orjson.dumps(content), status, headers, media_type=CONTENT_TYPE)


def _failure(request_id: str, error: TextractError) -> Response:
    response = _response(request_id, {"__type": error.code, "Message": str(error)}, error.status)
    response.headers["x-amzn-errortype"] = error.code
    return response
