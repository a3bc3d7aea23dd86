"""What may be said of a document that is submitted, in a body of JSON, in the query or in a form."""

from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, WithJsonSchema, field_validator

from app.api.options import ProcessingOptions
from app.documents.submission import Description
from app.jobs.states import Priority


def _parse_json(value: object) -> object:
    try:
        return orjson.loads(value) if isinstance(value, str | bytes) else value
    except orjson.JSONDecodeError as error:
        raise ValueError("must be a JSON object") from error


JsonObject = Annotated[
    dict[str, Any],
    BeforeValidator(_parse_json),
    WithJsonSchema({"type": "string", "contentMediaType": "application/json", "examples": ['{"court": "ca10"}']}),
]
"""An object that travels as text: a query and a form have nothing else, and clients would spread an object over it."""


OptionsObject = Annotated[
    ProcessingOptions,
    BeforeValidator(_parse_json),
    WithJsonSchema(
        {"type": "string", "contentMediaType": "application/json", "examples": ['{"features": ["TABLES", "FORMS"]}']}
    ),
]


def without_nul(value: object) -> object:
    """A value that Postgres can keep: it takes no NUL, neither in text nor in JSON. Raises `ValueError` for others."""
    if _has_nul(value):
        raise ValueError("must not contain NUL")
    return value


class DocumentFields(BaseModel):
    """What may be said of a document in a body of JSON."""

    model_config = ConfigDict(extra="forbid")

    filename: str | None = Field(None, max_length=1024, description="What the document is called. Decides nothing.")
    priority: Priority = Field(Priority.NORMAL, description="Which documents are taken first.")
    options: ProcessingOptions = Field(default_factory=ProcessingOptions, description="How it is to be read.")
    external_id: str | None = Field(None, max_length=256, description="Your own id of it.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Whatever you want to find with it.")
    callback_url: HttpUrl | None = Field(None, description="Kept with the job.")

    _no_nul = field_validator("filename", "external_id", "metadata")(without_nul)

    def describe(self) -> Description:
        """In the core's words."""
        return Description(
            filename=self.filename,
            external_id=self.external_id,
            metadata=self.metadata,
            priority=self.priority,
            options=self.options.said(),
            callback_url=str(self.callback_url) if self.callback_url else None,
        )


class SubmissionFields(DocumentFields):
    """What may be said of a document that is submitted."""

    options: OptionsObject = Field(
        default_factory=ProcessingOptions, description="How it is to be read: `ProcessingOptions` as a JSON object."
    )
    metadata: JsonObject = Field(
        default_factory=dict, description="Whatever you want to find with it, as a JSON object."
    )


def _has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(_has_nul(item) for item in value)
    return isinstance(value, str) and "\x00" in value
