"""JSON bodies: read up to a limit, whatever their headers say."""

from collections.abc import Collection
from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem_response
from app.errors import RequestInvalid, RequestTooLarge

Model = TypeVar("Model", bound=BaseModel)


class LimitedBodies:
    """Answers 413 to a body that is longer than requests have, but for calls that limit their own; the rest is read first.

    FastAPI would read all of it into memory before any of our code is asked.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, besides: Collection[str]) -> None:
        self.app = app
        self.most_bytes = most_bytes
        self.besides = besides

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.besides or not _has_body(scope):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body: bytes | None = await read_body(request, most_bytes=self.most_bytes)
        except RequestTooLarge as error:
            await problem_response(request, error)(scope, receive, send)
            return

        async def read_again() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            message, body = {"type": "http.request", "body": body, "more_body": False}, None
            return message

        await self.app(scope, read_again, send)


def _has_body(scope: Scope) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


async def read_body(request: Request, *, most_bytes: int) -> bytes:
    """The bytes of a body. Raises `RequestTooLarge`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise RequestTooLarge(f"The body has more than {most_bytes} bytes; send less at once.")
    return bytes(body)


def parse_body(model: type[Model], body: bytes) -> Model:
    """A body as its schema has it. Raises `RequestInvalid`, or FastAPI's own error with each field that is wrong."""
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestInvalid("The body isn't JSON.") from error
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from error
