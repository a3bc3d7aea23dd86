"""Routes of documents."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from app.api.conditional import JOB_READS, seen_versions
from app.api.dependencies import TAKES_A_DOCUMENT, ProjectDep, ServicesDep
from app.api.form import FORM_BYTES, is_form, read_content
from app.api.limits import LIMITED
from app.api.once import ONCE_ERRORS, Fingerprint, OnceDep, submitted
from app.api.page_schemas import PageList, PageRead, PageSummary
from app.api.paging import decode_cursor, encode_cursor, one_page
from app.api.problems import problems
from app.api.results import stream_object, stream_text
from app.api.schemas import DocumentRead, SubmissionRead
from app.api.submission import SubmissionFields
from app.documents.service import Content, Documents
from app.documents.state import document_state
from app.documents.state_cache import KeptState, kept_state, renew_state
from app.documents.submission import Submission
from app.errors import (
    DocumentEmpty,
    DocumentNotFound,
    DocumentTooLarge,
    OcrRequestInvalid,
    Overloaded,
    PageNotFound,
    RequestInvalid,
    ResultNotReady,
    ResultUnavailable,
    StorageUnavailable,
    UnsupportedMediaType,
    WebhookUrlRefused,
)

router = APIRouter(prefix="/v1/documents", tags=["documents"])

SUBMIT_ERRORS = problems(
    *LIMITED,
    DocumentEmpty,
    DocumentTooLarge,
    UnsupportedMediaType,
    RequestInvalid,
    Overloaded,
    StorageUnavailable,
    WebhookUrlRefused,
    OcrRequestInvalid,
    *ONCE_ERRORS,
)
READ_ERRORS = problems(DocumentNotFound, RequestInvalid)
RESULT_ERRORS = problems(DocumentNotFound, ResultNotReady, ResultUnavailable, RequestInvalid)

BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "The document."},
        "filename": {"type": "string", "maxLength": 1024},
        "priority": {"$ref": "#/components/schemas/Priority"},
        "options": {
            "type": "string",
            "description": "How it is to be read, as a JSON object.",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/ProcessingOptions"},
        },
        "external_id": {"type": "string", "maxLength": 256},
        "metadata": {"type": "string", "description": "A JSON object."},
        "callback_url": {"type": "string", "format": "uri"},
    },
}
SUBMIT_BODY = {
    "requestBody": {
        "required": True,
        "description": "The document: a form with a `file`, or its bytes as they are, under any other Content-Type.",
        "content": {"multipart/form-data": {"schema": FORM_SCHEMA}, "application/octet-stream": BINARY},
    }
}

DocumentId = Annotated[UUID, Path(description="The document's id.")]


@router.post(
    "",
    status_code=202,
    response_model=SubmissionRead,
    responses=SUBMIT_ERRORS,
    openapi_extra=SUBMIT_BODY,
    dependencies=[TAKES_A_DOCUMENT],
)
async def submit_document(
    request: Request,
    services: ServicesDep,
    project_id: ProjectDep,
    once: OnceDep,
    said: Annotated[SubmissionFields, Query()],
) -> Response:
    """Submit a document: it is stored, and queued to be read."""
    described = said.describe()
    services.check(described.callback_url, described.options)  # before the bytes; what a form says stands among them
    with services.uploads.one():
        service = services.documents
        service.sizes.check(announced_bytes(request))
        content = read_content(request, most_bytes=service.sizes.document_bytes, check=services.check)
        return await once.answer(
            lambda keep: service.submit(project_id, content, keep=keep), submitted, of=_fingerprint(service, content)
        )


@router.get("/{document_id}", responses={304: {"description": "Nothing has changed."}, **READ_ERRORS})
async def get_document(
    request: Request, response: Response, services: ServicesDep, project_id: ProjectDep, document_id: DocumentId
) -> DocumentRead:
    """A document, its state step by step, and its newest job."""
    found, kept = await asyncio.gather(
        services.documents.find(project_id, document_id), kept_state(services.jobs.redis, document_id)
    )
    JOB_READS.set_headers(response, found.job)
    if JOB_READS.matches(seen_versions(request), found.job):
        return JOB_READS.not_modified(found.job)  # type: ignore[return-value]  # an answer without a body
    if kept is not None and kept.is_of(found.job):
        return DocumentRead.of(found, kept.state)
    state = document_state(found.job, services.steps)
    if kept is not None:
        await renew_state(services.jobs.redis, document_id, KeptState.of(found.job, state))
    return DocumentRead.of(found, state)


@router.get("/{document_id}/text", response_class=PlainTextResponse, responses=RESULT_ERRORS)
async def get_document_text(services: ServicesDep, project_id: ProjectDep, document_id: DocumentId) -> Response:
    """The document's text: lines in reading order, pages parted by form feeds."""
    job = await services.documents.readable_job(project_id, document_id)
    return StreamingResponse(
        stream_text(services.documents, job, services.jobs.redis), media_type="text/plain; charset=utf-8"
    )


@router.get("/{document_id}/pages", responses=RESULT_ERRORS)
async def list_document_pages(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the list before.")] = None,
) -> PageList:
    """The document's pages, in order, without their lines."""
    after = decode_cursor(cursor)
    found = await services.documents.pages(project_id, document_id, after=after, limit=limit + 1)
    pages, following = one_page(request, response, found, limit, lambda last: encode_cursor(last.number))
    return PageList(items=[PageSummary.of(page) for page in pages], next=following)


@router.get("/{document_id}/pages/{number}", responses=RESULT_ERRORS | problems(DocumentNotFound, PageNotFound))
async def get_document_page(
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    number: Annotated[int, Path(ge=1, le=2**31 - 1, description="From 1.")],
) -> PageRead:
    """One page, with its lines and words, where they stand and how sure the engine is."""
    return PageRead.of(await services.documents.page(project_id, document_id, number))


@router.get(
    "/{document_id}/textract",
    responses=RESULT_ERRORS
    | {
        200: {
            "description": "A whole Textract result, as `GetDocumentTextDetection` gives it, unpaged.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def get_document_textract(
    request: Request, services: ServicesDep, project_id: ProjectDep, document_id: DocumentId
) -> Response:
    """The whole result as Textract blocks, for Textract's own parsers; compressed for who accepts gzip."""
    job = await services.documents.readable_job(project_id, document_id)
    return await stream_object(request, services.bucket, job.result_key, "application/json")


def _fingerprint(service: Documents, content: Content) -> Fingerprint[Submission]:
    """By the bytes, which are read once: to be stored, or to be compared with those of the first time."""
    return Fingerprint(
        lambda: service.fingerprint(content), lambda made: content.describe().fingerprint(made.document.sha256)
    )


def announced_bytes(request: Request) -> int:
    """The size that a request says its body has, less what a form may add to a file; 0 where it doesn't say."""
    announced = request.headers.get("content-length", "0")
    slack = FORM_BYTES if is_form(request) else 0
    return max(0, int(announced) - slack) if announced.isdigit() else 0
