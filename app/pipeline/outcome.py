"""What a stage is given, and what it gives back. A stage knows nothing of queues, attempts or HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from app.config import Settings
from app.db import Sessions
from app.entities.mentions import EntityExtractor
from app.jobs.states import Stage
from app.knowledge.embedding import Embedding
from app.ocr.calls import Ocr
from app.pipeline.estimates import Estimates
from app.pipeline.portions import Portions
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
    estimates: Estimates
    portions: Portions
    turns: Turns
    embedding: Embedding
    extractor: EntityExtractor


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stage that succeeded: what it changes on the job, what its event tells, and whether the next one has to wait."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    due_in: timedelta | None = None
    """When the job is to be looked at next; None where it can go on at once."""
    to: Stage | None = None
    """Where the job comes to, if not to the stage that the table names: what lies between was not needed."""


def open_tools(resources: Resources) -> Tools:
    """The tools of a process, out of what it has open."""
    estimates = Estimates(resources.settings, resources.sessions, resources.ocr.pacer)
    return Tools(
        settings=resources.settings,
        sessions=resources.sessions,
        redis=resources.redis,
        bucket=resources.bucket,
        ocr=resources.ocr,
        estimates=estimates,
        portions=Portions(resources.redis),
        turns=Turns(resources.settings.worker_max_jobs),
        embedding=resources.embedding,
        extractor=resources.extractor,
    )
