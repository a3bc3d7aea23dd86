"""All that the API answers to."""

from functools import cache

from fastapi import APIRouter
from starlette.routing import BaseRoute

from app.api import (
    batches,
    direct_uploads,
    docs,
    document_lists,
    documents,
    entities,
    events,
    fleet,
    formats,
    job_lists,
    jobs,
    knowledge,
    operations,
    reference,
    search,
    webhooks,
)

ROUTERS = (
    documents.router,
    document_lists.router,
    direct_uploads.router,
    knowledge.router,
    formats.router,
    jobs.router,
    job_lists.router,
    batches.router,
    events.router,
    webhooks.router,
    webhooks.callback_router,
    entities.router,
    search.router,
    fleet.router,
    operations.router,
    reference.router,
    docs.router,
)


@cache
def all_routes() -> list[BaseRoute]:
    """Every route, in order; the same ones for all apps of a process, since FastAPI takes long to build each."""
    routes = APIRouter(generate_unique_id_function=lambda route: route.name)
    for router in ROUTERS:
        routes.include_router(router)
    return routes.routes
