"""JSON bodies that may be long: read up to a limit, whatever their headers say, and parsed once."""

from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.errors import RequestInvalid, RequestTooLarge

Model = TypeVar("Model", bound=BaseModel)


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
