"""The body of a submission, whichever way it comes: the bytes themselves, or a form with a file in it.

Both are handed on chunk by chunk, so memory doesn't grow with the document. The fields of a form may stand before or
after the file, so what is said of a document is known only once its last byte is there.
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from streaming_form_data import ParseFailedException, StreamingFormDataParser
from streaming_form_data.parser import UnexpectedPartException
from streaming_form_data.targets import BaseTarget

from app.api.submission import SubmissionFields
from app.documents.service import Content
from app.documents.submission import Description
from app.errors import DocumentTooLarge, RequestInvalid

LONGEST_FIELD_BYTES = 64 * 1024
FORM_BYTES = 1024 * 1024
"""How much a form may have beside its file."""

BOUNDARY = re.compile(
    r"""boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{1,70})"|([0-9A-Za-z'()+_,./:=?-]{1,70})\s*(?:;|$))""", re.IGNORECASE
)
"""RFC 2046, section 5.1.1."""


def is_form(request: Request) -> bool:
    """Whether a body says that it is a form."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def read_content(
    request: Request, *, most_bytes: int, check: Callable[[str | None, Mapping[str, Any]], None]
) -> Content:
    """The bytes of a submission as they arrive, and what is said of them once they have.

    `check` raises for a `callback_url` that may not be called, and for options that can't be served.
    """
    content = _content(request, most_bytes)

    def describe() -> Description:
        described = content.describe()
        check(described.callback_url, described.options)
        return described

    return Content(content.chunks, describe)


def _content(request: Request, most_bytes: int) -> Content:
    if is_form(request):
        form = Form(request, most_bytes + FORM_BYTES)
        return Content(form.chunks(), form.describe)
    said = dict(request.query_params)
    return Content(_raw_chunks(request), lambda: _description(said, "query"))


async def _raw_chunks(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


class Part(BaseTarget):
    """One named part of a form, which may stand in it once."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.state = "missing"

    def on_start(self) -> None:
        if self.state != "missing":
            raise _invalid(self.name, "stands in the form more than once; submit one document a request")
        self.state = "open"

    def on_finish(self) -> None:
        self.state = "finished"


class FilePart(Part):
    """Where the parser puts the file's bytes until they are fetched, which is before it gets more."""

    def __init__(self) -> None:
        super().__init__("file")
        self.pending: deque[bytes] = deque()

    def on_data_received(self, chunk: bytes) -> None:
        self.pending.append(chunk)


class FieldPart(Part):
    """A field, in memory."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.value = b""

    def on_data_received(self, chunk: bytes) -> None:
        self.value += chunk
        if len(self.value) > LONGEST_FIELD_BYTES:
            raise _invalid(self.name, f"must have at most {LONGEST_FIELD_BYTES:,} bytes")

    def text(self) -> str:
        """The field's value."""
        try:
            return self.value.decode()
        except UnicodeDecodeError as error:
            raise _invalid(self.name, "must be UTF-8") from error


@dataclass(slots=True)
class Form:
    """A multipart/form-data body, parsed as it arrives."""

    request: Request
    most_bytes: int
    file: FilePart = field(default_factory=FilePart)
    fields: dict[str, FieldPart] = field(
        default_factory=lambda: {name: FieldPart(name) for name in SubmissionFields.model_fields}
    )

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the part named `file`. Raises for a form that isn't one, has no file, or never ends."""
        parser = self._parser()
        size = 0
        async for data in self.request.stream():
            size += len(data)
            if size > self.most_bytes:
                raise DocumentTooLarge
            _parse(parser, data)
            while self.file.pending:
                yield self.file.pending.popleft()
        parts = [self.file, *self.fields.values()]
        if any(part.state == "open" for part in parts):
            raise RequestInvalid("The form ends in the middle of a part: its closing boundary is missing.")
        if self.file.state == "missing":
            raise _invalid("file", "is missing: the form needs a part of this name")

    def describe(self) -> Description:
        """What the form's other fields say, the query's parameters filling in."""
        said: dict[str, Any] = dict(self.request.query_params)
        said |= {name: part.text() for name, part in self.fields.items() if part.value}
        if self.file.multipart_filename:
            said.setdefault("filename", self.file.multipart_filename)
        return _description(said, "body")

    def _parser(self) -> StreamingFormDataParser:
        found = BOUNDARY.search(self.request.headers["content-type"])
        if found is None:
            raise RequestInvalid("The Content-Type has no boundary, or one that is not allowed.")
        boundary = found[1] or found[2]
        parser = StreamingFormDataParser(
            {"Content-Type": f'multipart/form-data; boundary="{boundary}"'},
            # A field that nobody knows is refused, as it is in the query: it may well be a known one, misspelt.
            strict=True,
        )
        for part in (self.file, *self.fields.values()):
            parser.register(part.name, part)
        return parser


def _parse(parser: StreamingFormDataParser, data: bytes) -> None:
    try:
        parser.data_received(data)
    except UnexpectedPartException as error:
        raise _invalid(error.part_name, "is not a field of this form") from error
    except (ParseFailedException, UnicodeDecodeError) as error:
        raise RequestInvalid("The body is not sound multipart/form-data.") from error


def _description(said: Mapping[str, Any], where: str) -> Description:
    try:
        return SubmissionFields.model_validate(said).describe()
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": (where, *each["loc"])} for each in error.errors()]) from error


def _invalid(name: str, wrong: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", name), "msg": wrong}])
