"""What the API is asked of batches. An item that is wrong is refused in place, and fails nothing else."""

from dataclasses import replace
from typing import Any, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from app.api.options import ProcessingOptions
from app.api.schemas import DOCUMENT_ID
from app.api.submission import without_nul
from app.batches.drafts import BatchDraft, ItemDraft, Strictness, each_once
from app.errors import RequestInvalid
from app.jobs.states import Priority

MOST_ITEMS = 10_000
LONGEST_SOURCE = 1100
"""Characters: a bucket's name and a key."""

ITEM_EXAMPLE: dict[str, Any] = {
    "document_id": DOCUMENT_ID,
    "external_id": "case-1234/17",
    "metadata": {"court": "ca10"},
}
CHECK_EXAMPLE: dict[str, Any] = {
    "priority": "high",
    "options": {"warm_cache": True, "entity_resolution": True},
    "preflight": "require",
}
REQUEST_EXAMPLE: dict[str, Any] = {
    **CHECK_EXAMPLE,
    "documents": [ITEM_EXAMPLE, {"source": "s3://filings/2026/brief.pdf", "external_id": "case-1234/18"}],
}


class BatchItemCreate(BaseModel):
    """One document of a batch: name it by exactly one of `document_id`, `source` and `upload_id`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [ITEM_EXAMPLE]})

    document_id: UUID | None = Field(None, description="A document of the project, which is read once more.")
    source: str | None = Field(
        None,
        max_length=LONGEST_SOURCE,
        description="An object in a bucket that may be imported from: `s3://bucket/key`.",
    )
    upload_id: UUID | None = Field(None, description="An upload whose parts are all there; it is completed with this.")
    external_id: str | None = Field(None, max_length=256, description="Your own id of it.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Whatever you want to find with it.")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(each is not None for each in (self.document_id, self.source, self.upload_id)) != 1:
            raise ValueError("give exactly one of 'document_id', 'source' and 'upload_id'")
        return self

    _no_nul = field_validator("source", "external_id", "metadata")(without_nul)

    @property
    def asked(self) -> dict[str, Any]:
        """What it is named by."""
        named = {"document_id": self.document_id, "source": self.source, "upload_id": self.upload_id}
        return {name: str(value) for name, value in named.items() if value is not None}


_ITEM = TypeAdapter(BatchItemCreate)


class BatchOptions(ProcessingOptions):
    """How the documents of a batch are to be read."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"warm_cache": True, "entity_resolution": True}]}
    )

    warm_cache: bool = Field(
        default=False,
        description="Put the states and texts of its documents, as far as they were read before, into the cache first.",
    )


class BatchCheck(BaseModel):
    """What is said of a batch as a whole, and of all its jobs."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [CHECK_EXAMPLE]})

    priority: Priority = Field(Priority.NORMAL, description="That of all its jobs.")
    options: BatchOptions = Field(default_factory=BatchOptions, description="Those of all its jobs.")
    external_id: str | None = Field(None, max_length=256, description="Your own id of it.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Whatever you want to find with it.")
    callback_url: HttpUrl | None = Field(None, description="Told when the batch has ended.")
    preflight: Strictness = Field(
        Strictness.REQUIRE,
        description="`require` refuses a batch that nobody could work on (503 `no_workers` names the queues that no live worker "
        "serves); `warn` accepts it, and says so in `warnings`.",
    )

    _no_nul = field_validator("external_id", "metadata")(without_nul)

    def draft(self) -> BatchDraft:
        """In the core's words, as yet without items."""
        return BatchDraft(
            items=[],
            priority=self.priority,
            options=self.options.said(),
            external_id=self.external_id,
            metadata=self.metadata,
            callback_url=str(self.callback_url) if self.callback_url else None,
            preflight=self.preflight,
        )


class BatchCreate(BatchCheck):
    """Documents that are to be read as one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [REQUEST_EXAMPLE]})

    documents: list[Any] = Field(
        min_length=1, max_length=MOST_ITEMS, description="Its items, numbered from 1 in this order."
    )

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Its schema, in which items have theirs: they are looked at one by one, so that one that is wrong fails no other."""
        schema = super().model_json_schema(*arguments, **options)
        schema["properties"]["documents"]["items"] = {"$ref": "#/components/schemas/BatchItemCreate"}
        return schema

    def draft(self) -> BatchDraft:
        """In the core's words."""
        items = each_once(_item(number, said) for number, said in enumerate(self.documents, start=1))
        return replace(super().draft(), items=items)


def _item(number: int, said: Any) -> ItemDraft:
    try:
        item = _ITEM.validate_python(said)
    except ValidationError as error:
        problems = "; ".join(_problem(each) for each in error.errors(include_url=False, include_input=False))
        return ItemDraft(number, _as_asked(said), error=RequestInvalid(f"The item is not as it should be: {problems}."))
    return ItemDraft(number, item.asked, item.document_id, item.external_id, item.metadata)


def _problem(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}" if place else str(error["msg"])


def _as_asked(said: Any) -> dict[str, Any]:
    """As much of a broken item as helps to know it again."""
    if not isinstance(said, dict):
        return {}
    named = {name: said.get(name) for name in ("document_id", "source", "upload_id")}
    return {name: value[:LONGEST_SOURCE].replace("\x00", "") for name, value in named.items() if isinstance(value, str)}
