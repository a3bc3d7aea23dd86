"""Routes of webhooks."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.dependencies import ProjectDep, ServicesDep
from app.api.once import ONCE_ERRORS, OnceDep, answer_with
from app.api.paging import decode_id_cursor, encode_id_cursor, one_page
from app.api.problems import problems
from app.api.webhook_schemas import (
    CallbackSecretRead,
    DeliveryList,
    DeliveryRead,
    WebhookChange,
    WebhookCreate,
    WebhookList,
    WebhookMessage,
    WebhookRead,
    WebhookWithSecret,
)
from app.errors import (
    DeliveryNotFound,
    RequestInvalid,
    StateConflict,
    WebhookLimitReached,
    WebhookNotFound,
    WebhookUrlRefused,
)
from app.idempotency import Answer
from app.webhooks.models import DeliveryState, Webhook, WebhookDelivery
from app.webhooks.service import Webhooks

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
callback_router = APIRouter(prefix="/v1/callbacks", tags=["webhooks"])

WebhookId = Annotated[UUID, Path(description="The webhook's id.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the list before.")]
State = Annotated[DeliveryState | None, Query(description="Only of this state.")]


@router.post(
    "",
    status_code=201,
    response_model=WebhookWithSecret,
    responses=problems(WebhookUrlRefused, WebhookLimitReached, RequestInvalid, *ONCE_ERRORS),
)
async def create_webhook(
    services: ServicesDep, project_id: ProjectDep, once: OnceDep, wanted: WebhookCreate
) -> Response:
    """Have an endpoint told when jobs and batches end. The answer has the secret; it is not told again."""
    return await once.answer(
        lambda keep: services.webhooks.create(project_id, **wanted.model_dump(), keep=keep),
        _created,
        of=wanted,
        reveal=partial(_with_secret, services.webhooks, project_id),
    )


@router.get("", responses=problems(RequestInvalid))
async def list_webhooks(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WebhookList:
    """The project's webhooks, the newest first."""
    found = await services.webhooks.list_all(project_id, before=decode_id_cursor(cursor), limit=limit + 1)
    shown, following = one_page(request, response, found, limit, lambda last: encode_id_cursor(last.id))
    return WebhookList(items=[WebhookRead.of(webhook) for webhook in shown], next=following)


@router.get("/{webhook_id}", responses=problems(WebhookNotFound, RequestInvalid))
async def get_webhook(services: ServicesDep, project_id: ProjectDep, webhook_id: WebhookId) -> WebhookRead:
    """A webhook, and whether it works."""
    return WebhookRead.of(await services.webhooks.find(project_id, webhook_id))


@router.patch("/{webhook_id}", responses=problems(WebhookNotFound, WebhookUrlRefused, RequestInvalid))
async def change_webhook(
    services: ServicesDep, project_id: ProjectDep, webhook_id: WebhookId, wanted: WebhookChange
) -> WebhookRead:
    """Change a webhook, disable it, or enable it again."""
    return WebhookRead.of(await services.webhooks.change(project_id, webhook_id, wanted.said()))


@router.delete(
    "/{webhook_id}",
    status_code=204,
    response_class=Response,
    responses=problems(WebhookNotFound, RequestInvalid),
)
async def delete_webhook(services: ServicesDep, project_id: ProjectDep, webhook_id: WebhookId) -> None:
    """Delete a webhook and its log; what is still to be sent to it is not sent."""
    await services.webhooks.delete(project_id, webhook_id)


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    response_model=DeliveryRead,
    responses=problems(WebhookNotFound, StateConflict, RequestInvalid, *ONCE_ERRORS),
)
async def test_webhook(services: ServicesDep, project_id: ProjectDep, webhook_id: WebhookId, once: OnceDep) -> Response:
    """Have a webhook sent a message of the type `webhook.test`; its log tells what came of it."""
    return await once.answer(lambda keep: services.webhooks.test(project_id, webhook_id, keep=keep), _to_be_sent)


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=WebhookWithSecret,
    responses=problems(WebhookNotFound, RequestInvalid, *ONCE_ERRORS),
)
async def rotate_webhook_secret(
    services: ServicesDep, project_id: ProjectDep, webhook_id: WebhookId, once: OnceDep
) -> Response:
    """Give a webhook another secret, which the answer has; for a while messages are signed with both."""
    return await once.answer(
        lambda keep: services.webhooks.rotate_secret(project_id, webhook_id, keep=keep),
        _rotated,
        reveal=partial(_with_secret, services.webhooks, project_id),
    )


@router.get("/{webhook_id}/deliveries", responses=problems(WebhookNotFound, RequestInvalid))
async def list_webhook_deliveries(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    webhook_id: WebhookId,
    state: State = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeliveryList:
    """What a webhook was sent, and what came of it, the newest first."""
    before = decode_id_cursor(cursor)
    found = await services.webhooks.deliveries(project_id, webhook_id, state=state, before=before, limit=limit + 1)
    shown, following = one_page(request, response, found, limit, lambda last: encode_id_cursor(last.id))
    return DeliveryList(items=[DeliveryRead.of(delivery) for delivery in shown], next=following)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=DeliveryRead,
    responses=problems(WebhookNotFound, DeliveryNotFound, StateConflict, RequestInvalid, *ONCE_ERRORS),
)
async def redeliver_webhook(
    services: ServicesDep,
    project_id: ProjectDep,
    webhook_id: WebhookId,
    delivery_id: Annotated[UUID, Path(description="The delivery's id.")],
    once: OnceDep,
) -> Response:
    """Have a message sent again, under the same `webhook-id`."""
    return await once.answer(
        lambda keep: services.webhooks.redeliver(project_id, webhook_id, delivery_id, keep=keep), _to_be_sent
    )


@callback_router.get("/secret", responses=problems())
async def get_callback_secret(services: ServicesDep, project_id: ProjectDep) -> CallbackSecretRead:
    """What the messages to the project's `callback_url`s are signed with."""
    return CallbackSecretRead.of(await services.webhooks.callbacks(project_id))


@callback_router.post(
    "/rotate-secret", response_model=CallbackSecretRead, responses=problems(RequestInvalid, *ONCE_ERRORS)
)
async def rotate_callback_secret(services: ServicesDep, project_id: ProjectDep, once: OnceDep) -> Response:
    """Give the project's callbacks another secret; for a while messages are signed with both."""

    async def with_secret(_: Answer) -> Answer:
        return answer_with(CallbackSecretRead.of(await services.webhooks.callbacks(project_id)), status=200)

    return await once.answer(
        lambda keep: services.webhooks.rotate_callback_secret(project_id, keep=keep),
        lambda _: Answer(200, "{}"),
        reveal=with_secret,
    )


@callback_router.get("/deliveries", responses=problems(RequestInvalid))
async def list_callback_deliveries(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    state: State = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeliveryList:
    """What the project's `callback_url`s were sent, and what came of it, the newest first."""
    before = decode_id_cursor(cursor)
    found = await services.webhooks.callback_deliveries(project_id, state=state, before=before, limit=limit + 1)
    shown, following = one_page(request, response, found, limit, lambda last: encode_id_cursor(last.id))
    return DeliveryList(items=[DeliveryRead.of(delivery) for delivery in shown], next=following)


def _created(webhook: Webhook) -> Answer:
    return answer_with(WebhookRead.of(webhook), status=201, location=f"/v1/webhooks/{webhook.id}")


def _rotated(webhook: Webhook) -> Answer:
    return answer_with(WebhookRead.of(webhook), status=200)


async def _with_secret(webhooks: Webhooks, project_id: UUID, answer: Answer) -> Answer:
    """An answer about a webhook with its secret, as it is now: answers are kept without."""
    said = WebhookRead.model_validate_json(answer.body)
    webhook = await webhooks.find(project_id, said.id)
    return replace(answer, body=WebhookWithSecret(**said.model_dump(), secret=webhook.secret).model_dump_json())


def _to_be_sent(delivery: WebhookDelivery) -> Answer:
    return answer_with(DeliveryRead.of(delivery))


PUBLISHED = (WebhookMessage,)
"""Schemas that no route names: of what is sent."""


SENT: dict[str, Any] = {
    "message": {
        "post": {
            "operationId": "receive_message",
            "tags": ["webhooks"],
            "summary": "Receive Message",
            "description": "What Quire sends to a webhook or a `callback_url`, signed as Standard Webhooks has it.",
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookMessage"}}},
            },
            "responses": {"2XX": {"description": "It is received, and not sent again."}},
        }
    }
}
"""What endpoints are sent, as OpenAPI's `webhooks`."""
