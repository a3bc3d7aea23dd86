"""Routes of a document's formats: what was read as others take it, pictures of its pages, and its trace."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.api.conditional import seen_versions
from app.api.dependencies import ProjectDep, Services, ServicesDep
from app.api.documents import DocumentId
from app.api.media import file_content, media_type_for
from app.api.problems import problems
from app.api.results import stream_object
from app.api.trace_schemas import TraceEvents, TraceRead
from app.api.traces import stream_trace, stream_trace_events
from app.documents.format_making import Format
from app.documents.formats import Rendition
from app.errors import (
    DocumentCorrupt,
    DocumentEncrypted,
    DocumentNotFound,
    FormatFailed,
    FormatNotReady,
    PageNotFound,
    PageTooLarge,
    QuireError,
    RequestInvalid,
    ResultNotReady,
    ResultUnavailable,
    StorageUnavailable,
)
from app.formats.page_image import DEFAULT_DPI, PictureRequest, PictureType

router = APIRouter(prefix="/v1/documents", tags=["documents"])

MAKING_ERRORS = (
    DocumentNotFound, ResultUnavailable, FormatNotReady, RequestInvalid, FormatFailed, DocumentCorrupt,
    DocumentEncrypted, PageTooLarge, StorageUnavailable,
)  # fmt: skip
SHOWN_BY_BROWSERS = ("application/pdf", "image/png", "image/jpeg")


def file_answers(
    description: str, *media_types: str, errors: tuple[type[QuireError], ...] = ()
) -> dict[int | str, Any]:
    """The `responses` of an operation that gives a file which is made when it is first asked for."""
    return {
        200: {"description": description, "content": file_content(*media_types)},
        304: {"description": "Nothing has changed."},
        **problems(*MAKING_ERRORS, *errors),
    }


@router.get(
    "/{document_id}/markdown",
    response_class=Response,
    responses=file_answers("A Markdown file.", Format.MARKDOWN.media_type, errors=(ResultNotReady,)),
)
async def get_document_markdown(
    request: Request, services: ServicesDep, project_id: ProjectDep, document_id: DocumentId
) -> Response:
    """The document as Markdown: headings, paragraphs, lists and tables, without headers and footers; pages are marked."""
    return await _file(request, services, await services.formats.find(project_id, document_id, Format.MARKDOWN))


@router.get(
    "/{document_id}/hocr",
    response_class=Response,
    responses=file_answers("An hOCR file (XHTML).", Format.HOCR.media_type, errors=(ResultNotReady,)),
)
async def get_document_hocr(
    request: Request, services: ServicesDep, project_id: ProjectDep, document_id: DocumentId
) -> Response:
    """The document as hOCR: its words with their places and confidences, in pixels; PDF pages at 300 dots an inch."""
    return await _file(request, services, await services.formats.find(project_id, document_id, Format.HOCR))


@router.get(
    "/{document_id}/alto",
    response_class=Response,
    responses=file_answers("An ALTO file, version 4.", Format.ALTO.media_type, errors=(ResultNotReady,)),
)
async def get_document_alto(
    request: Request, services: ServicesDep, project_id: ProjectDep, document_id: DocumentId
) -> Response:
    """The document as ALTO 4: its words with their places and confidences, in pixels; PDF pages at 300 dots an inch."""
    return await _file(request, services, await services.formats.find(project_id, document_id, Format.ALTO))


@router.get(
    "/{document_id}/searchable.pdf",
    response_class=Response,
    responses=file_answers("A PDF file.", Format.SEARCHABLE_PDF.media_type, errors=(ResultNotReady,)),
)
async def get_document_searchable_pdf(
    request: Request, services: ServicesDep, project_id: ProjectDep, document_id: DocumentId
) -> Response:
    """The document's own pages with what was read on them as invisible text; pages that have text already keep theirs."""
    return await _file(request, services, await services.formats.find(project_id, document_id, Format.SEARCHABLE_PDF))


@router.get(
    "/{document_id}/pages/{number}/image",
    response_class=Response,
    responses=file_answers("The picture.", *(each.media_type for each in PictureType), errors=(PageNotFound,)),
)
async def get_document_page_image(
    request: Request,
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    number: Annotated[int, Path(ge=1, le=2**31 - 1, description="From 1.")],
    type: Annotated[PictureType, Query(description="What it is to be.")] = PictureType.PNG,  # noqa: A002 (its name in the API)
    width: Annotated[int | None, Query(ge=16, le=8192, description="Its width in pixels; goes before `dpi`.")] = None,
    dpi: Annotated[
        int | None, Query(ge=18, le=600, description=f"Its resolution; {DEFAULT_DPI} for a PDF, and an image's own.")
    ] = None,
) -> Response:
    """A page's picture, upright as it was sent in; an image is never enlarged, and none has more than 40 megapixels."""
    asked = PictureRequest(number, type, width, None if width else dpi)
    return await _file(request, services, await services.formats.find_picture(project_id, document_id, asked))


@router.get(
    "/{document_id}/trace",
    responses={200: {"model": TraceRead, "description": "The trace."}, **problems(DocumentNotFound, RequestInvalid)},
)
async def get_document_trace(services: ServicesDep, project_id: ProjectDep, document_id: DocumentId) -> Response:
    """Everything that happened to the document, over all its jobs: spans by stage and page with their durations, and events."""
    jobs = await services.traces.jobs(project_id, document_id)
    return StreamingResponse(
        stream_trace(services.traces, document_id, jobs, services.tasks), media_type="application/json"
    )


@router.get(
    "/{document_id}/trace.json",
    responses={200: {"model": TraceEvents, "description": "The trace."}, **problems(DocumentNotFound, RequestInvalid)},
)
async def get_document_trace_events(services: ServicesDep, project_id: ProjectDep, document_id: DocumentId) -> Response:
    """The same in the trace-event format: drop the file on ui.perfetto.dev or open it in `chrome://tracing`."""
    jobs = await services.traces.jobs(project_id, document_id)
    headers = {"Content-Disposition": f'attachment; filename="trace-{document_id}.json"'}
    body = stream_trace_events(services.traces, document_id, jobs, services.tasks)
    return StreamingResponse(body, media_type="application/json", headers=headers)


async def _file(request: Request, services: Services, rendition: Rendition) -> Response:
    """A file as an answer, made where it isn't there yet; a caller who has it is told so, and nothing is made."""
    tag = f'"{rendition.version}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if seen_versions(request) & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    stored = await services.formats.stored(rendition)
    media_type = media_type_for(request, rendition.media_type)
    answer = await stream_object(request, services.bucket, stored.key, media_type)
    answer.headers.update(headers)
    answer.headers["Content-Length"] = str(stored.size_bytes)
    answer.headers["Content-Disposition"] = _disposition(rendition)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _disposition(rendition: Rendition) -> str:
    """How a browser takes the file, and under which name (RFC 6266): plain letters, and beside them the name as it is."""
    how = "inline" if rendition.media_type in SHOWN_BY_BROWSERS else "attachment"
    plain = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in rendition.filename)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(rendition.filename, safe='')}"
