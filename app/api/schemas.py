"""What the API answers with. Each schema has an example; the OpenAPI document is written from these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.documents.intake import MediaType
from app.documents.models import Document
from app.documents.submission import Submission
from app.events import Event, EventType, Severity
from app.jobs.models import Job
from app.jobs.outlook import NOTHING, Prospect
from app.jobs.shares import share_of
from app.jobs.states import JobState, Priority, Stage
from app.ocr.engine import EngineName

DOCUMENT_ID = "019aa6c1-8f00-7c3e-9d5f-0d7a3c1b2e4f"
JOB_ID = "019aa6c1-8f02-7a10-b6ab-5f2c9e8d7a61"
NOW = "2026-11-21T10:15:30.123456Z"

JOB_EXAMPLE: dict[str, Any] = {
    "id": JOB_ID,
    "document_id": DOCUMENT_ID,
    "stage": "parsing",
    "state": "queued",
    "priority": "normal",
    "progress": {"fraction": 0.4, "pages_done": 0, "pages_total": 12},
    "attempts": 0,
    "queue_position": None,
    "estimated_start_at": None,
    "estimated_completion_at": NOW,
    "next_attempt_at": NOW,
    "cancel_requested": False,
    "error": None,
    "engine": "textract",
    "fallback_reason": None,
    "reused_job_id": None,
    "cost_microdollars": 18000,
    "textract": {
        "job_id": "270c1cc5c3a84a5f8b7e9c1d2f3a4b5c6d7e8f90a1b2c3d4e5f60718293a80e3",
        "status": "IN_PROGRESS",
        "started_at": NOW,
        "ended_at": None,
        "page_count": None,
        "error_message": None,
    },
    "stage_timings": {"queued": {"seconds": 0.084}, "job_validated": {"seconds": 0.041}},
    "last_event_number": 5,
    "created_at": NOW,
    "updated_at": NOW,
    "started_at": NOW,
    "finished_at": None,
}

DOCUMENT_EXAMPLE: dict[str, Any] = {
    "id": DOCUMENT_ID,
    "filename": "filing.pdf",
    "external_id": "case-1234/17",
    "metadata": {"court": "ca10"},
    "media_type": "application/pdf",
    "size_bytes": 189575,
    "sha256": "c5974d853db8e0cfbb1ce44b8472c2274df040f344efbd6b60e56056b5fdeab3",
    "page_count": 12,
    "created_at": NOW,
    "updated_at": NOW,
    "state": {
        "ocr": {"status": "running", "timestamp": NOW, "metadata": {"stage": "parsing", "updated_at": NOW}},
        **{
            step: {"status": "pending", "timestamp": NOW, "metadata": {"stage": "parsing", "updated_at": NOW}}
            for step in ("chunking", "embedding", "entities", "resolution", "relationships", "finalization")
        },
        "last_update": {"stage": "parsing", "status": "queued", "timestamp": NOW},
    },
    "cost_microdollars": 18000,
    "job": JOB_EXAMPLE,
}


NOT_OF_A_SUMMARY = {"state", "job", "cost_microdollars"}


def example(value: Any) -> ConfigDict:
    """A model's configuration with an example."""
    return ConfigDict(json_schema_extra={"examples": [value]})


class JobError(BaseModel):
    """Why a job's stage failed."""

    model_config = example(
        {
            "code": "document_encrypted",
            "message": "The document needs a password; remove it and submit the document again.",
            "retryable": False,
            "stage": "queued",
        }
    )

    code: str = Field(description="Stable, as listed in the docs.")
    message: str = Field(description="A sentence that says what to do.")
    retryable: bool = Field(description="Whether trying again can help.")
    stage: Stage = Field(description="The stage that the job had come to, and from which a retry goes on.")


class Progress(BaseModel):
    """How far a job has come."""

    model_config = example(JOB_EXAMPLE["progress"])

    fraction: float = Field(ge=0, le=1, description="0 to 1, by stages and pages.")
    pages_done: int
    pages_total: int | None = Field(description="Known once the document is validated.")


class TextractRead(BaseModel):
    """What is known of the Textract job."""

    model_config = example(JOB_EXAMPLE["textract"])

    job_id: str | None
    status: str | None = Field(description="In Textract's words: IN_PROGRESS, SUCCEEDED, PARTIAL_SUCCESS or FAILED.")
    started_at: datetime | None
    ended_at: datetime | None
    page_count: int | None
    error_message: str | None


class JobRead(BaseModel):
    """One run of the pipeline over one document."""

    model_config = example(JOB_EXAMPLE)

    id: UUID
    document_id: UUID
    stage: Stage = Field(description="How far it has come: its recovery point.")
    state: JobState = Field(description="Where it is in its life; `done`, `deadletter` and `cancelled` are ends.")
    priority: Priority
    progress: Progress
    attempts: int = Field(description="Failed tries of its present stage.")
    queue_position: int | None = Field(
        description="How many of the project's jobs are begun before it, at most 10,000; null once it has begun, and in lists."
    )
    estimated_start_at: datetime | None = Field(
        default=None,
        description="By its place, and the pace of the last minutes; null once it has begun, and in lists.",
    )
    estimated_completion_at: datetime | None = Field(
        default=None, description="The same of its end. Null where too little was done lately to tell, and in lists."
    )
    next_attempt_at: datetime = Field(description="When it is due next, where it waits.")
    cancel_requested: bool
    error: JobError | None
    engine: EngineName | None = Field(description="What reads the document, or has read it: `textract` or `local`.")
    fallback_reason: str | None = Field(description="Why it isn't the preferred engine.")
    reused_job_id: UUID | None = Field(description="The job of the same bytes whose result was taken over.")
    cost_microdollars: int = Field(description="What reading has cost so far; 1,000,000 are a US dollar.")
    textract: TextractRead
    stage_timings: dict[str, dict[str, float]] = Field(description="Seconds that each finished stage took.")
    last_event_number: int = Field(description="The number of its newest event; it grows with every change.")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job, prospect: Prospect = NOTHING) -> Self:
        """From a job's row, and what can be said of what comes."""
        return cls(
            **{name: getattr(job, name) for name in _COPIED},
            progress=_progress(job),
            queue_position=prospect.queue_position,
            estimated_start_at=prospect.estimated_start_at,
            estimated_completion_at=prospect.estimated_completion_at,
            cancel_requested=job.cancel_requested_at is not None,
            error=_error(job),
            textract=TextractRead(
                job_id=job.textract_job_id,
                status=job.textract_job_status,
                started_at=job.textract_start_time,
                ended_at=job.textract_end_time,
                page_count=job.textract_page_count,
                error_message=job.textract_error_message,
            ),
        )


_COPIED = (
    "id", "document_id", "stage", "state", "priority", "attempts", "next_attempt_at", "stage_timings",
    "engine", "fallback_reason", "reused_job_id", "cost_microdollars",
    "last_event_number", "created_at", "updated_at", "started_at", "finished_at",
)  # fmt: skip


class DocumentBase(BaseModel):
    """A stored document."""

    id: UUID
    filename: str | None
    external_id: str | None
    metadata: dict[str, Any]
    media_type: MediaType
    size_bytes: int
    sha256: str
    page_count: int | None = Field(description="Known once the document is validated.")
    created_at: datetime
    updated_at: datetime


class StepState(BaseModel):
    """What became of one step of a document's way."""

    model_config = example(DOCUMENT_EXAMPLE["state"]["ocr"])

    status: str = Field(description="pending, running, completed, skipped, failed or cancelled.")
    timestamp: datetime
    metadata: dict[str, Any] = Field(description="`stage`, `updated_at`, and `error` where it failed.")


class DocumentRead(DocumentBase):
    """A document, its state step by step, and its newest job."""

    model_config = example(DOCUMENT_EXAMPLE)

    state: dict[str, dict[str, Any]] = Field(
        description="A `StepState` for each step (`ocr`, `chunking`, `embedding`, `entities`, `resolution`, `relationships`, `finalization`), and `last_update`."
    )
    cost_microdollars: int = Field(description="What all its jobs have cost so far; 1,000,000 are a US dollar.")
    job: JobRead

    @classmethod
    def of(cls, submission: Submission, state: Mapping[str, Any]) -> Self:
        """From a document's row and its newest job's."""
        return cls(
            **document_fields(submission.document),
            state=dict(state),
            cost_microdollars=submission.cost_microdollars,
            job=JobRead.of(submission.job),
        )


class DocumentSummary(DocumentBase):
    """A document as it was taken in."""

    model_config = example({name: value for name, value in DOCUMENT_EXAMPLE.items() if name not in NOT_OF_A_SUMMARY})


class SubmissionRead(BaseModel):
    """A document that was taken in, and the job that reads it."""

    model_config = example(
        {"document": {n: v for n, v in DOCUMENT_EXAMPLE.items() if n not in NOT_OF_A_SUMMARY}, "job": JOB_EXAMPLE}
    )

    document: DocumentSummary
    job: JobRead

    @classmethod
    def of(cls, submission: Submission) -> Self:
        """From the rows that were made."""
        return cls(document=DocumentSummary(**document_fields(submission.document)), job=JobRead.of(submission.job))


class EventRead(BaseModel):
    """One change of a job: the `data` of a stream's events."""

    model_config = example(
        {
            "number": 3,
            "type": "stage",
            "severity": "info",
            "code": None,
            "job_id": JOB_ID,
            "document_id": DOCUMENT_ID,
            "payload": {"stage": "job_validated", "state": "working", "attempts": 0, "pages": 12},
            "request_id": "019aa6c1-8f11-7b11-8a4e-2f0e6a7d9c10",
            "created_at": NOW,
        }
    )

    number: int = Field(
        description="Counts the job's events from 1, without gaps; also the event's `id` in the stream."
    )
    type: EventType
    severity: Severity
    code: str | None
    job_id: UUID
    document_id: UUID | None
    payload: dict[str, Any]
    request_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, event: Event) -> Self:
        """From an event's row."""
        return cls.model_validate(event, from_attributes=True)


def document_fields(document: Document) -> dict[str, Any]:
    """A document's row in the API's words."""
    names = DocumentBase.model_fields.keys() - {"metadata"}
    return {name: getattr(document, name) for name in names} | {"metadata": document.details}


def _error(job: Job) -> JobError | None:
    if job.error_code is None:
        return None
    return JobError(
        code=job.error_code,
        message=job.error_message or "",
        retryable=bool(job.error_retryable),
        stage=job.error_stage or job.stage,
    )


def _progress(job: Job) -> Progress:
    return Progress(fraction=_fraction(job), pages_done=job.pages_done, pages_total=job.pages_total)


def _fraction(job: Job) -> float:
    return round(share_of(job.stage, job.pages_done, job.pages_total), 4)
