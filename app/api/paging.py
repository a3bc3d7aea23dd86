"""Pages of lists, and cursors: where a list goes on, opaque to whoever holds one."""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from fastapi import Request, Response

from app.errors import RequestInvalid
from app.jobs.listing import Place

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = TypeVar("Row")
Read = TypeVar("Read")


def one_page(
    request: Request, response: Response, found: Sequence[Row], limit: int, cursor_of: Callable[[Row], str]
) -> tuple[Sequence[Row], str | None]:
    """What a page shows of rows of which one more than that was looked for, and the cursor of the next; None at the end.

    The `Link` header (RFC 8288) leads there too. `cursor_of` says where a list goes on after a row.
    """
    shown = found[:limit]
    if len(found) <= limit:
        return shown, None
    cursor = cursor_of(shown[-1])
    response.headers["Link"] = f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
    return shown, cursor


def encoded(said: bytes) -> str:
    """A cursor that says something."""
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def decoded(cursor: str | None, read: Callable[[bytes], Read]) -> Read | None:
    """What a cursor says; None without one. Raises `RequestInvalid` for one that isn't ours.

    `read` raises `ValueError` or `OverflowError` for what it can't read.
    """
    if cursor is None:
        return None
    try:
        return read(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, OverflowError) as error:
        raise RequestInvalid("The cursor is not one that this list gave.") from error


def encode_cursor(position: int) -> str:
    """A cursor that goes on after a position."""
    return encoded(f"n{position}".encode())


def decode_cursor(cursor: str | None) -> int:
    """The position that a cursor goes on after; 0 without one. Raises `RequestInvalid` for one that isn't ours."""
    return decoded(cursor, _position) or 0


def encode_id_cursor(position: UUID) -> str:
    """A cursor that goes on after a row of an id."""
    return encoded(position.bytes)


def decode_id_cursor(cursor: str | None) -> UUID | None:
    """The id that a cursor goes on after; None without one. Raises `RequestInvalid` for one that isn't ours."""
    return decoded(cursor, lambda said: UUID(bytes=said))


def encode_place(place: Place) -> str:
    """A cursor that goes on after a row of a moment and an id."""
    microseconds = (place.created_at - EPOCH) // timedelta(microseconds=1)
    return encoded(microseconds.to_bytes(8) + place.id.bytes)


def decode_place(cursor: str | None) -> Place | None:
    """The place that a cursor goes on after; None without one. Raises `RequestInvalid` for one that isn't ours."""
    return decoded(cursor, _place)


def _position(said: bytes) -> int:
    position = int(said.decode().removeprefix("n"))
    if not 0 <= position < 2**31:
        raise ValueError("no position of a list")
    return position


def _place(said: bytes) -> Place:
    return Place(EPOCH + timedelta(microseconds=int.from_bytes(said[:8])), UUID(bytes=said[8:]))
