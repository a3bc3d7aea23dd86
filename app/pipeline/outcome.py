"""What a stage is given, and what it gives back. A stage knows nothing of queues, attempts or HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from app.config import Settings
from app.db import Sessions
from app.entities.mentions import EntityExtractor
from app.jobs.slots import Slots
from app.jobs.states import Stage
from app.knowledge.embedding import Embedding
from app.knowledge.erasing import Erasing, Output
from app.ocr.calls import Ocr
from app.pipeline.estimates import Estimates
from app.pipeline.portions import Portions
from app.pipeline.project_turns import ProjectTurns
from app.resources import Resources
from app.storage.s3 import Bucket
from app.turns import Turns


@dataclass(frozen=True, slots=True)
class Tools:
    """What stages work with."""

    settings: Settings
    sessions: Sessions
    redis: Redis
    bucket: Bucket
    ocr: Ocr
    slots: Slots
    estimates: Estimates
    portions: Portions
    turns: Turns
    embedding: Embedding
    extractor: EntityExtractor
    project_turns: ProjectTurns = field(default_factory=ProjectTurns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stage that succeeded: what it changes on the job, what its event tells, and whether the next one has to wait."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    due_in: timedelta | None = None
    """When the job is to be looked at next; None where it can go on at once."""
    to: Stage | None = None
    """Where the job comes to, if not to the stage that the table names: what lies between was not needed."""
    once_written: Callable[[], Awaitable[None]] | None = None
    """What is to follow once others can see the move that the success leads to; it is not tried again."""


def slots_of(resources: Resources) -> Slots:
    """What frees the slots of jobs that are cancelled."""
    return Slots(resources.ocr.pacer, tuple(resources.ocr.lanes))


def erasing_of(resources: Resources, slots: Slots) -> Erasing:
    """What erases documents, for both doors."""
    settings = resources.settings
    output = None
    if settings.textract_output_bucket is not None:
        folder = settings.textract_output_prefix.strip("/")
        output = Output(Bucket(resources.bucket.client, settings.textract_output_bucket), folder)
    return Erasing(
        sessions=resources.sessions,
        bucket=resources.bucket,
        redis=resources.redis,
        slots=slots,
        # By then a stage has either ended or lost its lease.
        settles_after=timedelta(seconds=settings.stage_timeout_seconds + settings.lease_seconds),
        output=output,
    )


def open_tools(resources: Resources) -> Tools:
    """The tools of a process, out of what it has open."""
    estimates = Estimates(resources.settings, resources.sessions, resources.ocr.pacer)
    return Tools(
        settings=resources.settings,
        sessions=resources.sessions,
        redis=resources.redis,
        bucket=resources.bucket,
        ocr=resources.ocr,
        slots=slots_of(resources),
        estimates=estimates,
        portions=Portions(resources.redis),
        turns=Turns(resources.settings.worker_max_jobs),
        embedding=resources.embedding,
        extractor=resources.extractor,
    )
