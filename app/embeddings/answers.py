"""What an OpenAI-compatible endpoint answers: its errors in our tree, and its vectors once they are known to be sound."""

import email.utils
import math
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson

from app.errors import (
    EmbeddingAccessDenied,
    EmbeddingCountWrong,
    EmbeddingDimensionsWrong,
    EmbeddingRequestInvalid,
    EmbeddingResultInvalid,
    EmbeddingThrottled,
    EmbeddingUnavailable,
)

BYTES_PER_NUMBER = 32
"""A double in JSON has at most 24 characters, and something between it and the next."""

QUOTED_CHARACTERS = 200

DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
MAY_PASS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}
LARGEST = 65504.0
"""The largest number in half precision, which indexes keep vectors in; NaN and infinity are not below it."""

NOTHING_LEFT = "insufficient_quota"
"""OpenAI's code for an account without money, which it tells by the status of a throttle."""


def most_bytes(count: int, dimensions: int) -> int:
    """How long an answer with so many vectors may be."""
    return 64 * 1024 + count * (dimensions * BYTES_PER_NUMBER + 256)


def check_status(status: int, wait: str | None, body: bytes) -> None:
    """Raise the error that a status means, with its `Retry-After`; nothing where it means success."""
    if status == HTTPStatus.OK:
        return
    message, code = _said(body)
    quoted = f"The embedding model answers {status}: {message}"
    after = retry_after(wait)
    if status in DENIED or (status == HTTPStatus.TOO_MANY_REQUESTS and code == NOTHING_LEFT):
        raise EmbeddingAccessDenied(quoted)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise EmbeddingThrottled(quoted, retry_in_seconds=after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in MAY_PASS:
        raise EmbeddingUnavailable(quoted, retry_in_seconds=after)
    raise EmbeddingRequestInvalid(quoted)


def retry_after(header: str | None) -> float | None:
    """The seconds that a `Retry-After` asks for, be it a number or a date (RFC 9110); None where there is no sound one."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = _until(header)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(date: str) -> float:
    try:
        return (email.utils.parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return math.nan


def read_answer(body: bytes, count: int, dimensions: int) -> tuple[list[list[float]], int | None]:
    """The vectors of an answer, in the order of the texts, and how many tokens it says that they took.

    Raises `EmbeddingResultInvalid` and its children.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EmbeddingResultInvalid("The embedding model's answer is no JSON.") from error
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(each, dict) for each in data):
        raise EmbeddingResultInvalid("The embedding model's answer has no list `data`.")
    if len(data) != count:
        raise EmbeddingCountWrong(f"The embedding model's answer has {len(data)} vectors for {count} texts.")
    by_index = {index: each.get("embedding") for each in data if isinstance(index := each.get("index"), int)}
    if by_index.keys() != set(range(count)):
        raise EmbeddingCountWrong("The embedding model's answer doesn't say which vector is of which text.")
    return [_vector(by_index[number], dimensions) for number in range(count)], _tokens(answer)


def _tokens(answer: dict[str, Any]) -> int | None:
    usage = answer.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and total > 0 else None


def _vector(said: Any, dimensions: int) -> list[float]:
    if not isinstance(said, list):
        raise EmbeddingResultInvalid("The embedding model's answer has something else where a vector should be.")
    if len(said) != dimensions:
        raise EmbeddingDimensionsWrong(
            f"The embedding model's vectors have {len(said)} dimensions, not {dimensions} as the settings say."
        )
    if not all(type(number) in (int, float) and abs(number) <= LARGEST for number in said):
        raise EmbeddingResultInvalid("The embedding model's vectors have something in them that can't be kept.")
    return said


def _said(body: bytes) -> tuple[str, str | None]:
    """The message and code of an error's body, where it says them as OpenAI does; else its beginning."""
    try:
        error = orjson.loads(body)["error"]
        return str(error["message"])[:QUOTED_CHARACTERS], error.get("code")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, IndexError):
        return body[: QUOTED_CHARACTERS * 4].decode(errors="replace")[:QUOTED_CHARACTERS], None
