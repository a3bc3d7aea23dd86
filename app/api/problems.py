"""Errors as `application/problem+json` (RFC 9457), and the same errors in the OpenAPI document."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from app.db import is_away
from app.errors import (
    DatabaseUnavailable,
    InternalError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    QuireError,
    RateLimited,
    RequestInvalid,
    Unauthorized,
)
from app.events import request_id

log = structlog.get_logger(__name__)

TYPE_BASE = "/docs/errors#"
MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"pointer": "/query/limit", "detail": "Input should be less than or equal to 200"}]
        }
    )

    pointer: str = Field(
        description="Where: `body`, `query`, `path` or `header`, and the field's name, as a JSON pointer."
    )
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it. `code` is stable; `detail` says what to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": f"{TYPE_BASE}document_not_found",
                    "title": "Document not found",
                    "status": 404,
                    "detail": "This project has no document of that id.",
                    "code": "document_not_found",
                    "instance": "/v1/documents/019aa6c1-8f00-7c3e-9d5f-0d7a3c1b2e4f",
                    "request_id": "019aa6c1-8f11-7b11-8a4e-2f0e6a7d9c10",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    request_id: str | None = None
    errors: list[FieldProblem] | None = Field(None, description="Each field that is wrong, where fields are.")


def problem_response(
    request: Request, error: QuireError, errors: Sequence[FieldProblem] = (), *, status: int | None = None
) -> Response:
    """An error as an answer; with `status`, under another than its own."""
    status = status or error.status
    problem = Problem(
        type=TYPE_BASE + error.code,
        title=error.title,
        status=status,
        detail=error.detail,
        code=error.code,
        instance=request.url.path,
        request_id=request_id(),
        errors=list(errors) or None,
    )
    body = orjson.dumps(problem.model_dump(exclude_none=True))
    return Response(body, status, headers=_headers(error), media_type=MEDIA_TYPE)


def add_error_handlers(app: FastAPI) -> None:
    """Have every error come out as a problem, and none with anything internal in it."""
    app.add_exception_handler(QuireError, _on_quire_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(PoolTimeout, _on_pool_timeout)
    app.add_exception_handler(OSError, _on_os_error)


ANYWHERE = (Unauthorized, RateLimited, RequestInvalid, InternalError, DatabaseUnavailable, Overloaded)
"""What every call that takes a key may end in."""


def problems(*errors: type[QuireError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may end in these errors, each with its code."""
    by_status: dict[int | str, dict[str, Any]] = {}
    possible: set[type[QuireError]] = {*ANYWHERE, *errors}
    for error in sorted(possible, key=lambda each: (each.status, each.code)):
        answer = by_status.setdefault(
            error.status, {"model": Problem, "description": "", "content": {MEDIA_TYPE: {"examples": {}}}}
        )
        answer["description"] = "; ".join(filter(None, [answer["description"], f"`{error.code}`"]))
        answer["content"][MEDIA_TYPE]["examples"][error.code] = {"summary": error.title, "value": _example(error)}
    return by_status


def _example(error: type[QuireError]) -> Mapping[str, Any]:
    return {
        "type": TYPE_BASE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "instance": "/v1/documents",
        "request_id": "019aa6c1-8f11-7b11-8a4e-2f0e6a7d9c10",
    }


def _headers(error: QuireError) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_seconds is not None:
        seconds = error.retry_after_seconds if error.retry_in_seconds is None else math.ceil(error.retry_in_seconds)
        headers["Retry-After"] = str(max(1, seconds))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


async def _on_quire_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuireError)  # noqa: S101 (how handlers are registered)
    return problem_response(request, error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (how handlers are registered)
    fields = [
        FieldProblem(pointer="".join(f"/{_escaped(part)}" for part in each["loc"]), detail=each["msg"])
        for each in error.errors()
    ]
    return problem_response(request, RequestInvalid(), fields)


def _escaped(part: object) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return str(part).replace("~", "~0").replace("/", "~1")


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (how handlers are registered)
    known = {404: NotFound(), 405: MethodNotAllowed()}
    other = InternalError() if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else Invalid()
    response = problem_response(request, known.get(error.status_code, other), status=error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _on_database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)  # noqa: S101 (how handlers are registered)
    log.warning("database_error", error=str(error))
    # Without a statement it was connecting that was refused: Postgres is full, or our URL is wrong.
    away = is_away(error) or error.statement is None
    if not away:
        log.error("database_refused", exc_info=error)
    return problem_response(request, DatabaseUnavailable() if away else InternalError())


async def _on_os_error(request: Request, error: Exception) -> Response:
    log.warning("connection_failed", error=str(error))
    return problem_response(request, DatabaseUnavailable())


async def _on_pool_timeout(request: Request, error: Exception) -> Response:
    log.warning("connections_exhausted", error=str(error))
    return problem_response(request, Overloaded())


def defect_response(request: Request, error: Exception) -> Response:
    """The answer to a defect of ours: the log says what it was, the answer doesn't."""
    log.error("unhandled_error", exc_info=error)
    return problem_response(request, InternalError())
