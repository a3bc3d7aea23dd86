"""What `quire check` finds: how something is and, where it isn't well, how to mend it."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.cli.connection import CommandError
from app.errors import QuireError

PATIENCE_SECONDS = 15.0
"""How long one part may take to be looked at."""

MENDING = {
    "postgres": "Start Postgres, or set DATABASE_URL; `make run` brings one of its own.",
    "redis": "Start Redis or Valkey, or set REDIS_URL; `make run` brings one of its own.",
    "bucket": "Set S3_BUCKET, AWS_ENDPOINT_URL_S3 and the AWS keys; `quire bucket ensure` makes the bucket.",
    "engines": "Set OCR_ENGINES, LOCAL_TEXTRACT_ENDPOINT_URL or the AWS keys.",
    "server": "Start it with `quire api` or `make run`, or set QUIRE_URL.",
}


class Grade(StrEnum):
    """How well something is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """How something is."""

    name: str
    grade: Grade
    detail: str
    mend: str | None = None


def well(name: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(name, Grade.OK, detail)


async def attempted(name: str, ask: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    """What was found; whatever keeps it from being looked at is a finding too."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await ask
    except TimeoutError:
        said = f"there was no answer within {PATIENCE_SECONDS:.0f} s."
    except (QuireError, CommandError) as error:
        said = error.detail if isinstance(error, QuireError) else error.sentence
    except (SQLAlchemyError, RedisError, OSError, httpx.HTTPError, BotoCoreError, ClientError) as error:
        said = f"it can't be used: {_reason(error)}."
    return [Finding(name, Grade.WRONG, said, MENDING.get(name))]


def _reason(error: Exception) -> str:
    """The first line of an error, of the driver's where SQLAlchemy wraps one."""
    inner = getattr(error, "orig", None) or error
    said = str(inner).strip() or type(inner).__name__
    return said.splitlines()[0].rstrip(".")
