"""States of documents in Redis: a read cache, never the truth, under the run and the event that each is of."""

from typing import Any, Self
from uuid import UUID

import orjson
import structlog
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.jobs.models import Job

log = structlog.get_logger(__name__)

KEPT_SECONDS = 3600


class KeptState(BaseModel):
    """A document's state as it was after an event of its newest job."""

    job_id: UUID
    number: int
    """Of the job's last event then."""
    state: dict[str, Any]

    @classmethod
    def of(cls, job: Job, state: dict[str, Any]) -> Self:
        """The state that a job tells of now."""
        return cls(job_id=job.id, number=job.last_event_number, state=state)

    def is_of(self, job: Job) -> bool:
        """Whether nothing has happened since."""
        return (self.job_id, self.number) == (job.id, job.last_event_number)


def state_key(document_id: UUID) -> str:
    """Where a document's state is kept."""
    return f"doc:state:{document_id}"


def keep_state(pipe: Any, document_id: UUID, kept: KeptState) -> None:
    """Add keeping a state to what a pipeline of Redis does."""
    said = orjson.dumps(kept.model_dump(), default=str, option=orjson.OPT_NON_STR_KEYS)
    pipe.set(state_key(document_id), said, ex=KEPT_SECONDS)


async def kept_state(redis: Redis, document_id: UUID) -> KeptState | None:
    """What is kept of a document's state; whoever asks compares it with the job."""
    try:
        said = await redis.get(state_key(document_id))
        return None if said is None else KeptState.model_validate_json(said)
    except ValidationError:
        return None  # by another version of Quire
    except (RedisError, OSError) as error:
        log.warning("state_cache_away", error=str(error))
        return None


async def renew_state(redis: Redis, document_id: UUID, kept: KeptState) -> None:
    """Keep a newer state in place of one that was kept. Never fails: what is old is not told."""
    try:
        async with redis.pipeline(transaction=False) as pipe:
            keep_state(pipe, document_id, kept)
            await pipe.execute()
    except (RedisError, OSError) as error:
        log.warning("state_cache_away", error=str(error))
