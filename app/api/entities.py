"""Routes of a project's entities, and of the graph that they make."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.dependencies import ProjectDep, ServicesDep
from app.api.entity_schemas import EntityDetail, EntityList, EntityRead, MentioningList, MentioningRead
from app.api.graph_schemas import GraphRead, MergeRequest, SplitRequest
from app.api.knowledge import Cursor, Limit, OfType
from app.api.paging import decode_id_cursor, encode_id_cursor, one_page
from app.api.problems import problems
from app.errors import EntitiesDiffer, EntityNotFound, MergeNotFound, NameNotMerged, RequestInvalid
from app.graph.relations import RelationType

router = APIRouter(prefix="/v1", tags=["entities"])

EntityId = Annotated[
    UUID, Path(description="The entity's id; of one that was merged, what it was merged into is shown.")
]

DOCUMENTS_TOLD = 50
MOST_EDGES = 500


@router.get("/entities", responses=problems(RequestInvalid))
async def list_entities(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    kind: OfType = None,
    name: Annotated[
        str | None,
        Query(min_length=1, max_length=200, description="Words that words of one of its names begin with."),
    ] = None,
    document_id: Annotated[UUID | None, Query(description="Only those that this document mentions.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EntityList:
    """What the project's documents speak of, the newest first."""
    found = await services.knowledge.entities(
        project_id,
        before=decode_id_cursor(cursor),
        limit=limit + 1,
        kind=kind,
        name=name,
        document_id=document_id,
    )
    shown, following = one_page(request, response, found, limit, lambda last: encode_id_cursor(last.entity.id))
    return EntityList(items=[EntityRead.of(each) for each in shown], next=following)


@router.get("/entities/{entity_id}", responses=problems(EntityNotFound, RequestInvalid))
async def get_entity(services: ServicesDep, project_id: ProjectDep, entity_id: EntityId) -> EntityDetail:
    """An entity, what it is called, what was taken for it and why, and the documents that mention it."""
    return EntityDetail.in_full(await services.knowledge.entity(project_id, entity_id, documents_limit=DOCUMENTS_TOLD))


@router.get("/entities/{entity_id}/documents", responses=problems(EntityNotFound, RequestInvalid))
async def list_entity_documents(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    entity_id: EntityId,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MentioningList:
    """The documents that mention an entity, the newest first."""
    found = await services.knowledge.documents_of_entity(
        project_id, entity_id, before=decode_id_cursor(cursor), limit=limit + 1
    )
    shown, following = one_page(request, response, found, limit, lambda last: encode_id_cursor(last.document_id))
    return MentioningList(items=[MentioningRead.of(row) for row in shown], next=following)


@router.post("/entities/{entity_id}/merge", responses=problems(EntityNotFound, EntitiesDiffer, RequestInvalid))
async def merge_entities(
    services: ServicesDep, project_id: ProjectDep, entity_id: EntityId, asked: MergeRequest
) -> EntityDetail:
    """Have an entity stand for others: what speaks of them speaks of it, until the merge is undone."""
    await services.knowledge.merge(project_id, entity_id, asked.entity_ids)
    return EntityDetail.in_full(await services.knowledge.entity(project_id, entity_id, documents_limit=DOCUMENTS_TOLD))


@router.post(
    "/entities/{entity_id}/split", responses=problems(EntityNotFound, MergeNotFound, NameNotMerged, RequestInvalid)
)
async def split_entity(
    services: ServicesDep, project_id: ProjectDep, entity_id: EntityId, asked: SplitRequest
) -> EntityList:
    """Undo a merge, or part a name from an entity; answers with what is parted, as entities of their own.

    The same name of the same document is not taken for the entity's again.
    """
    if asked.merge_id is not None:
        parted = [await services.knowledge.undo_merge(project_id, entity_id, asked.merge_id)]
    else:
        parted = await services.knowledge.split(project_id, entity_id, asked.normal_form or "", asked.document_id)
    return EntityList(
        items=[EntityRead.of(each) for each in await services.knowledge.entities_by_ids(parted)], next=None
    )


@router.get("/graph", responses=problems(EntityNotFound, RequestInvalid))
async def get_graph(
    services: ServicesDep,
    project_id: ProjectDep,
    entity_id: Annotated[UUID, Query(description="The entity in its middle.")],
    depth: Annotated[int, Query(ge=1, le=4, description="How many relationships to go out.")] = 1,
    kinds: Annotated[
        list[RelationType] | None, Query(alias="type", description="Only along these; all, if left out.")
    ] = None,
    min_weight: Annotated[float, Query(ge=0, le=1, description="Only along those as likely as this.")] = 0.0,
    limit: Annotated[int, Query(ge=1, le=MOST_EDGES, description="How many edges at most.")] = 100,
    documents: Annotated[
        int, Query(ge=0, le=200, description="How many of the documents that mention its entities to show with it.")
    ] = 0,
) -> GraphRead:
    """What is around an entity, by all of the project's documents; with documents, where these belong as well."""
    return GraphRead.of(
        await services.knowledge.graph(
            project_id,
            entity_id,
            depth=depth,
            limit=limit,
            kinds=kinds,
            least_weight=min_weight,
            documents_limit=documents,
        )
    )
