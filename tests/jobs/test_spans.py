"""From events to spans: waiting and working parted, tries counted, pages put between those before and themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.db import new_id
from app.events import Event, EventType
from app.jobs.spans import Span, SpanKind, SpanReader

BEGIN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
JOB = new_id()
WAITING, WORKING, PAGE = SpanKind.WAITING, SpanKind.WORKING, SpanKind.PAGE


def event(at: float, *, job: Any = JOB, type: EventType = EventType.STAGE, **payload: Any) -> Event:  # noqa: A002 (the column's name)
    """An event so many seconds after the begin."""
    return Event(job_id=job, type=type, payload=payload, created_at=BEGIN + timedelta(seconds=at))


def moved(at: float, stage: str, state: str, attempts: int = 0, job: Any = JOB) -> Event:
    """A job's move."""
    return event(at, job=job, stage=stage, state=state, attempts=attempts)


def spans_of(*events: Event) -> list[Span]:
    """All spans of these events, with those that last."""
    reader = SpanReader()
    ended = [span for each in events for span in reader.read(each)]
    return ended + list(reader.finish())


def told(spans: list[Span]) -> list[tuple[Any, ...]]:
    """What the tests compare."""
    return [(span.kind, span.stage, span.seconds, span.attempt, span.outcome) for span in spans]


def test_a_job_waits_and_works_by_turns() -> None:
    """Each move ends a span, and the last move of all begins none."""
    spans = spans_of(
        moved(0, "queued", "queued"),
        moved(1, "queued", "working"),
        moved(3, "job_validated", "working"),
        moved(3.5, "parsing", "queued"),
        moved(9, "parsing", "working"),
        moved(10, "finalized", "done"),
    )
    assert told(spans) == [
        (WAITING, "queued", 1.0, 1, None),
        (WORKING, "queued", 2.0, 1, "succeeded"),
        (WORKING, "job_validated", 0.5, 1, "succeeded"),
        (WAITING, "parsing", 5.5, 1, None),
        (WORKING, "parsing", 1.0, 1, "succeeded"),
    ]


def test_tries_are_counted_and_told() -> None:
    """A stage that is put off, tried again and given up says so, try by try."""
    spans = spans_of(
        moved(0, "queued", "working"),
        moved(1, "queued", "queued"),
        moved(2, "queued", "working"),
        moved(3, "queued", "retryable", 1),
        moved(5, "queued", "working", 1),
        moved(6, "queued", "deadletter", 2),
        moved(60, "queued", "queued"),
        moved(61, "queued", "cancelled"),
    )
    assert [(kind, seconds, attempt, outcome) for kind, _, seconds, attempt, outcome in told(spans)] == [
        (WORKING, 1.0, 1, "put_off"),
        (WAITING, 1.0, 1, None),
        (WORKING, 1.0, 1, "retried"),
        (WAITING, 2.0, 2, None),
        (WORKING, 1.0, 2, "failed"),
        (WAITING, 54.0, 3, None),
        (WAITING, 1.0, 1, None),
    ]


def test_pages_that_are_stored_together_began_together() -> None:
    """From the pages before them, or the begin of the stage's work."""
    pages = [event(at, type=EventType.PAGE, page=page) for at, page in ((5, 1), (5, 2), (7, 3))]
    spans = spans_of(moved(2, "parsing", "working"), *pages, moved(8, "parsed", "queued"))
    assert [(span.page, span.seconds) for span in spans if span.kind is PAGE] == [(1, 3.0), (2, 3.0), (3, 2.0)]


def test_what_lasts_has_no_end() -> None:
    """Of jobs that run; events that move nothing end nothing, and jobs don't mix."""
    other = new_id()
    spans = spans_of(
        moved(0, "queued", "working"),
        moved(0, "queued", "queued", job=other),
        event(1, type=EventType.WARNING, page=4),
        event(2, job=None, type=EventType.WARNING),
    )
    assert [(span.job_id, span.kind, span.ended_at, span.seconds) for span in spans] == [
        (JOB, WORKING, None, None),
        (other, WAITING, None, None),
    ]


def test_clocks_may_go_back() -> None:
    """Rows of other transactions can be a little older: no span is shorter than nothing."""
    assert [span.seconds for span in spans_of(moved(1, "queued", "working"), moved(0.9, "finalized", "done"))] == [0.0]
