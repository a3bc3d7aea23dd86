"""Answers that aren't JSON: how they are described, and what type they are given under.

A file can be asked for as plain bytes, and lines as plain text: clients that are written by a generator often know no
other type, and would else leave such answers out.
"""

import re
from typing import Any

from fastapi import Request

from app.storage.compression import GZIP

BYTES = "application/octet-stream"
TEXT = "text/plain"

CODING = re.compile(r"\s*([^\s;]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?", re.ASCII | re.IGNORECASE)
"""An encoding and how much it is wanted, 1 where that isn't said (RFC 9110, 12.5.3)."""


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


def prefers_gzip(request: Request) -> bool:
    """Whether a caller takes gzip, and would not rather have plain bytes (RFC 9110, 12.5.3)."""
    told = map(CODING.fullmatch, ",".join(request.headers.getlist("accept-encoding")).split(","))
    wanted = {found[1].lower(): float(found[2] or 1) for found in told if found}
    gzip = wanted.get(GZIP, wanted.get("*", 0))
    return gzip > 0 and gzip >= wanted.get("identity", 0)
