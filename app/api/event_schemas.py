"""What the API says of events that aren't told to those who follow one job alone."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.feeds import Piece
from app.api.schemas import DOCUMENT_ID, JOB_ID, NOW, example
from app.api.streams import sse
from app.audit import Audit
from app.event_log import Position
from app.events import Event, EventType, Severity

KEY_ID = "019aa6c1-8e01-7d21-9b1a-3c2f1e0d9b8a"
PROJECT_ID = "019aa6c1-8e00-7f11-8a2b-1d0e9c8b7a65"

LOGGED_EXAMPLE: dict[str, Any] = {
    "id": "73411-90210",
    "type": "retry",
    "severity": "info",
    "code": None,
    "document_id": DOCUMENT_ID,
    "job_id": JOB_ID,
    "batch_id": None,
    "number": 17,
    "payload": {"stage": "parsing", "state": "queued", "attempts": 0},
    "request_id": "019aa6c1-8f11-7b11-8a4e-2f0e6a7d9c10",
    "key": {"id": KEY_ID, "name": "ci"},
    "created_at": NOW,
}


class KeyOfEvent(BaseModel):
    """The API key that something was done with."""

    model_config = example({"id": KEY_ID, "name": "ci"})

    id: UUID
    name: str | None = Field(description="What the key is called; null once it is gone.")


class LoggedEventRead(BaseModel):
    """What happened, to what, and who did it."""

    model_config = example(LOGGED_EXAMPLE)

    id: str = Field(description="Its place in the log; also the event's `id` in the project's stream.")
    type: EventType
    severity: Severity
    code: str | None
    document_id: UUID | None
    job_id: UUID | None
    batch_id: UUID | None
    number: int | None = Field(description="Counts the events of its job, from 1; null where it is of no one job.")
    payload: dict[str, Any]
    request_id: str | None = Field(description="The request that it was done for, or that its job came with.")
    key: KeyOfEvent | None = Field(description="Whose key it was done with; null for what the service did by itself.")
    created_at: datetime

    @classmethod
    def of(cls, event: Event, audit: Audit) -> Self:
        """From an event's row."""
        key = None
        if event.api_key_id is not None:
            key = KeyOfEvent(id=event.api_key_id, name=audit.key_name(event.api_key_id))
        copied = {name: getattr(event, name) for name in cls.model_fields.keys() - {"id", "key"}}
        return cls(id=str(Position.of(event)), key=key, **copied)


class EventList(BaseModel):
    """Events, the newest first."""

    model_config = example({"items": [LOGGED_EXAMPLE], "next": None})

    items: list[LoggedEventRead]
    next: str | None = Field(description="The `cursor` of what comes after; null at the end.")


class ProjectSnapshot(BaseModel):
    """The first event of a project's stream: from where on it tells what happens."""

    model_config = example({"project_id": PROJECT_ID, "position": "73411-0"})

    project_id: UUID
    position: str = Field(description="The `Last-Event-ID` that brings all that happens after it.")


def project_piece(audit: Audit) -> Callable[[Event], Piece]:
    """How a project's stream tells an event."""

    def piece(event: Event) -> Piece:
        position = Position.of(event)
        said = LoggedEventRead.of(event, audit).model_dump_json()
        return Piece(position, event.type, sse(str(position), event.type, said))

    return piece
