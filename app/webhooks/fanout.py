"""From the log to messages: one row for each event and each endpoint that wants to hear of it.

The log is read in its own order, by one worker at a time, and how far it was read is written with the rows: so no event
is passed over, and none makes two.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app import event_log
from app.db import Sessions, new_id, one_statement, transaction
from app.events import Event, EventType
from app.webhooks import repository
from app.webhooks.models import Webhook, WebhookType

log = structlog.get_logger(__name__)

EVENTS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says, and where a request wanted to be called back."""

    data: Mapping[str, Any]
    callback_url: str | None


class Describer(Protocol):
    """Says of jobs and batches what the API says of them."""

    async def describe(
        self, session: AsyncSession, events: Sequence[Event], listening: Collection[UUID]
    ) -> Mapping[int, Told]:
        """What the events are about, by the events' ids, but for those that nobody is to be told of.

        Somebody is where the event's project is among those `listening`, or where its subject has a `callback_url`.
        Those whose subject is gone are left out, too.
        """
        ...


def type_of(event: Event) -> WebhookType | None:
    """What a message about an event would be called; None for events that no message tells of."""
    if event.type not in {EventType.DONE, EventType.ERROR}:
        return None
    state = event.payload.get("state")
    name = f"job.{state}" if event.job_id is not None else (event.code or "").replace("batch_", "batch.")
    return WebhookType(name) if name in _NAMES else None


_NAMES = frozenset(WebhookType) - {WebhookType.TEST}


def body_of(kind: WebhookType, moment: Any, data: Mapping[str, Any]) -> str:
    """A message's body."""
    return orjson.dumps({"type": kind, "timestamp": moment, "data": data}, option=orjson.OPT_NAIVE_UTC).decode()


@dataclass(frozen=True, slots=True)
class Fanout:
    """Makes messages of what the log says."""

    sessions: Sessions
    describer: Describer
    patience: timedelta
    """For how long a message is tried."""

    async def run_once(self) -> bool:
        """Read on, where there is something and nobody else does; True where there is more to read."""
        async with one_statement(self.sessions) as session:
            if not await repository.has_news(session):
                return False
        async with transaction(self.sessions) as lock:
            if not await repository.try_fanout_lock(lock):
                return False
            written = await repository.read_cursor(lock)
            # In a database that was restored elsewhere transactions count anew: what was noted is yet to come.
            position = min(written, await event_log.now(lock))
            portion = await event_log.read_of_note(lock, position, limit=EVENTS_AT_ONCE)
            if portion.position != written:
                await self._tell_of(portion)
        return portion.is_full

    async def _tell_of(self, portion: event_log.Portion) -> None:
        """Write the messages, and how far the log was read with them."""
        async with self.sessions.begin() as session:
            await repository.add_deliveries(session, await self._rows(session, portion.events))
            await repository.write_cursor(session, portion.position)

    async def _rows(self, session: AsyncSession, events: Sequence[Event]) -> list[dict[str, Any]]:
        kinds = {event.id: kind for event in events if (kind := type_of(event)) is not None}
        told_of = [event for event in events if event.id in kinds and event.project_id is not None]
        if not told_of:
            return []
        webhooks = await repository.enabled_of(session, {event.project_id for event in told_of if event.project_id})
        described = await self.describer.describe(session, told_of, {webhook.project_id for webhook in webhooks})
        rows: list[dict[str, Any]] = []
        for event in told_of:
            told = described.get(event.id)
            if told is None:
                continue
            body = body_of(kinds[event.id], event.created_at, told.data)
            rows += [
                self._row(webhook.id, event, kinds[event.id], body, webhook.url or "")
                for webhook in webhooks
                if _wants(webhook, event, kinds[event.id])
            ]
            if told.callback_url is not None and event.project_id is not None:
                callbacks = await repository.callbacks_of(session, event.project_id)
                row = self._row(callbacks.id, event, kinds[event.id], body, told.callback_url)
                rows.append({**row, "url": told.callback_url})
        return rows

    def _row(self, webhook_id: UUID, event: Event, kind: WebhookType, body: str, url: str) -> dict[str, Any]:
        return {
            "id": new_id(),
            "webhook_id": webhook_id,
            "event_id": event.id,
            "type": kind,
            "url": None,
            "host": host_of(url),
            "body": body,
            "give_up_at": event.created_at + self.patience,
        }


def host_of(url: str) -> str:
    """The host that a URL names; nothing where it can't be read."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _wants(webhook: Webhook, event: Event, kind: WebhookType) -> bool:
    """Whether an endpoint is to be told; of what was before it, it isn't."""
    is_of_project = webhook.project_id == event.project_id and webhook.created_at <= event.created_at
    return is_of_project and (not webhook.event_types or kind in webhook.event_types)
