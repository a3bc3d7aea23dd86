"""The audit trail: what happened in a project, and whose key did it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_

from app import event_log
from app.db import Sessions
from app.event_log import Portion, Position
from app.events import NO_PAGE, OF_THE_SERVICE, Event, EventType, Severity
from app.projects.models import ApiKey

NAMES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events are wanted; what is None or empty keeps none out."""

    types: Sequence[EventType] = ()
    severity: Severity | None = None
    code: str | None = None
    document_id: UUID | None = None
    job_id: UUID | None = None
    batch_id: UUID | None = None
    key_id: UUID | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it is of one document or job, whose pages can be listed as well."""
        return self.document_id is not None or self.job_id is not None

    @property
    def may_be_alerts(self) -> bool:
        """Whether alerts of the whole service are among what is wanted: they are of no document, and nobody's doing."""
        is_whose = (self.document_id, self.job_id, self.batch_id, self.key_id)
        return (not self.types or EventType.ALERT in self.types) and all(each is None for each in is_whose)

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a row has to fulfil."""
        equal = {
            Event.severity: self.severity,
            Event.code: self.code,
            Event.document_id: self.document_id,
            Event.job_id: self.job_id,
            Event.batch_id: self.batch_id,
            Event.api_key_id: self.key_id,
            Event.request_id: self.request_id,
        }
        found = [column == value for column, value in equal.items() if value is not None]
        if self.types:
            found.append(Event.type.in_(self.types))
        if self.since is not None:
            found.append(Event.created_at >= self.since)
        if self.until is not None:
            found.append(Event.created_at < self.until)
        return found


@dataclass(frozen=True, slots=True)
class Audit:
    """What can be asked about what happened."""

    sessions: Sessions
    key_names: dict[UUID, str] = field(default_factory=dict)
    """Of keys that were asked for; a name stays what it was."""

    async def find(
        self, project_id: UUID, wanted: AuditFilter, *, before: Position | None, limit: int
    ) -> Sequence[Event]:
        """A project's events and the alerts of the whole service, the newest first.

        Those of pages are found only where one document or job is asked for.
        """
        query = select(Event).where(*wanted.conditions())
        if not wanted.is_narrow:
            query = query.where(NO_PAGE)
        if before is not None:
            query = query.where(tuple_(Event.transaction_id, Event.id) < (before.transaction_id, before.event_id))
        query = query.order_by(Event.transaction_id.desc(), Event.id.desc()).limit(limit)
        async with self.sessions() as session:
            found = list(await session.scalars(query.where(Event.project_id == project_id)))
            if wanted.may_be_alerts:
                found += await session.scalars(query.where(OF_THE_SERVICE))
        found = sorted(found, key=Position.of, reverse=True)[:limit]
        await self._learn_names(found)
        return found

    async def now(self) -> Position:
        """The position after everything that can be told."""
        async with self.sessions() as session:
            return await event_log.now(session)

    async def read_projects(self, positions: Mapping[UUID, Position]) -> Mapping[UUID, Portion]:
        """What came after a position of each project, in order."""
        async with self.sessions() as session:
            portions = await event_log.read_projects(session, positions)
        await self._learn_names(event for portion in portions.values() for event in portion.events)
        return portions

    def key_name(self, key_id: UUID | None) -> str | None:
        """The name of a key, once an event of it was read."""
        return None if key_id is None else self.key_names.get(key_id)

    async def _learn_names(self, events: Iterable[Event]) -> None:
        unknown = {event.api_key_id for event in events if event.api_key_id is not None} - self.key_names.keys()
        if not unknown:
            return
        if len(self.key_names) >= NAMES_KEPT:
            self.key_names.clear()
        async with self.sessions() as session:
            rows = await session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(unknown)))
            self.key_names.update({row.id: row.name for row in rows})
