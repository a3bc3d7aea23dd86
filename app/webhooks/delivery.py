"""Bringing messages to their endpoints: at least once, for a day, and no slow endpoint in the way of another."""

import asyncio
import random
from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis

from app import events
from app.db import Sessions, one_statement
from app.events import EventDraft, EventType, Severity
from app.webhooks import repository, signing
from app.webhooks.models import DeliveryState, Webhook, WebhookDelivery
from app.webhooks.sending import Result, Sender

log = structlog.get_logger(__name__)

SENT = Counter("quire_webhook_tries", "Tries to bring a message to a webhook.", ["outcome"])

PER_WEBHOOK = 8
"""Messages to one endpoint that are taken at once."""
PER_HOST = 8
"""Messages under way to one host from which on it gets no more."""
BACKOFF_BASE_SECONDS, BACKOFF_FACTOR, BACKOFF_MOST_SECONDS = 5.0, 4.0, 2 * 3600.0
"""Next tries come after about 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, and then every two hours."""
KEPT = timedelta(days=30)
"""How long ended messages can be looked at."""
LEASE_SPARE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a deployment has chosen."""

    at_once: int
    """Messages that one process sends at once."""
    disable_after: timedelta
    """How long nothing may have arrived at an endpoint before it is disabled."""
    base_seconds: float = BACKOFF_BASE_SECONDS


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sends what is due."""

    sessions: Sessions
    redis: Redis
    sender: Sender
    terms: Terms
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    busy: Tally[str] = field(default_factory=Tally)

    async def run_once(self) -> int:
        """Take what is due, as far as there is room, and begin to send it; returns how much that was."""
        room = self.terms.at_once - len(self.under_way)
        if room <= 0:
            return 0
        hosts = [host for host, count in self.busy.items() if count >= PER_HOST]
        lease = timedelta(seconds=self.sender.timeout_seconds) + LEASE_SPARE
        async with one_statement(self.sessions) as session:
            taken = await repository.claim(session, limit=room, per_webhook=PER_WEBHOOK, busy_hosts=hosts, lease=lease)
        for delivery, webhook in taken:
            self.busy[delivery.host] += 1
            task = asyncio.create_task(self._deliver(delivery, webhook))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
        return len(taken)

    async def finish(self) -> None:
        """Wait for what is under way: no longer than one try may take."""
        await asyncio.gather(*self.under_way, return_exceptions=True)

    async def _deliver(self, delivery: WebhookDelivery, webhook: Webhook) -> None:
        try:
            await self.deliver(delivery, webhook)
        except Exception:  # a task's outermost edge: the message is due again when its lease is over
            log.exception("webhook_not_delivered", webhook_id=str(webhook.id), delivery_id=str(delivery.id))
        finally:
            self.busy[delivery.host] -= 1
            if self.busy[delivery.host] <= 0:
                del self.busy[delivery.host]

    async def deliver(self, delivery: WebhookDelivery, webhook: Webhook) -> None:
        """Send one message, and write down what came of it."""
        moment = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "Quire-Webhooks",
            **signing.headers(message_id(delivery), moment, delivery.body, secrets_of(webhook, moment)),
        }
        result = await self.sender.send(delivery.url or webhook.url or "", delivery.body, headers)
        state, again = self._outcome(delivery, result)
        SENT.labels(state if result.arrived or state is DeliveryState.FAILED else "put_off").inc()
        log.info(
            "webhook_tried", webhook_id=str(webhook.id), delivery_id=str(delivery.id), status=result.status, state=state
        )
        async with self.sessions.begin() as session:
            tried = _tried(moment, result)
            if not await repository.end_try(session, delivery, state, tried, next_attempt_at=again):
                return
        if webhook.url is not None:  # what stands for all callbacks says nothing of any one of them
            await self._note_health(webhook, result)

    def _outcome(self, delivery: WebhookDelivery, result: Result) -> tuple[DeliveryState, datetime | None]:
        if result.arrived:
            return DeliveryState.DELIVERED, None
        wait = result.retry_after_seconds
        delay = timedelta(seconds=backoff(delivery.attempts, self.terms.base_seconds) if wait is None else wait)
        again = datetime.now(UTC) + delay
        if result.is_hopeless or result.is_gone or again > delivery.give_up_at:
            return DeliveryState.FAILED, None
        return DeliveryState.PENDING, again

    async def _note_health(self, webhook: Webhook, result: Result) -> None:
        """Note since when an endpoint fails, and disable one that has gone, or that has failed for long."""
        async with self.sessions.begin() as session:
            if result.arrived:
                await repository.note_arrival(session, webhook.id)
                return
            failing_since = await repository.note_failure(session, webhook.id)
        if result.is_gone:
            await self._disable(webhook, "It answered 410 Gone.")
        elif failing_since is not None and datetime.now(UTC) - failing_since >= self.terms.disable_after:
            await self._disable(webhook, f"Nothing has arrived since {failing_since:%Y-%m-%d %H:%M} UTC.")

    async def _disable(self, webhook: Webhook, reason: str) -> None:
        draft = EventDraft(
            EventType.ALERT, {"webhook_id": str(webhook.id), "reason": reason}, Severity.WARNING, "webhook_disabled"
        )
        async with self.sessions.begin() as session:
            if await repository.disable(session, webhook.id, reason):
                await events.note(session, draft, project_id=webhook.project_id)
        await events.ring_log(self.redis, project_id=webhook.project_id)
        log.warning("webhook_disabled", webhook_id=str(webhook.id), reason=reason)


def message_id(delivery: WebhookDelivery) -> str:
    """The id that a receiver tells a repeated message by: the same for every try."""
    return f"msg_{delivery.id.hex}"


def secrets_of(webhook: Webhook, moment: datetime) -> list[str]:
    """The secrets that are valid: the newest first, and the one before while it still is."""
    keys = [webhook.secret]
    if webhook.previous_secret and webhook.previous_secret_until and webhook.previous_secret_until > moment:
        keys.append(webhook.previous_secret)
    return keys


def backoff(attempts: int, base_seconds: float = BACKOFF_BASE_SECONDS) -> float:
    """Seconds until the next try after so many: growing, and spread by a fifth so that not all come back at once."""
    wait = min(base_seconds * BACKOFF_FACTOR ** max(0, min(attempts, 20) - 1), BACKOFF_MOST_SECONDS)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 (no secret)


def _tried(moment: datetime, result: Result) -> dict[str, Any]:
    return {
        "at": moment.isoformat(),
        "status": result.status,
        "duration_seconds": result.duration_seconds,
        "error": result.error,
        "answer": result.answer,
    }
