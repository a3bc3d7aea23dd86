"""A document's trace on its way out, piece by piece: as JSON of ours, and in the trace-event format.

Trace Event Format (the Chromium project): `X` is a span with its duration, `i` a moment, `M` a name; a process here is a
job, and its threads are what goes on beside one another.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from app.api.schemas import EventRead
from app.api.trace_schemas import SpanRead, TracedJob
from app.documents.trace import Traces
from app.events import Event, Severity
from app.jobs.models import Job
from app.jobs.spans import Span, SpanKind

STAGES_TRACK, PAGES_TRACK, FIRST_OCR_TRACK = 1, 2, 3
"""Threads of a job: its stages one after the other, its pages, and from there on an OCR job for each part."""

Tasks = Mapping[str, str]
"""What runs from each stage."""


async def stream_trace(traces: Traces, document_id: UUID, jobs: Sequence[Job], tasks: Tasks) -> AsyncIterator[bytes]:
    """A trace as a `TraceRead`."""
    told = [TracedJob.of(job).model_dump(mode="json") for job in jobs]
    yield orjson.dumps({"document_id": document_id, "jobs": told})[:-1] + b',"spans":['
    between = b""
    async for span in traces.spans(document_id):
        yield between + SpanRead.of(span, name_of(span, tasks)).model_dump_json().encode()
        between = b",\n"
    yield b'],"events":['
    between = b""
    async for event in traces.events(document_id):
        if event.job_id is not None:
            yield between + EventRead.of(event).model_dump_json().encode()
            between = b",\n"
    yield b"]}\n"


async def stream_trace_events(
    traces: Traces, document_id: UUID, jobs: Sequence[Job], tasks: Tasks
) -> AsyncIterator[bytes]:
    """A trace as `TraceEvents`; times count from the first job's creation."""
    start = min((job.created_at for job in jobs), default=datetime.now(UTC))
    processes = {job.id: number for number, job in enumerate(jobs, 1)}
    yield b'{"traceEvents":[' + b",\n".join(
        orjson.dumps(name) for job in jobs for name in _names(job, processes[job.id])
    )
    async for span in traces.spans(document_id):
        if span.job_id in processes:
            yield b",\n" + orjson.dumps(_complete(span, processes[span.job_id], start, name_of(span, tasks)))
    async for event in traces.events(document_id):
        if event.severity is not Severity.INFO and event.job_id in processes:
            yield b",\n" + orjson.dumps(_instant(event, processes[event.job_id], start))
    tail = {"displayTimeUnit": "ms", "otherData": {"document_id": document_id, "started_at": start}}
    yield b"]," + orjson.dumps(tail)[1:]


def name_of(span: Span, tasks: Tasks) -> str:
    """What a span is called."""
    if span.kind is SpanKind.PAGE:
        return f"page {span.page}"
    if span.kind is SpanKind.OCR_JOB:
        return f"{span.engine}, part {span.part}"
    task = tasks.get(span.stage or "", span.stage or "")
    return f"waiting for {task}" if span.kind is SpanKind.WAITING else task


def _names(job: Job, process: int) -> list[dict[str, Any]]:
    threads = {STAGES_TRACK: "stages", PAGES_TRACK: "pages"}
    return [
        {"name": "process_name", "ph": "M", "pid": process, "tid": 0, "args": {"name": f"job {job.id}: {job.state}"}},
        *(
            {"name": "thread_name", "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
            for thread, name in threads.items()
        ),
    ]


def _complete(span: Span, process: int, start: datetime, name: str) -> dict[str, Any]:
    until = span.ended_at or datetime.now(UTC)
    told = {"stage": span.stage, "attempt": span.attempt, "page": span.page, "outcome": span.outcome}
    return {
        "name": name,
        "cat": span.kind,
        "ph": "X",
        "ts": _microseconds(start, span.started_at),
        "dur": max(0, _microseconds(span.started_at, until)),
        "pid": process,
        "tid": _track(span),
        "args": {key: value for key, value in told.items() if value is not None},
    }


def _track(span: Span) -> int:
    if span.kind is SpanKind.OCR_JOB:
        return FIRST_OCR_TRACK + (span.part or 1) - 1
    return PAGES_TRACK if span.kind is SpanKind.PAGE else STAGES_TRACK


def _instant(event: Event, process: int, start: datetime) -> dict[str, Any]:
    return {
        "name": event.code or event.type,
        "cat": event.severity,
        "ph": "i",
        "s": "p",
        "ts": _microseconds(start, event.created_at),
        "pid": process,
        "tid": STAGES_TRACK,
        "args": event.payload,
    }


def _microseconds(start: datetime, moment: datetime) -> int:
    return round((moment - start).total_seconds() * 1_000_000)
