"""The route of searches."""

from fastapi import APIRouter

from app.api.dependencies import ProjectDep, ServicesDep
from app.api.paging import decode_cursor, encode_cursor
from app.api.problems import problems
from app.api.search_schemas import SearchRequest, SearchResult
from app.errors import (
    EmbeddingAccessDenied,
    EmbeddingCountWrong,
    EmbeddingDimensionsWrong,
    EmbeddingModelAway,
    EmbeddingRequestInvalid,
    EmbeddingResultInvalid,
    EmbeddingThrottled,
    EmbeddingUnavailable,
    RequestInvalid,
)
from app.knowledge.search import DEEPEST

router = APIRouter(prefix="/v1/search", tags=["search"])

SEARCH_ERRORS = problems(
    RequestInvalid,
    EmbeddingUnavailable,
    EmbeddingThrottled,
    EmbeddingModelAway,
    EmbeddingAccessDenied,
    EmbeddingRequestInvalid,
    EmbeddingResultInvalid,
    EmbeddingCountWrong,
    EmbeddingDimensionsWrong,
)


@router.post("", responses=SEARCH_ERRORS)
async def search_chunks(services: ServicesDep, project_id: ProjectDep, asked: SearchRequest) -> SearchResult:
    """Search the project's documents by words, by meaning, or by both; what is found is chunks, with their places."""
    offset = decode_cursor(asked.cursor)
    if offset >= DEEPEST:
        raise RequestInvalid("The cursor is not one that this list gave.")
    found = await services.search.find(project_id, asked.query_from(offset))
    following = offset + asked.limit
    return SearchResult.of(found, encode_cursor(following) if found.more and following < DEEPEST else None)
