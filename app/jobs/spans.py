"""From a document's events to spans: how long its jobs waited and worked at each stage, and when each page was there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.events import Event, EventType
from app.jobs.models import TextractJob
from app.jobs.states import TERMINAL_STATES, JobState, Stage


class SpanKind(StrEnum):
    """What went on in a span of time."""

    WAITING = "waiting"
    """For a worker, for its turn, for the OCR engine, or before another try."""
    WORKING = "working"
    PAGE = "page"
    """From the pages before it, or the begin of the stage, until a page was stored."""
    OCR_JOB = "ocr_job"
    """An OCR job of an engine, as Quire saw it: a document's, or a part's."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time of one job."""

    job_id: UUID
    kind: SpanKind
    started_at: datetime
    ended_at: datetime | None
    """None while it lasts."""
    stage: Stage | None = None
    """Where the job stood."""
    attempt: int | None = None
    """Of a stage, from 1."""
    page: int | None = None
    engine: str | None = None
    part: int | None = None
    """Which part of the document an OCR job reads, from 1."""
    outcome: str | None = None
    """`succeeded`, `retried`, `put_off`, `failed` or `cancelled`; of an OCR job, the engine's word for it."""

    @property
    def seconds(self) -> float | None:
        """How long it was; None while it lasts."""
        if self.ended_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


@dataclass(slots=True)
class _Place:
    """Where a job stands, since when, and when its newest pages were stored."""

    stage: Stage
    state: JobState
    attempts: int
    since: datetime
    pages_from: datetime
    pages_until: datetime


@dataclass(slots=True)
class SpanReader:
    """Takes a document's events in, in order, and gives spans out as they end."""

    _places: dict[UUID, _Place] = field(default_factory=dict)

    def read(self, event: Event) -> Iterator[Span]:
        """The spans that an event ends."""
        if event.job_id is None:
            return
        place = self._places.get(event.job_id)
        if event.type is EventType.PAGE and place is not None:
            yield _page_span(event, event.job_id, place)
        elif (moved := _moved(event)) is not None:
            if place is not None:
                yield _stage_span(event.job_id, place, event.created_at, moved)
            self._places[event.job_id] = moved

    def finish(self) -> Iterator[Span]:
        """The spans that still last, once all events are read."""
        for job_id, place in self._places.items():
            if place.state not in TERMINAL_STATES:
                yield _stage_span(job_id, place, None, None)


def ocr_span(ocr_job: TextractJob) -> Span | None:
    """The span of an OCR job; None of one whose job is gone."""
    if ocr_job.job_id is None:
        return None
    return Span(
        job_id=ocr_job.job_id,
        kind=SpanKind.OCR_JOB,
        started_at=ocr_job.started_at or ocr_job.created_at,
        ended_at=ocr_job.ended_at,
        engine=ocr_job.engine,
        part=ocr_job.part,
        outcome=None if ocr_job.ended_at is None else ocr_job.status.lower(),
    )


def _moved(event: Event) -> _Place | None:
    """Where a job stands after an event; None of events that move nothing."""
    told: dict[str, Any] = event.payload
    if event.type is EventType.ACTION or "stage" not in told or "state" not in told:
        return None
    at = event.created_at
    return _Place(Stage(told["stage"]), JobState(told["state"]), int(told.get("attempts", 0)), at, at, at)


def _stage_span(job_id: UUID, place: _Place, ended_at: datetime | None, moved: _Place | None) -> Span:
    works = place.state is JobState.WORKING
    return Span(
        job_id=job_id,
        kind=SpanKind.WORKING if works else SpanKind.WAITING,
        started_at=place.since,
        ended_at=ended_at,
        stage=place.stage,
        attempt=place.attempts + 1,
        outcome=_outcome(place, moved) if works and moved else None,
    )


def _outcome(place: _Place, moved: _Place) -> str:
    ends = {
        JobState.DONE: "succeeded",
        JobState.RETRYABLE: "retried",
        JobState.DEADLETTER: "failed",
        JobState.CANCELLED: "cancelled",
    }
    return ends.get(moved.state, "put_off" if moved.stage is place.stage else "succeeded")


def _page_span(event: Event, job_id: UUID, place: _Place) -> Span:
    if event.created_at != place.pages_until:
        # Pages that are stored together have one moment; those after them began where they ended.
        place.pages_from, place.pages_until = place.pages_until, event.created_at
    return Span(
        job_id=job_id,
        kind=SpanKind.PAGE,
        started_at=place.pages_from,
        ended_at=event.created_at,
        stage=place.stage,
        page=event.payload.get("page"),
    )
