"""What the API answers about batches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas import DOCUMENT_ID, JOB_EXAMPLE, NOW, JobRead, example
from app.batches.contents import ItemFound
from app.batches.models import Batch, BatchState, ItemStatus
from app.batches.progress import Progress
from app.batches.repository import RefusedItem
from app.jobs.states import Priority

BATCH_ID = "019aa6c1-8f10-7d2e-8c1b-3a5f7b9d1e20"

WARNING_EXAMPLE: dict[str, Any] = {
    "code": "no_workers",
    "message": "No live worker serves batch.high; start one with `quire worker --queues batch.high`.",
    "queues": ["batch.high"],
}
REFUSED_EXAMPLE: dict[str, Any] = {
    "number": 3,
    "code": "document_not_found",
    "message": "This project has no document of that id.",
}
PROGRESS_EXAMPLE: dict[str, Any] = {
    "percent": 42.5,
    "documents_done": 3900,
    "documents_total": 10000,
    "pages_done": 51230,
    "pages_total": 118000,
    "items": {"taken": 9998, "refused": 2},
    "jobs": {"done": 3900, "queued": 5988, "working": 100, "deadletter": 10},
    "stages": {"queued": 5900, "parsing": 188},
    "errors": {"document_encrypted": 10, "document_not_found": 2},
    "documents_per_minute": 312.4,
    "pages_per_minute": 3748.8,
    "estimated_completion_at": NOW,
    "cost_microdollars": 76845000,
    "counted_at": NOW,
}
SUMMARY_EXAMPLE: dict[str, Any] = {
    "id": BATCH_ID,
    "external_id": "case-1234",
    "metadata": {},
    "priority": "high",
    "state": "working",
    "options": {"warm_cache": True},
    "item_count": 10000,
    "percent": 42.5,
    "documents_refused": 2,
    "documents_failed": 10,
    "cancel_requested": False,
    "warnings": [WARNING_EXAMPLE],
    "created_at": NOW,
    "updated_at": NOW,
    "started_at": NOW,
    "finished_at": None,
}
BATCH_EXAMPLE: dict[str, Any] = {**SUMMARY_EXAMPLE, "progress": PROGRESS_EXAMPLE}
FOUND_EXAMPLE: dict[str, Any] = {
    "number": 17,
    "status": "taken",
    "asked": {"document_id": DOCUMENT_ID},
    "external_id": "case-1234/17",
    "metadata": {"court": "ca10"},
    "document_id": DOCUMENT_ID,
    "error": None,
    "job": JOB_EXAMPLE,
}


class BatchWarning(BaseModel):
    """What a batch met with in its pre-flight, and was accepted all the same."""

    model_config = example(WARNING_EXAMPLE)

    code: str = Field(description="Stable, as listed in the docs.")
    message: str
    queues: list[str] = Field(description="With `no_workers`: the queues that no live worker serves.")


class BatchChecked(BaseModel):
    """What a batch would meet with if it were submitted now."""

    model_config = example({"warnings": [WARNING_EXAMPLE]})

    warnings: list[BatchWarning] = Field(description="What its pre-flight has to say; empty where all is well.")


class BatchProgress(BaseModel):
    """How far a batch has come, as it was counted within the last seconds."""

    model_config = example(PROGRESS_EXAMPLE)

    percent: float = Field(ge=0, le=100, description="Of the work; it only grows, and begins anew with a retry.")
    documents_done: int
    documents_total: int = Field(description="All items, those that were refused among them.")
    pages_done: int
    pages_total: int = Field(description="Of the documents whose pages have been counted.")
    items: dict[str, int] = Field(description="Items by status: waiting, taken, refused, cancelled.")
    jobs: dict[str, int] = Field(description="Jobs by state.")
    stages: dict[str, int] = Field(description="Jobs that haven't ended, by stage.")
    errors: dict[str, int] = Field(description="Items that were refused and jobs that were given up, by code.")
    documents_per_minute: float = Field(description="That ended, over the last five minutes.")
    pages_per_minute: float = Field(description="Of those documents.")
    estimated_completion_at: datetime | None = Field(description="By that; null while nothing has ended yet.")
    cost_microdollars: int = Field(description="What its jobs have cost so far; 1,000,000 are a US dollar.")
    counted_at: datetime

    @classmethod
    def of(cls, progress: Progress, item_count: int) -> Self:
        """From what was counted."""
        counts = progress.counts
        return cls(
            percent=progress.percent,
            documents_done=counts.documents_done,
            documents_total=item_count,
            **{name: getattr(counts, name) for name in ("pages_done", "pages_total", "cost_microdollars")},
            **{name: getattr(counts, name) for name in ("items", "jobs", "stages", "errors")},
            documents_per_minute=progress.documents_per_minute,
            pages_per_minute=progress.pages_per_minute,
            estimated_completion_at=progress.estimated_finish_at,
            counted_at=progress.counted_at,
        )


class BatchSummary(BaseModel):
    """A batch, with no more of its counts than says whether all went well."""

    model_config = example(SUMMARY_EXAMPLE)

    id: UUID
    external_id: str | None
    metadata: dict[str, Any]
    priority: Priority
    state: BatchState = Field(description="`done` and `cancelled` are ends; a retry opens a batch that is done again.")
    options: dict[str, Any]
    item_count: int
    percent: float = Field(description="As it was told last.")
    documents_refused: int = Field(description="Items that could not be taken; as told last, and exact at its end.")
    documents_failed: int = Field(description="Documents whose jobs were given up; likewise.")
    cancel_requested: bool
    warnings: list[BatchWarning] = Field(description="What its pre-flight had to say.")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """From a batch's row."""
        return cls(**_fields(batch))


class BatchRead(BatchSummary):
    """A batch, and how far it has come."""

    model_config = example(BATCH_EXAMPLE)

    progress: BatchProgress

    @classmethod
    def read(cls, batch: Batch, progress: Progress) -> Self:
        """From a batch's row, and what was counted."""
        counted = BatchProgress.of(progress, batch.item_count)
        names = ("documents_refused", "documents_failed")
        told = {"percent": counted.percent} | {name: getattr(progress.counts, name) for name in names}
        return cls(**_fields(batch) | told, progress=counted)


class RefusedItemRead(BaseModel):
    """An item that was refused, and why."""

    model_config = example(REFUSED_EXAMPLE)

    number: int = Field(description="From 1, in the order of the request.")
    code: str
    message: str

    @classmethod
    def of(cls, refused: RefusedItem) -> Self:
        """From what was refused."""
        return cls.model_validate(refused, from_attributes=True)


class BatchAccepted(BaseModel):
    """A batch that was accepted, and those of its items that were not."""

    model_config = example({"batch": SUMMARY_EXAMPLE, "refused": [REFUSED_EXAMPLE]})

    batch: BatchSummary
    refused: list[RefusedItemRead] = Field(description="By number; more may be refused when they are taken.")


class BatchList(BaseModel):
    """Some of the project's batches, the newest first."""

    model_config = example({"items": [SUMMARY_EXAMPLE], "next": None})

    items: list[BatchSummary]
    next: str | None = Field(description="The cursor of the next page of this list; null at its end.")


class ItemError(BaseModel):
    """Why an item was refused."""

    model_config = example({"code": REFUSED_EXAMPLE["code"], "message": REFUSED_EXAMPLE["message"]})

    code: str
    message: str


class BatchItemRead(BaseModel):
    """An item of a batch, and the job that came of it."""

    model_config = example(FOUND_EXAMPLE)

    number: int = Field(description="From 1, in the order of the request.")
    status: ItemStatus
    asked: dict[str, str] = Field(description="What it was named by: `document_id`, `source` or `upload_id`.")
    external_id: str | None
    metadata: dict[str, Any]
    document_id: UUID | None
    error: ItemError | None = Field(description="Why it was refused; what its job ended with is in the job.")
    job: JobRead | None

    @classmethod
    def of(cls, found: ItemFound) -> Self:
        """From an item's row and its job's."""
        error = None
        if found.error_code is not None:
            error = ItemError(code=found.error_code, message=found.error_message or "")
        names = ("number", "status", "asked", "external_id", "metadata", "document_id")
        job = JobRead.of(found.job) if found.job else None
        return cls(**{name: getattr(found, name) for name in names}, error=error, job=job)


class BatchItemList(BaseModel):
    """Some of a batch's items, by number."""

    model_config = example({"items": [FOUND_EXAMPLE], "next": None})

    items: list[BatchItemRead]
    next: str | None = Field(description="The cursor of the next page of this list; null at its end.")


class BatchRetried(BaseModel):
    """A batch of which some was asked for again."""

    model_config = example({"batch": SUMMARY_EXAMPLE, "retried": 10})

    batch: BatchSummary
    retried: int = Field(description="How many documents are tried again.")


def refusals(refused: Sequence[RefusedItem]) -> list[RefusedItemRead]:
    """Refused items in the API's words."""
    return [RefusedItemRead.of(each) for each in refused]


def _fields(batch: Batch) -> dict[str, Any]:
    copied = BatchSummary.model_fields.keys() - {"metadata", "cancel_requested"}
    values = {name: getattr(batch, name) for name in copied}
    return values | {"metadata": batch.details, "cancel_requested": batch.cancel_requested_at is not None}
