"""What a chat endpoint answers: its errors in our tree, and its claims once they are found in the text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from app.entities.finding import Found, trimmed
from app.entities.mentions import EntityType
from app.entities.readable import Readable
from app.errors import (
    EntityModelAccessDenied,
    EntityModelRequestInvalid,
    EntityModelResultInvalid,
    EntityModelThrottled,
    EntityModelUnavailable,
)

ASKED_FOR = (EntityType.PERSON, EntityType.ORGANIZATION, EntityType.PLACE)
"""What has a form of its own is found by its form, whatever model is asked."""

SCHEMA: dict[str, Any] = {
    "name": "names",
    "strict": True,
    "schema": {
        "type": "object",
        "additionalProperties": False,
        "required": ["names"],
        "properties": {
            "names": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["type", "text"],
                    "properties": {
                        "type": {"type": "string", "enum": [str(each) for each in ASKED_FOR]},
                        "text": {"type": "string"},
                    },
                },
            }
        },
    },
}
CONFIDENCE = 0.9
MOST_NAME_CHARACTERS = 200
QUOTED_CHARACTERS = 200

_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
_MAY_PASS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY}


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that a model says is in the text."""

    type: EntityType
    text: str


def checked_status(status: int, after: float | None, body: bytes) -> None:
    """Raise the error that a status means; nothing where it means success."""
    if status == HTTPStatus.OK:
        return
    said = body[: QUOTED_CHARACTERS * 4].decode(errors="replace")
    quoted = f"The model that finds entities answers {status}: {said[:QUOTED_CHARACTERS]}"
    if status in _DENIED or (status == HTTPStatus.TOO_MANY_REQUESTS and b"insufficient_quota" in body):
        raise EntityModelAccessDenied(quoted)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise EntityModelThrottled(quoted, retry_in_seconds=after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _MAY_PASS:
        raise EntityModelUnavailable(quoted, retry_in_seconds=after)
    raise EntityModelRequestInvalid(quoted)


def claims_of(body: bytes) -> list[Claim]:
    """The claims in an answer. Raises `EntityModelResultInvalid` where it isn't of the form of the schema."""
    try:
        choice = orjson.loads(body)["choices"][0]
        if choice.get("finish_reason") == "length":
            raise EntityModelResultInvalid("The answer was cut off; lower ENTITY_REQUEST_CHARACTERS.")
        names = orjson.loads(choice["message"]["content"])["names"]
        return [Claim(EntityType(name["type"]), _name(name["text"])) for name in names]
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise EntityModelResultInvalid(f"The answer is not of the form that was asked for ({error}).") from error


def _name(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError("a name is no string")
    return text.strip()


def found_in(text: Readable, claims: Iterable[Claim], source: str) -> tuple[list[Found], int]:
    """Every place where a claimed name stands in the text, and how many claims stand nowhere in it.

    Spaces and line breaks count as the same, as do straight and typographic quotes; capitals and small letters don't.
    """
    found, missing = [], 0
    for claim in dict.fromkeys(claims):
        places = list(_pattern(claim.text).finditer(text.text)) if _may_be_name(claim) else []
        missing += not places
        for match in places:
            start, end = trimmed(text.cased, *match.span())
            if start < end:
                found.append(Found(claim.type, start, end, CONFIDENCE, source))
    return found, missing


def _may_be_name(claim: Claim) -> bool:
    return (
        claim.type in ASKED_FOR
        and 1 < len(claim.text) <= MOST_NAME_CHARACTERS
        and any(letter.isalpha() for letter in claim.text)
    )


def _pattern(name: str) -> re.Pattern[str]:
    words = [re.sub(r"['’‘]", "['’‘]", re.escape(word)) for word in name.split()]
    return re.compile(r"(?<!\w)" + r"\s+".join(words) + r"(?!\w)")
