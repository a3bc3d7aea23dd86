"""What a document's trace looks like in the API."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas import DOCUMENT_ID, JOB_ID, NOW, EventRead, example
from app.jobs.models import Job
from app.jobs.spans import Span, SpanKind
from app.jobs.states import JobState, Stage

SPAN_EXAMPLE: dict[str, Any] = {
    "job_id": JOB_ID,
    "kind": "working",
    "name": "validate_document",
    "stage": "queued",
    "attempt": 1,
    "page": None,
    "engine": None,
    "part": None,
    "started_at": NOW,
    "ended_at": NOW,
    "duration_seconds": 0.084,
    "outcome": "succeeded",
}

TRACED_JOB_EXAMPLE: dict[str, Any] = {
    "id": JOB_ID,
    "stage": "finalized",
    "state": "done",
    "stage_timings": {"queued": {"seconds": 0.084}},
    "created_at": NOW,
    "started_at": NOW,
    "finished_at": NOW,
    "duration_seconds": 2.31,
}


class SpanRead(BaseModel):
    """A stretch of time of one job: waiting or working at a stage, storing a page, or an OCR job."""

    model_config = example(SPAN_EXAMPLE)

    job_id: UUID
    kind: SpanKind
    name: str = Field(description="The stage's task, the page, or the engine.")
    stage: Stage | None = Field(description="Where the job stood.")
    attempt: int | None = Field(description="Of its stage, from 1.")
    page: int | None = Field(description="Of a page: which one.")
    engine: str | None = Field(description="Of an OCR job: `textract` or `local`.")
    part: int | None = Field(description="Of an OCR job: which part of the document it reads, from 1.")
    started_at: datetime
    ended_at: datetime | None = Field(description="Null while it lasts.")
    duration_seconds: float | None = Field(description="Null while it lasts.")
    outcome: str | None = Field(
        description="`succeeded`, `retried`, `put_off`, `failed` or `cancelled`; of an OCR job, the engine's word for it."
    )

    @classmethod
    def of(cls, span: Span, name: str) -> Self:
        """From a span."""
        fields = ("job_id", "kind", "stage", "attempt", "page", "engine", "part", "started_at", "ended_at", "outcome")
        return cls(**{field: getattr(span, field) for field in fields}, name=name, duration_seconds=span.seconds)


class TracedJob(BaseModel):
    """One of the document's jobs, and how long it took."""

    model_config = example(TRACED_JOB_EXAMPLE)

    id: UUID
    stage: Stage
    state: JobState
    stage_timings: dict[str, dict[str, float]] = Field(description="Seconds that each finished stage took.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None = Field(description="From its creation to its end; null while it runs.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """From a job's row."""
        fields = ("id", "stage", "state", "stage_timings", "created_at", "started_at", "finished_at")
        seconds = (job.finished_at - job.created_at).total_seconds() if job.finished_at else None
        return cls(**{field: getattr(job, field) for field in fields}, duration_seconds=seconds)


class TraceRead(BaseModel):
    """Everything that happened to a document, over all its jobs."""

    model_config = example(
        {
            "document_id": DOCUMENT_ID,
            "jobs": [TRACED_JOB_EXAMPLE],
            "spans": [SPAN_EXAMPLE],
            "events": [EventRead.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]  # set there
        }
    )

    document_id: UUID
    jobs: list[TracedJob] = Field(description="The oldest first.")
    spans: list[SpanRead] = Field(description="In the order in which they ended; those that last come last.")
    events: list[EventRead] = Field(description="In the order in which they happened.")


class TraceEvents(BaseModel):
    """A trace in the trace-event format, which Perfetto and `chrome://tracing` open."""

    model_config = example(
        {
            "traceEvents": [
                {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": f"job {JOB_ID}"}},
                {
                    "name": "validate_document",
                    "cat": "working",
                    "ph": "X",
                    "ts": 1200,
                    "dur": 84000,
                    "pid": 1,
                    "tid": 1,
                    "args": {"stage": "queued", "attempt": 1, "outcome": "succeeded"},
                },
            ],
            "displayTimeUnit": "ms",
            "otherData": {"document_id": DOCUMENT_ID, "started_at": NOW},
        }
    )

    traceEvents: list[dict[str, Any]] = Field(  # noqa: N815 (the format's own name)
        description="Processes are jobs; their threads are stages, pages and OCR jobs. Times are microseconds."
    )
    displayTimeUnit: str  # noqa: N815 (the format's own name)
    otherData: dict[str, Any]  # noqa: N815 (the format's own name)
