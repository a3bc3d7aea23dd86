"""Routes of uploads straight to S3, of imports, and of documents' original bytes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import RedirectResponse

from app.api.dependencies import TAKES_A_DOCUMENT, ProjectDep, ServicesDep
from app.api.documents import DocumentId
from app.api.limits import LIMITED
from app.api.once import ONCE_ERRORS, OnceDep, answer_with, submitted
from app.api.problems import problems
from app.api.schemas import SubmissionRead
from app.api.upload_schemas import (
    ImportRequest,
    OriginalRead,
    UploadBegun,
    UploadCompletion,
    UploadPartList,
    UploadRead,
    UploadRequest,
)
from app.documents.uploads import Begun
from app.errors import (
    ChecksumMismatch,
    DocumentEmpty,
    DocumentNotFound,
    DocumentTooLarge,
    OcrRequestInvalid,
    Overloaded,
    RequestInvalid,
    SourceInvalid,
    SourceNotAllowed,
    SourceNotFound,
    SourceUnreadable,
    StorageUnavailable,
    TooManyUploads,
    UnsupportedMediaType,
    UploadCompleted,
    UploadEnded,
    UploadIncomplete,
    UploadInProgress,
    UploadNotFound,
    WebhookUrlRefused,
)
from app.idempotency import Answer
from app.storage.staging import MOST_PARTS

router = APIRouter(prefix="/v1", tags=["documents"])

UploadId = Annotated[UUID, Path(description="The upload's id.")]

TAKING_ERRORS = (
    DocumentTooLarge,
    UnsupportedMediaType,
    RequestInvalid,
    Overloaded,
    StorageUnavailable,
    *LIMITED,
    *ONCE_ERRORS,
)
IMPORT_ERRORS = problems(
    WebhookUrlRefused,
    OcrRequestInvalid,
    DocumentEmpty,
    SourceInvalid,
    SourceNotAllowed,
    SourceNotFound,
    SourceUnreadable,
    *TAKING_ERRORS,
)
OPEN_ERRORS = (UploadNotFound, UploadInProgress, UploadCompleted, UploadEnded, RequestInvalid)


@router.post(
    "/documents/import",
    status_code=202,
    dependencies=[TAKES_A_DOCUMENT],
    response_model=SubmissionRead,
    responses=IMPORT_ERRORS,
)
async def import_document(
    services: ServicesDep, project_id: ProjectDep, once: OnceDep, asked: ImportRequest
) -> Response:
    """Submit a document that is in an allowed bucket already: it is copied, and queued to be read."""
    described = asked.describe()
    services.check(described.callback_url, described.options)
    with services.uploads.one():
        return await once.answer(
            lambda keep: services.imports.take(project_id, asked.source, described, keep=keep),
            submitted,
            of=asked,
        )


@router.get(
    "/documents/{document_id}/original",
    responses={307: {"description": "With `redirect`: to the URL."}, **problems(DocumentNotFound, RequestInvalid)},
)
async def get_document_original(
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    redirect: Annotated[bool, Query(description="Answer with a redirect to the URL.")] = False,
) -> OriginalRead:
    """A URL to fetch the document's bytes from, as they were submitted; it holds for a while, for whoever has it."""
    original = await services.originals.find(project_id, document_id)
    if redirect:
        return RedirectResponse(original.url, 307, {"Cache-Control": "no-store"})  # type: ignore[return-value]  # no body
    response.headers["Cache-Control"] = "no-store"
    return OriginalRead.of(original)


@router.post(
    "/uploads",
    status_code=201,
    response_model=UploadBegun,
    responses=problems(
        DocumentTooLarge,
        RequestInvalid,
        StorageUnavailable,
        TooManyUploads,
        WebhookUrlRefused,
        OcrRequestInvalid,
        *ONCE_ERRORS,
    ),
)
async def begin_upload(services: ServicesDep, project_id: ProjectDep, once: OnceDep, asked: UploadRequest) -> Response:
    """Begin an upload straight to S3: PUT each part to its URL, then complete it."""
    announced = asked.announce()
    services.check(announced.described.callback_url, announced.described.options)
    return await once.answer(
        lambda keep: services.direct_uploads.begin(project_id, announced, keep=keep), _begun, of=asked
    )


@router.get("/uploads/{upload_id}", responses=problems(UploadNotFound, RequestInvalid))
async def get_upload(services: ServicesDep, project_id: ProjectDep, upload_id: UploadId) -> UploadRead:
    """An upload as it is now."""
    return UploadRead.of(await services.direct_uploads.find(project_id, upload_id))


@router.get("/uploads/{upload_id}/parts", responses=problems(*OPEN_ERRORS, StorageUnavailable))
async def list_upload_parts(
    services: ServicesDep,
    project_id: ProjectDep,
    upload_id: UploadId,
    first: Annotated[int, Query(alias="from", ge=1, le=MOST_PARTS, description="The first part's number.")] = 1,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
) -> UploadPartList:
    """An open upload's parts, with fresh URLs; those with an `etag` are in the store already."""
    found = await services.direct_uploads.parts(project_id, upload_id, first=first, limit=limit)
    return UploadPartList.of(found)


@router.post(
    "/uploads/{upload_id}/complete",
    status_code=202,
    dependencies=[TAKES_A_DOCUMENT],
    response_model=SubmissionRead,
    responses=problems(
        UploadNotFound, UploadInProgress, UploadEnded, UploadIncomplete, ChecksumMismatch, *TAKING_ERRORS
    ),
)
async def complete_upload(
    services: ServicesDep,
    project_id: ProjectDep,
    upload_id: UploadId,
    once: OnceDep,
    asked: UploadCompletion | None = None,
) -> Response:
    """Make a document of an upload whose parts are all there, and queue it to be read; doing so twice makes one."""
    said = (asked or UploadCompletion()).said()
    with services.uploads.one():
        return await once.answer(
            lambda keep: services.direct_uploads.complete(project_id, upload_id, said, keep=keep), submitted, of=asked
        )


@router.delete(
    "/uploads/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=problems(UploadNotFound, UploadInProgress, UploadCompleted, RequestInvalid),
)
async def abort_upload(services: ServicesDep, project_id: ProjectDep, upload_id: UploadId) -> None:
    """Give an upload up, and take away what was sent of it."""
    await services.direct_uploads.abort(project_id, upload_id)


def _begun(begun: Begun) -> Answer:
    return answer_with(UploadBegun.begun(begun), status=201, location=f"/v1/uploads/{begun.upload.id}")
