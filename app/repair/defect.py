"""What is wrong somewhere, and what would put it right."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.events import EventDraft, EventType

AT_ONCE = 500
"""Rows and keys that are looked at together."""

GRACE = timedelta(days=1)
"""Nothing younger than this is ever taken out of the bucket: its row may be about to be written."""

REPAIRED = "repaired"


class Kind(StrEnum):
    """What can be wrong."""

    STUCK = "stuck"
    """A job that should have been looked at long ago."""
    RESULT_LOST = "result_lost"
    """A document that was read, and whose result isn't whole any more."""
    FAILED = "failed"
    """A job that was given up."""
    CACHE = "stale_cache"
    """Something in Redis that says what isn't so."""
    FIELDS = "job_fields"
    """A job whose columns contradict each other."""
    NO_OBJECT = "document_without_object"
    NO_ROW = "object_without_row"
    UPLOAD = "unfinished_upload"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong."""

    kind: Kind
    subject: str
    """The id or key of what it is about."""
    detail: str
    remedy: str
    """What mending it does, or what somebody has to do about it."""
    mend: Callable[[], Awaitable[None]] | None = None
    """None where nothing can be done without somebody's decision. Mending twice does no harm."""


async def note(
    session: AsyncSession, kind: Kind, project_id: UUID | None, document_id: UUID | None = None, **said: Any
) -> None:
    """Write down what is put right, for the audit trail."""
    draft = EventDraft(EventType.ACTION, {"kind": kind, **said}, code=REPAIRED)
    await events.note(session, draft, project_id=project_id, document_id=document_id)
