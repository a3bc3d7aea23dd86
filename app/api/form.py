"""The body of a submission, whichever way it comes: the bytes themselves, or a form with a file in it.

Both are handed on chunk by chunk, so memory doesn't grow with the document. The fields of a form may stand before or
after the file, so what is said of a document is known only once its last byte is there.
"""

import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError, field_validator
from streaming_form_data import ParseFailedException, StreamingFormDataParser
from streaming_form_data.targets import BaseTarget, ValueTarget
from streaming_form_data.validators import MaxSizeValidator
from streaming_form_data.validators import ValidationError as FormValueTooLong

from app.documents.service import Content, Description
from app.errors import RequestInvalid
from app.jobs.states import Priority

LONGEST_FIELD_BYTES = 64 * 1024
FIELDS = ("filename", "priority", "options", "external_id", "metadata", "callback_url")


class SubmissionFields(BaseModel):
    """What may be said of a document that is submitted."""

    model_config = ConfigDict(extra="forbid")

    filename: str | None = Field(None, max_length=1024, description="What the document is called. Decides nothing.")
    priority: Priority = Field(Priority.NORMAL, description="Which documents are taken first.")
    options: dict[str, Any] = Field(default_factory=dict, description="How it is to be read, as a JSON object.")
    external_id: str | None = Field(None, max_length=256, description="Your own id of it.")
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Whatever you want to find with it, as a JSON object."
    )
    callback_url: HttpUrl | None = Field(None, description="Kept with the job.")

    @field_validator("options", "metadata", mode="before")
    @classmethod
    def _parse_json(cls, value: object) -> object:
        try:
            return orjson.loads(value) if isinstance(value, str | bytes) else value
        except orjson.JSONDecodeError as error:
            raise ValueError("must be a JSON object") from error

    @field_validator("filename", "external_id")
    @classmethod
    def _no_nul(cls, value: str | None) -> str | None:
        if value is not None and "\x00" in value:
            raise ValueError("must not contain NUL")
        return value

    def describe(self) -> Description:
        """In the core's words."""
        told = self.model_dump(exclude={"callback_url"})
        return Description(**told, callback_url=str(self.callback_url) if self.callback_url else None)


def read_content(request: Request) -> Content:
    """The bytes of a submission as they arrive, and what is said of them once they have."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        form = Form(request)
        return Content(form.chunks(), form.describe)
    said = dict(request.query_params)
    return Content(_raw_chunks(request), lambda: _description(said))


async def _raw_chunks(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


class FileTarget(BaseTarget):
    """Where the parser puts the file's bytes until they are fetched, which is before it gets more."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: deque[bytes] = deque()
        self.seen = False

    def on_start(self) -> None:
        if self.seen:
            raise RequestInvalid("The form has more than one 'file'; submit one document a request.")
        self.seen = True

    def on_data_received(self, chunk: bytes) -> None:
        self.pending.append(chunk)


@dataclass(slots=True)
class Form:
    """A multipart/form-data body, parsed as it arrives."""

    request: Request
    file: FileTarget = field(default_factory=FileTarget)
    values: dict[str, ValueTarget] = field(default_factory=dict)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the part named `file`. Raises `RequestInvalid` for a form that isn't one, or has no file."""
        parser = self._parser()
        try:
            async for data in self.request.stream():
                parser.data_received(data)
                while self.file.pending:
                    yield self.file.pending.popleft()
        except (ParseFailedException, FormValueTooLong) as error:
            raise RequestInvalid(
                "The body is not sound multipart/form-data, or a field is longer than 64 KiB."
            ) from error
        if not self.file.seen:
            raise RequestInvalid("The form has no part named 'file'.")

    def describe(self) -> Description:
        """What the form's other fields say, the query's parameters filling in."""
        said = dict(self.request.query_params)
        said |= {name: _text(target.value) for name, target in self.values.items() if target.value}
        if self.file.multipart_filename:
            said.setdefault("filename", self.file.multipart_filename)
        return _description(said)

    def _parser(self) -> StreamingFormDataParser:
        headers = dict(self.request.headers)
        if not re.search("boundary=", headers.get("content-type", ""), re.IGNORECASE):
            raise RequestInvalid("The Content-Type has no boundary.")
        parser = StreamingFormDataParser(headers)
        parser.register("file", self.file)
        for name in FIELDS:
            self.values[name] = ValueTarget(validator=MaxSizeValidator(LONGEST_FIELD_BYTES))
            parser.register(name, self.values[name])
        return parser


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise RequestInvalid("A field of the form is not UTF-8.") from error


def _description(said: dict[str, Any]) -> Description:
    try:
        return SubmissionFields.model_validate(said).describe()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
        raise RequestInvalid(f"What is said of the document is not sound: {wrong}.") from error
