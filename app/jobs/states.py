"""Where a job can be: its stage in the pipeline, its state in life, and which moves are legal. Pure: no I/O."""

from enum import StrEnum


class Stage(StrEnum):
    """How far a job has come: its recovery point. The name says what is done, not what is being done."""

    QUEUED = "queued"
    JOB_VALIDATED = "job_validated"
    PARSING = "parsing"
    PARSED = "parsed"
    PARSE_VALIDATED = "parse_validated"
    CHUNKING = "chunking"
    CHUNKS_BUFFERED = "chunks_buffered"
    EMBEDDING = "embedding"
    EMBEDDED = "embedded"
    ENTITIES_EXTRACTED = "entities_extracted"
    ENTITIES_RESOLVED = "entities_resolved"
    RELATIONSHIPS_BUILT = "relationships_built"
    FINALIZED = "finalized"


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    """Waiting for a worker, for a slot, or for the OCR engine; due at `next_attempt_at`."""
    WORKING = "working"
    """Claimed by a worker, under a lease and a fence."""
    RETRYABLE = "retryable"
    """Failed in a way that may pass; tried again at `next_attempt_at`."""
    DONE = "done"
    """Finalized; its results are there."""
    DEADLETTER = "deadletter"
    """Failed for good, with a code and a sentence."""
    CANCELLED = "cancelled"
    """Stopped because somebody asked for it."""


class Priority(StrEnum):
    """Which documents are taken first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


TERMINAL_STATES = frozenset({JobState.DONE, JobState.DEADLETTER, JobState.CANCELLED})
WAITING_STATES = frozenset({JobState.QUEUED, JobState.RETRYABLE})
LIVE_STATES = WAITING_STATES | {JobState.WORKING}

SOURCES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: LIVE_STATES | {JobState.DEADLETTER, JobState.CANCELLED},
    JobState.WORKING: LIVE_STATES,
    JobState.RETRYABLE: LIVE_STATES,
    JobState.DONE: frozenset({JobState.WORKING}),
    JobState.DEADLETTER: LIVE_STATES,
    JobState.CANCELLED: LIVE_STATES,
}
"""From which states each state can be reached. `done` stays done: a new run is a new job."""
