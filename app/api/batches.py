"""Routes of batches."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.api.batch_reading import BATCH_READS, current
from app.api.batch_requests import BatchCheck, BatchCreate, BatchItemCreate, BatchOptions
from app.api.batch_schemas import (
    BatchAccepted,
    BatchChecked,
    BatchItemList,
    BatchItemRead,
    BatchList,
    BatchRead,
    BatchRetried,
    BatchSummary,
    BatchWarning,
    refusals,
)
from app.api.conditional import seen_versions
from app.api.dependencies import CallerDep, ProjectDep, ServicesDep
from app.api.events import LastEventId, parse_position
from app.api.json_body import parse_body, read_body
from app.api.limits import LIMITED
from app.api.media import TEXT, event_stream, lines_content, media_type_for
from app.api.once import ONCE_ERRORS, OnceDep, answer_with
from app.api.paging import decode_cursor, decode_id_cursor, encode_cursor, encode_id_cursor, one_page
from app.api.problems import problems
from app.batches.contents import ItemFilter
from app.batches.models import Batch, BatchState, ItemStatus
from app.batches.service import Accepted, Batches
from app.errors import (
    BatchNotFound,
    NoWorkers,
    OcrEnginesAway,
    OcrRequestInvalid,
    Overloaded,
    RequestInvalid,
    RequestTooLarge,
    StateConflict,
    StorageUnavailable,
    WebhookUrlRefused,
)
from app.idempotency import Answer, Keep
from app.jobs.states import JobState, Stage

router = APIRouter(prefix="/v1/batches", tags=["batches"])

BatchId = Annotated[UUID, Path(description="The batch's id.")]
Wait = Annotated[
    float, Query(ge=0, le=60, description="Hold the answer for so many seconds, or until the batch changes.")
]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the list before.")]

SUBMIT_ERRORS = problems(
    RequestInvalid,
    RequestTooLarge,
    WebhookUrlRefused,
    OcrRequestInvalid,
    NoWorkers,
    StorageUnavailable,
    OcrEnginesAway,
    *LIMITED,
    *ONCE_ERRORS,
)
SUBMIT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BatchCreate"}}},
    }
}
NDJSON = "application/x-ndjson"
REPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A `BatchItemRead` in each line, by number.",
        "content": lines_content(NDJSON),
    }
}

STREAM: dict[int | str, dict[str, Any]] = {
    **event_stream(
        "The first event is a `snapshot`, and each `progress` is like it: their data is a `BatchRead`. The ends of jobs "
        "(`done`, `error`) come with an `EventRead`. The last event is the batch's own `done`, with a `BatchRead`.",
        "BatchRead",
        "EventRead",
    ),
    204: {"description": "The batch has ended, and all its events were seen."},
}


@router.post("", status_code=202, response_model=BatchAccepted, responses=SUBMIT_ERRORS, openapi_extra=SUBMIT_BODY)
async def submit_batch(request: Request, services: ServicesDep, caller: CallerDep, once: OnceDep) -> Response:
    """Submit up to 10,000 documents as one: documents of the project, objects of a bucket, and uploads.

    An item that can't be taken is refused in place, and fails nothing else.
    """
    asked = parse_body(BatchCreate, await read_body(request, most_bytes=services.batch_request_bytes))
    draft = asked.draft()
    services.check(draft.callback_url, draft.options)

    async def submit(keep: Keep[Accepted]) -> Accepted:
        await services.limits.admit(caller, len(asked.documents))
        return await services.batches.submit(caller.project_id, draft, keep=keep)

    return await once.answer(submit, _accepted, of=asked)


@router.post(
    "/check",
    responses=problems(RequestInvalid, WebhookUrlRefused, NoWorkers, StorageUnavailable, OcrEnginesAway),
)
async def check_batch(services: ServicesDep, project_id: ProjectDep, asked: BatchCheck) -> BatchChecked:
    """Ask whether a batch would be accepted, before its documents are sent: the same pre-flight, and nothing is made.

    With `require`, what would refuse the batch is the answer; with `warn`, the warnings are.
    """
    draft = asked.draft()
    services.webhooks.check_url(draft.callback_url)
    warnings = await services.batches.check(project_id, draft)
    return BatchChecked(warnings=[BatchWarning(**each) for each in warnings])


@router.get("", responses=problems(RequestInvalid))
async def list_batches(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    state: Annotated[list[BatchState] | None, Query(description="Only those in one of these states.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> BatchList:
    """The project's batches, the newest first."""
    before = decode_id_cursor(cursor)
    found = await services.batches.list(project_id, before=before, states=state or (), limit=limit + 1)
    shown, following = one_page(request, response, found, limit, lambda last: encode_id_cursor(last.id))
    return BatchList(items=[BatchSummary.of(batch) for batch in shown], next=following)


@router.get(
    "/{batch_id}", responses={304: {"description": "Nothing has changed."}, **problems(BatchNotFound, RequestInvalid)}
)
async def get_batch(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    batch_id: BatchId,
    wait: Wait = 0,
) -> BatchRead:
    """A batch, and how far it has come; with `wait`, as soon as that changes."""
    find = partial(current, services.batches, project_id, batch_id)
    seen = seen_versions(request)
    batch = await (BATCH_READS.wait(services.bell, batch_id, find, seen=seen, seconds=wait) if wait else find())
    if BATCH_READS.matches(seen, batch):
        return BATCH_READS.not_modified(batch)  # type: ignore[return-value]  # an answer without a body
    BATCH_READS.set_headers(response, batch)
    return batch


@router.get("/{batch_id}/jobs", responses=problems(BatchNotFound, RequestInvalid))
async def list_batch_jobs(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    batch_id: BatchId,
    status: Annotated[list[ItemStatus] | None, Query(description="Only items of one of these statuses.")] = None,
    state: Annotated[list[JobState] | None, Query(description="Only those whose jobs are in one of these.")] = None,
    stage: Annotated[list[Stage] | None, Query(description="Only those whose jobs have come to one of these.")] = None,
    code: Annotated[list[str] | None, Query(description="Only those that were refused, or failed, with these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> BatchItemList:
    """The batch's items by number, those that were refused among them, each with its job."""
    batch = await services.batches.find(project_id, batch_id)
    wanted = ItemFilter(status or (), state or (), stage or (), code or ())
    found = await services.batches.items(batch, wanted, after=decode_cursor(cursor), limit=limit + 1)
    shown, following = one_page(request, response, found, limit, lambda last: encode_cursor(last.number))
    return BatchItemList(items=[BatchItemRead.of(item) for item in shown], next=following)


@router.get(
    "/{batch_id}/report.ndjson", response_class=Response, responses=REPORT | problems(BatchNotFound, RequestInvalid)
)
async def get_batch_report(
    request: Request, services: ServicesDep, project_id: ProjectDep, batch_id: BatchId
) -> Response:
    """Every item of the batch as it stands now, one in each line."""
    batch = await services.batches.find(project_id, batch_id)
    media_type = media_type_for(request, NDJSON, plain=TEXT)
    return StreamingResponse(_lines(services.batches, batch), media_type=media_type, headers={"Vary": "Accept"})


@router.get(
    "/{batch_id}/events",
    response_class=Response,
    responses=STREAM | problems(BatchNotFound, Overloaded, RequestInvalid),
)
async def stream_batch_events(
    services: ServicesDep, project_id: ProjectDep, batch_id: BatchId, last_event_id: LastEventId = None
) -> Response:
    """How far the batch has come, and how each of its jobs ends, as it happens (`text/event-stream`).

    Resumable with `Last-Event-ID`.
    """
    position = parse_position(last_event_id) if last_event_id else None
    return await services.batch_streams.of(project_id, batch_id, position)


@router.post(
    "/{batch_id}/cancel",
    status_code=202,
    response_model=BatchSummary,
    responses=problems(BatchNotFound, StateConflict, RequestInvalid, *ONCE_ERRORS),
)
async def cancel_batch(services: ServicesDep, project_id: ProjectDep, batch_id: BatchId, once: OnceDep) -> Response:
    """Cancel the rest of a batch: what waits at once, what is being worked on before its next stage."""
    return await once.answer(lambda _: services.batches.cancel(project_id, batch_id), _cancelled)


@router.post(
    "/{batch_id}/retry",
    status_code=202,
    response_model=BatchRetried,
    responses=problems(BatchNotFound, StateConflict, RequestInvalid, *ONCE_ERRORS),
)
async def retry_batch(services: ServicesDep, project_id: ProjectDep, batch_id: BatchId, once: OnceDep) -> Response:
    """Try again all that failed, each job from the stage that failed; what has succeeded is left as it is."""
    return await once.answer(lambda _: services.batches.retry(project_id, batch_id), _retried)


async def _lines(batches: Batches, batch: Batch) -> AsyncIterator[bytes]:
    async for found in batches.report(batch):
        yield b"".join(BatchItemRead.of(item).model_dump_json().encode() + b"\n" for item in found)


def _accepted(accepted: Accepted) -> Answer:
    body = BatchAccepted(batch=BatchSummary.of(accepted.batch), refused=refusals(accepted.refused))
    return answer_with(body, location=f"/v1/batches/{accepted.batch.id}", retry_after_seconds=2)


def _retried(made: tuple[Batch, int]) -> Answer:
    batch, retried = made
    body = BatchRetried(batch=BatchSummary.of(batch), retried=retried)
    return answer_with(body, location=f"/v1/batches/{batch.id}", retry_after_seconds=2)


def _cancelled(batch: Batch) -> Answer:
    return answer_with(BatchSummary.of(batch), location=f"/v1/batches/{batch.id}", retry_after_seconds=2)


PUBLISHED = (BatchCreate, BatchItemCreate, BatchOptions)
"""Schemas that no route names, since their bodies are read by hand."""
