"""Routes of what a document says: its chunks, what it names, and how that is related; and of making it anew."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, HttpUrl

from app.api.dependencies import TAKES_A_DOCUMENT, ProjectDep, ServicesDep
from app.api.documents import RESULT_ERRORS, DocumentId
from app.api.knowledge_schemas import (
    ChunkList,
    ChunkRead,
    MentionList,
    MentionRead,
    NamedList,
    NamedRead,
    RelationshipList,
    RelationshipRead,
)
from app.api.limits import LIMITED
from app.api.once import ONCE_ERRORS, OnceDep, submitted
from app.api.options import ProcessingOptions
from app.api.paging import decode_cursor, decode_id_cursor, encode_cursor, encode_id_cursor, one_page
from app.api.problems import problems
from app.api.schemas import SubmissionRead
from app.entities.mentions import EntityType
from app.errors import (
    DocumentNotFound,
    EntityNotFound,
    NothingToReuse,
    OcrRequestInvalid,
    RequestInvalid,
    StateConflict,
    WebhookUrlRefused,
)
from app.graph.relations import RelationType
from app.jobs.states import Priority
from app.jobs.steps import Step
from app.knowledge.reprocessing import Anew

router = APIRouter(prefix="/v1/documents/{document_id}", tags=["documents"])

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the list before.")]
OnPage = Annotated[int | None, Query(ge=1, le=2**31 - 1, alias="page", description="Only what is on this page.")]
OfType = Annotated[EntityType | None, Query(alias="type", description="Only of this type.")]
OfEntity = Annotated[UUID | None, Query(description="Only of this entity, or of what it was merged into.")]
ENTITY_RESULT_ERRORS = RESULT_ERRORS | problems(DocumentNotFound, EntityNotFound)


@router.get("/chunks", responses=RESULT_ERRORS)
async def list_document_chunks(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    page: OnPage = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ChunkList:
    """The document's chunks, in its order."""
    found = await services.knowledge.chunks(
        project_id, document_id, after=decode_cursor(cursor), limit=limit + 1, page=page
    )
    shown, following = one_page(request, response, found, limit, lambda last: encode_cursor(last.number))
    return ChunkList(items=[ChunkRead.of(row) for row in shown], next=following)


@router.get("/entities", responses=RESULT_ERRORS)
async def list_document_entities(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    kind: OfType = None,
    page: OnPage = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> NamedList:
    """What the document names, by where it first does; `…/mentions` has every place."""
    after = decode_cursor(cursor) - 1
    found = await services.knowledge.entities_of_document(
        project_id, document_id, after=after, limit=limit + 1, kind=kind, page=page
    )
    shown, following = one_page(request, response, found, limit, lambda last: encode_cursor(last.first_char + 1))
    return NamedList(items=[NamedRead.of(row) for row in shown], next=following)


@router.get("/mentions", responses=ENTITY_RESULT_ERRORS)
async def list_document_mentions(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    kind: OfType = None,
    page: OnPage = None,
    entity_id: OfEntity = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MentionList:
    """Every place in the document where something is named, in its order."""
    after = decode_cursor(cursor) - 1
    found = await services.knowledge.mentions(
        project_id, document_id, after=after, limit=limit + 1, kind=kind, page=page, entity_id=entity_id
    )
    shown, following = one_page(request, response, found, limit, lambda last: encode_cursor(last.start_char + 1))
    return MentionList(items=[MentionRead.of(row) for row in shown], next=following)


@router.get("/relationships", responses=ENTITY_RESULT_ERRORS)
async def list_document_relationships(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    kind: Annotated[RelationType | None, Query(alias="type", description="Only of this type.")] = None,
    entity_id: OfEntity = None,
    min_weight: Annotated[float, Query(ge=0, le=1, description="Only those as likely as this.")] = 0.0,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RelationshipList:
    """How what the document names is related, by what it says, with the sentences that say so."""
    found = await services.knowledge.relationships(
        project_id,
        document_id,
        after=decode_id_cursor(cursor),
        limit=limit + 1,
        kind=kind,
        entity_id=entity_id,
        least_weight=min_weight,
    )
    shown, following = one_page(request, response, found, limit, lambda last: encode_id_cursor(last.id))
    return RelationshipList(items=[RelationshipRead.of(row) for row in shown], next=following)


class ReprocessRequest(BaseModel):
    """How a document is to be run once more."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"from_stage": "chunking"}]})

    from_stage: Step = Field(
        Step.OCR,
        description="Where to begin: what the stages before it have made is taken over. From `ocr` on, too, a result of the same "
        "bytes is taken over, unless `options.force_reprocess` says otherwise.",
    )
    options: ProcessingOptions | None = Field(None, description="Those of the document's last job, if left out.")
    priority: Priority | None = Field(None, description="That of the document's last job, if left out.")
    callback_url: HttpUrl | None = Field(None, description="Kept with the job; that of the last one, if left out.")

    def anew(self) -> Anew:
        """In the core's words. Raises `RequestInvalid` where the options leave out the stage to begin from."""
        if self.options is not None and self.from_stage not in self.options.steps:
            raise RequestInvalid(f"The options leave '{self.from_stage}' out, and 'from_stage' begins there.")
        return Anew(
            from_step=self.from_stage,
            options=None if self.options is None else self.options.said(),
            priority=self.priority,
            callback_url=None if self.callback_url is None else str(self.callback_url),
        )


REPROCESS_ERRORS = problems(
    DocumentNotFound,
    StateConflict,
    NothingToReuse,
    RequestInvalid,
    OcrRequestInvalid,
    WebhookUrlRefused,
    *LIMITED,
    *ONCE_ERRORS,
)


@router.post(
    "/reprocess",
    status_code=202,
    response_model=SubmissionRead,
    responses=REPROCESS_ERRORS,
    dependencies=[TAKES_A_DOCUMENT],
)
async def reprocess_document(
    services: ServicesDep,
    project_id: ProjectDep,
    document_id: DocumentId,
    once: OnceDep,
    asked: ReprocessRequest | None = None,
) -> Response:
    """Run the pipeline over a document once more: all of it, or from a stage on; until it is done, what there was is shown."""
    anew = (asked or ReprocessRequest()).anew()
    services.check(anew.callback_url, anew.options if anew.from_step is Step.OCR else None)
    return await once.answer(
        lambda keep: services.reprocessing.reprocess(project_id, document_id, anew, keep=keep), submitted, of=asked
    )
