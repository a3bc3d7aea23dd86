"""What a stage is given, and what it gives back. A stage knows nothing of queues, attempts or HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from app.config import Settings
from app.db import Sessions
from app.ocr.engine import Engine
from app.storage.s3 import Bucket


@dataclass(frozen=True, slots=True)
class Tools:
    """What stages work with."""

    settings: Settings
    sessions: Sessions
    redis: Redis
    bucket: Bucket
    ocr: Engine


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stage that succeeded: what it changes on the job, what its event tells, and whether the next one has to wait."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    due_in: timedelta | None = None
    """When the job is to be looked at next; None where it can go on at once."""
