"""Cursors: where a list goes on, opaque to whoever holds one."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fastapi import Request, Response

from app.errors import RequestInvalid
from app.jobs.listing import Place

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode_cursor(position: int) -> str:
    """A cursor that goes on after a position."""
    return base64.urlsafe_b64encode(f"n{position}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> int:
    """The position that a cursor goes on after; 0 without one. Raises `RequestInvalid` for one that isn't ours."""
    if cursor is None:
        return 0
    try:
        said = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        position = int(said.removeprefix("n"))
    except (ValueError, binascii.Error) as error:
        raise RequestInvalid("The cursor is not one that this list gave.") from error
    if not 0 <= position < 2**31:
        raise RequestInvalid("The cursor is not one that this list gave.")
    return position


def encode_id_cursor(position: UUID) -> str:
    """A cursor that goes on after a row of an id."""
    return base64.urlsafe_b64encode(position.bytes).decode().rstrip("=")


def decode_id_cursor(cursor: str | None) -> UUID | None:
    """The id that a cursor goes on after; None without one. Raises `RequestInvalid` for one that isn't ours."""
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise RequestInvalid("The cursor is not one that this list gave.") from error


def encode_place(place: Place) -> str:
    """A cursor that goes on after a row of a moment and an id."""
    microseconds = (place.created_at - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(microseconds.to_bytes(8) + place.id.bytes).decode().rstrip("=")


def decode_place(cursor: str | None) -> Place | None:
    """The place that a cursor goes on after; None without one. Raises `RequestInvalid` for one that isn't ours."""
    if cursor is None:
        return None
    try:
        said = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        moment = EPOCH + timedelta(microseconds=int.from_bytes(said[:8]))
        return Place(moment, UUID(bytes=said[8:]))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise RequestInvalid("The cursor is not one that this list gave.") from error


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """The `Link` header (RFC 8288) to where a list goes on."""
    if cursor is not None:
        response.headers["Link"] = f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
