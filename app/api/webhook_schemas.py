"""What the API says of webhooks."""

from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas import JOB_EXAMPLE, NOW, example
from app.webhooks.delivery import message_id
from app.webhooks.models import DeliveryState, Webhook, WebhookDelivery, WebhookType

WEBHOOK_ID = "019aa6c1-8e05-7b31-8c2d-4d3f2e1c0b9a"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 (an example)
WEBHOOK_EXAMPLE: dict[str, Any] = {
    "id": WEBHOOK_ID,
    "url": "https://example.org/quire",
    "description": "The case management's inbox",
    "event_types": ["job.done", "job.deadletter"],
    "enabled": True,
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
    "previous_secret_valid_until": None,
    "created_at": NOW,
    "updated_at": NOW,
}
TRY_EXAMPLE = {"at": NOW, "status": 204, "duration_seconds": 0.084, "error": None, "answer": ""}
DELIVERY_EXAMPLE: dict[str, Any] = {
    "id": "019aa6c1-8e07-7c41-9d3e-5e4f3d2c1b0a",
    "message_id": "msg_019aa6c18e077c419d3e5e4f3d2c1b0a",
    "type": "job.done",
    "url": None,
    "state": "delivered",
    "attempts": 1,
    "tries": [TRY_EXAMPLE],
    "next_attempt_at": None,
    "created_at": NOW,
    "finished_at": NOW,
}


class WebhookCreate(BaseModel):
    """An endpoint that is to be told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://example.org/quire", "event_types": ["job.done"]}]},
    )

    url: str = Field(min_length=1, max_length=2000, description="Where messages are posted to; https.")
    description: str = Field("", max_length=500, pattern=r"^[^\x00]*$")
    event_types: list[WebhookType] = Field(
        [], max_length=20, description="What it is told of; all, where none is named."
    )


class WebhookChange(BaseModel):
    """What is to be changed; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"enabled": True}]})

    url: str | None = Field(None, min_length=1, max_length=2000)
    description: str | None = Field(None, max_length=500, pattern=r"^[^\x00]*$")
    event_types: list[WebhookType] | None = Field(None, max_length=20)
    enabled: bool | None = Field(None, description="Enabling forgets that it had failed.")

    def said(self) -> dict[str, Any]:
        """What was said, without what was left out."""
        return {name: value for name, value in self.model_dump(exclude_unset=True).items() if value is not None}


class WebhookRead(BaseModel):
    """An endpoint that is told when jobs and batches end."""

    model_config = example(WEBHOOK_EXAMPLE)

    id: UUID
    url: str
    description: str
    event_types: list[str] = Field(description="What it is told of; all, where none is named.")
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="Why it is told nothing any more.")
    failing_since: datetime | None = Field(description="Since when nothing has arrived.")
    previous_secret_valid_until: datetime | None = Field(
        description="Until when messages are signed with the secret before as well."
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """From a webhook's row."""
        named = {"enabled", "previous_secret_valid_until"}
        copied = {name: getattr(webhook, name) for name in cls.model_fields.keys() - named}
        return cls(
            **copied,
            enabled=webhook.disabled_at is None,
            previous_secret_valid_until=_still(webhook.previous_secret_until),
        )


class WebhookWithSecret(WebhookRead):
    """The same with the secret, which is told only now: keep it."""

    model_config = example(WEBHOOK_EXAMPLE | {"secret": SECRET})

    secret: str = Field(description="What messages are signed with, as Standard Webhooks have it.")


class CallbackSecretRead(BaseModel):
    """What the messages to the project's `callback_url`s are signed with."""

    model_config = example({"secret": SECRET, "previous_secret_valid_until": None})

    secret: str
    previous_secret_valid_until: datetime | None

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """From the row that stands for all callbacks."""
        return cls(secret=webhook.secret, previous_secret_valid_until=_still(webhook.previous_secret_until))


class WebhookList(BaseModel):
    """Endpoints, the newest first."""

    model_config = example({"items": [WEBHOOK_EXAMPLE], "next": None})

    items: list[WebhookRead]
    next: str | None = Field(description="The `cursor` of what comes after; null at the end.")


class TryRead(BaseModel):
    """One try to bring a message to its endpoint."""

    model_config = example(TRY_EXAMPLE)

    at: datetime
    status: int | None = Field(description="The HTTP status of the answer; null where there was none.")
    duration_seconds: float
    error: str | None = Field(description="Why there was no answer.")
    answer: str = Field(description="The beginning of the answer's body.")


class DeliveryRead(BaseModel):
    """A message, and what came of it."""

    model_config = example(DELIVERY_EXAMPLE)

    id: UUID
    message_id: str = Field(description="The `webhook-id` that it is sent under, by every try.")
    type: str
    url: str | None = Field(description="Where a request wanted to be called back; null for an endpoint's own.")
    state: DeliveryState
    attempts: int
    tries: list[TryRead] = Field(description="The latest ones, the oldest first.")
    next_attempt_at: datetime | None = Field(description="When it is tried again; null once it has ended.")
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, delivery: WebhookDelivery) -> Self:
        """From a message's row."""
        copied = {name: getattr(delivery, name) for name in cls.model_fields.keys() - {"message_id", "next_attempt_at"}}
        due = delivery.next_attempt_at if delivery.state is DeliveryState.PENDING else None
        return cls.model_validate({**copied, "message_id": message_id(delivery), "next_attempt_at": due})


class DeliveryList(BaseModel):
    """Messages, the newest first."""

    model_config = example({"items": [DELIVERY_EXAMPLE], "next": None})

    items: list[DeliveryRead]
    next: str | None = Field(description="The `cursor` of what comes after; null at the end.")


class WebhookMessage(BaseModel):
    """What an endpoint is sent."""

    model_config = example({"type": "job.done", "timestamp": NOW, "data": JOB_EXAMPLE})

    type: WebhookType
    timestamp: datetime = Field(description="When it happened.")
    data: dict[str, Any] = Field(description="The job or the batch, as the API shows it at that time.")


def _still(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment > datetime.now(UTC) else None
