"""Routes of documents: the list of them, and erasing one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from app.api.dependencies import ProjectDep, ServicesDep
from app.api.documents import DocumentId
from app.api.paging import decode_place, encode_place, one_page
from app.api.problems import problems
from app.api.schemas import DOCUMENT_EXAMPLE, DocumentRead, example
from app.documents.intake import MediaType
from app.documents.listing import DocumentFilter
from app.documents.state import document_state
from app.errors import DocumentNotFound, RequestInvalid
from app.jobs.states import JobState

router = APIRouter(prefix="/v1/documents", tags=["documents"])


class DocumentList(BaseModel):
    """Documents, the newest first."""

    model_config = example({"items": [DOCUMENT_EXAMPLE], "next": None})

    items: list[DocumentRead]
    next: str | None = Field(description="The `cursor` that the list goes on with; null at its end.")


def get_filter(
    external_id: Annotated[str | None, Query(max_length=256, description="Only those that have this.")] = None,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="Only those of these bytes.")] = None,
    filename: Annotated[
        str | None,
        Query(min_length=1, max_length=1024, description="Only those whose names begin so, in whatever case."),
    ] = None,
    media_type: Annotated[MediaType | None, Query(description="Only those of this type.")] = None,
    state: Annotated[
        list[JobState] | None, Query(description="Only those whose newest job is in one of these; by that job's age.")
    ] = None,
    created_from: Annotated[AwareDatetime | None, Query(description="Only those submitted then or later.")] = None,
    created_to: Annotated[AwareDatetime | None, Query(description="Only those submitted before.")] = None,
) -> DocumentFilter:
    """Which documents are wanted."""
    return DocumentFilter(
        external_id=external_id,
        sha256=sha256,
        filename_prefix=filename,
        media_type=media_type,
        states=tuple(dict.fromkeys(state or ())),
        created_from=created_from,
        created_to=created_to,
    )


@router.get("", responses=problems(RequestInvalid))
async def list_documents(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    wanted: Annotated[DocumentFilter, Depends(get_filter)],
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the list before.")] = None,
) -> DocumentList:
    """The project's documents with their newest jobs, the newest first."""
    found = await services.documents.list(project_id, wanted, before=decode_place(cursor), limit=limit + 1)
    shown, following = one_page(request, response, found, limit, lambda last: encode_place(last.place))
    submissions = (each.submission for each in shown)
    items = [DocumentRead.of(each, document_state(each.job, services.steps)) for each in submissions]
    return DocumentList(items=items, next=following)


@router.delete(
    "/{document_id}",
    status_code=204,
    response_class=Response,
    responses=problems(DocumentNotFound, RequestInvalid),
)
async def erase_document(services: ServicesDep, project_id: ProjectDep, document_id: DocumentId) -> None:
    """Erase a document: its jobs are cancelled, and its bytes, its results and all that the project knows from it alone go.

    From the answer on it is there for nobody; only the event that says who erased it stays.
    """
    await services.erasing.erase(project_id, document_id)
