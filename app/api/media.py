"""Answers that aren't JSON: how they are described, and what type they are given under.

A file can be asked for as plain bytes, and lines as plain text: clients that are written by a generator often know no
other type, and would else leave such answers out.
"""

from typing import Any

from fastapi import Request

BYTES = "application/octet-stream"
TEXT = "text/plain"


def file_content(*media_types: str) -> dict[str, Any]:
    """The `content` of an answer that is a file of one of these types, or plain bytes where they are asked for."""
    text, binary = {"schema": {"type": "string"}}, {"schema": {"type": "string", "format": "binary"}}
    return {each: text if each.startswith("text/") else binary for each in (*media_types, BYTES)}


def lines_content(media_type: str) -> dict[str, Any]:
    """The `content` of an answer of lines, which can be asked for as plain text."""
    return {each: {"schema": {"type": "string"}} for each in (media_type, TEXT)}


def event_stream(description: str, *schemas: str) -> dict[int | str, dict[str, Any]]:
    """The answer of a stream; `schemas` are those of its events' data. To a client it is text, to be read as it comes."""
    data = {"oneOf": [{"$ref": f"#/components/schemas/{each}"} for each in schemas]}
    schema = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {200: {"description": description, "content": {"text/event-stream": {"schema": schema}}}}


def media_type_for(request: Request, media_type: str, *, plain: str = BYTES) -> str:
    """The type that an answer goes out under: its own, but to whoever accepts only `plain`."""
    return plain if request.headers.get("accept", "").strip().lower() == plain else media_type
