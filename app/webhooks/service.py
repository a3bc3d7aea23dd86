"""What a caller can ask about webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.db import Sessions, new_id
from app.errors import StateConflict, WebhookLimitReached
from app.events import EventDraft, EventType
from app.idempotency import Keep, keep_nothing
from app.webhooks import repository
from app.webhooks.addresses import Reach
from app.webhooks.fanout import body_of, host_of
from app.webhooks.models import DeliveryState, Webhook, WebhookDelivery, WebhookType
from app.webhooks.signing import new_secret

MOST_WEBHOOKS = 50
"""Endpoints of one project."""
ENABLED = {"disabled_at": None, "disabled_reason": None, "failing_since": None}


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What a caller can ask about a project's endpoints, and about its callbacks."""

    sessions: Sessions
    redis: Redis
    reach: Reach
    patience: timedelta
    """For how long a message is tried."""
    overlap: timedelta
    """For how long a secret that was replaced stays valid."""

    def check_url(self, url: str | None) -> None:
        """See that a URL may be called, as far as can be seen from it. Raises `WebhookUrlRefused`."""
        if url is not None:
            self.reach.check(url)

    async def create(
        self,
        project_id: UUID,
        *,
        url: str,
        description: str,
        event_types: Sequence[WebhookType],
        keep: Keep[Webhook] = keep_nothing,
    ) -> Webhook:
        """A new endpoint, with a secret of its own. Raises `WebhookUrlRefused` and `WebhookLimitReached`."""
        self.reach.check(url)
        webhook = Webhook(
            id=new_id(),
            project_id=project_id,
            url=url,
            description=description,
            event_types=list(event_types),
            secret=new_secret(),
        )
        async with self.sessions.begin() as session:
            if await repository.count_webhooks(session, project_id) >= MOST_WEBHOOKS:
                raise WebhookLimitReached
            await repository.add(session, webhook)
            await _note(session, project_id, webhook.id, "webhook_created", host=host_of(url))
            found = await repository.find(session, project_id, webhook.id)
            await keep(session, found)
        await events.ring_log(self.redis, project_id=project_id)
        return found

    async def find(self, project_id: UUID, webhook_id: UUID) -> Webhook:
        """One endpoint. Raises `WebhookNotFound`."""
        async with self.sessions() as session:
            return await repository.find(session, project_id, webhook_id)

    async def list_all(self, project_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Webhook]:
        """A project's endpoints, the newest first."""
        async with self.sessions() as session:
            return await repository.list_webhooks(session, project_id, before=before, limit=limit)

    async def change(self, project_id: UUID, webhook_id: UUID, changes: dict[str, Any]) -> Webhook:
        """Change an endpoint: `url`, `description`, `event_types`, `enabled`. Raises `WebhookNotFound`, `WebhookUrlRefused`."""
        self.check_url(changes.get("url"))
        enabled = changes.pop("enabled", None)
        values = dict(changes)
        if enabled is True:
            values |= ENABLED
        if enabled is False:
            values |= {"disabled_at": datetime.now(UTC), "disabled_reason": "Somebody disabled it."}
        async with self.sessions.begin() as session:
            await repository.find(session, project_id, webhook_id)
            changed = await repository.change(session, webhook_id, **values)
            if values.get("url"):
                await repository.move(session, webhook_id, host_of(values["url"]))
            said = sorted(changes) + ([] if enabled is None else ["enabled"])
            await _note(session, project_id, webhook_id, "webhook_changed", changed=said)
        await events.ring_log(self.redis, project_id=project_id)
        return changed

    async def delete(self, project_id: UUID, webhook_id: UUID) -> None:
        """Delete an endpoint and its messages. Raises `WebhookNotFound`."""
        async with self.sessions.begin() as session:
            webhook = await repository.find(session, project_id, webhook_id)
            await repository.remove(session, webhook_id)
            await _note(session, project_id, webhook_id, "webhook_deleted", host=host_of(webhook.url or ""))
        await events.ring_log(self.redis, project_id=project_id)

    async def rotate_secret(self, project_id: UUID, webhook_id: UUID, *, keep: Keep[Webhook] = keep_nothing) -> Webhook:
        """Give an endpoint another secret; messages are signed with both for a while. Raises `WebhookNotFound`."""
        async with self.sessions.begin() as session:
            webhook = await repository.find(session, project_id, webhook_id)
            rotated = await self._rotate(session, webhook)
            await keep(session, rotated)
        await events.ring_log(self.redis, project_id=project_id)
        return rotated

    async def callbacks(self, project_id: UUID) -> Webhook:
        """What signs the messages to a project's `callback_url`s."""
        async with self.sessions.begin() as session:
            return await repository.callbacks_of(session, project_id)

    async def rotate_callback_secret(self, project_id: UUID, *, keep: Keep[Webhook] = keep_nothing) -> Webhook:
        """Give the project's callbacks another secret; messages are signed with both for a while."""
        async with self.sessions.begin() as session:
            rotated = await self._rotate(session, await repository.callbacks_of(session, project_id))
            await keep(session, rotated)
        await events.ring_log(self.redis, project_id=project_id)
        return rotated

    async def test(
        self, project_id: UUID, webhook_id: UUID, *, keep: Keep[WebhookDelivery] = keep_nothing
    ) -> WebhookDelivery:
        """Have an endpoint sent a message that says nothing. Raises `WebhookNotFound`, `StateConflict` where it is disabled."""
        now = datetime.now(UTC)
        delivery_id = new_id()
        async with self.sessions.begin() as session:
            webhook = _enabled(await repository.find(session, project_id, webhook_id))
            data = {"webhook_id": str(webhook_id), "message": "Somebody asked for a test."}
            row = {
                "id": delivery_id,
                "webhook_id": webhook_id,
                "event_id": None,
                "type": WebhookType.TEST,
                "url": None,
                "host": host_of(webhook.url or ""),
                "body": body_of(WebhookType.TEST, now, data),
                "give_up_at": now + self.patience,
            }
            await repository.add_deliveries(session, [row])
            made = await repository.find_delivery(session, webhook_id, delivery_id)
            await keep(session, made)
        return made

    async def deliveries(
        self, project_id: UUID, webhook_id: UUID, *, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> Sequence[WebhookDelivery]:
        """An endpoint's messages, the newest first. Raises `WebhookNotFound`."""
        async with self.sessions() as session:
            await repository.find(session, project_id, webhook_id)
            return await repository.list_deliveries(session, webhook_id, state=state, before=before, limit=limit)

    async def callback_deliveries(
        self, project_id: UUID, *, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> Sequence[WebhookDelivery]:
        """The messages to a project's `callback_url`s, the newest first."""
        async with self.sessions.begin() as session:
            callbacks = await repository.callbacks_of(session, project_id)
            return await repository.list_deliveries(session, callbacks.id, state=state, before=before, limit=limit)

    async def redeliver(
        self,
        project_id: UUID,
        webhook_id: UUID,
        delivery_id: UUID,
        *,
        keep: Keep[WebhookDelivery] = keep_nothing,
    ) -> WebhookDelivery:
        """Have a message sent again, under the same id. Raises `WebhookNotFound`, `DeliveryNotFound` and `StateConflict`."""
        async with self.sessions.begin() as session:
            _enabled(await repository.find(session, project_id, webhook_id))
            await repository.find_delivery(session, webhook_id, delivery_id)
            again = await repository.send_again(session, delivery_id, patience=self.patience)
            await _note(session, project_id, webhook_id, "webhook_redelivered", delivery_id=str(delivery_id))
            await keep(session, again)
        await events.ring_log(self.redis, project_id=project_id)
        return again

    async def _rotate(self, session: AsyncSession, webhook: Webhook) -> Webhook:
        until = datetime.now(UTC) + self.overlap
        rotated = await repository.change(
            session,
            webhook.id,
            secret=new_secret(),
            previous_secret=webhook.secret,
            previous_secret_until=until,
        )
        code = "webhook_secret_rotated" if webhook.url is not None else "callback_secret_rotated"
        await _note(session, webhook.project_id, webhook.id, code, previous_valid_until=until.isoformat())
        return rotated


def _enabled(webhook: Webhook) -> Webhook:
    if webhook.disabled_at is not None:
        raise StateConflict("The webhook is disabled; enable it first.")
    return webhook


async def _note(session: AsyncSession, project_id: UUID, webhook_id: UUID, code: str, **said: Any) -> None:
    draft = EventDraft(EventType.ACTION, {"webhook_id": str(webhook_id), **said}, code=code)
    await events.note(session, draft, project_id=project_id)
