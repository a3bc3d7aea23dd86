"""What routes are handed: the services of this process, and the project that the caller's key opens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.alerts.service import Alerts
from app.api.batch_streams import BatchStreams
from app.api.bell import Bell
from app.api.known import refuse_unknown_parameters
from app.api.limits import Limits
from app.api.metrics import Metrics
from app.api.readiness import Readiness
from app.api.streams import Streams
from app.api.uploads import UploadSlots
from app.audit import Audit
from app.batches.service import Batches
from app.documents.formats import Formats
from app.documents.imports import Imports
from app.documents.originals import Originals
from app.documents.service import Documents
from app.documents.trace import Traces
from app.documents.uploads import Uploads
from app.idempotency import Keys
from app.jobs.fleet import Fleet
from app.jobs.outlook import Outlook
from app.jobs.service import Jobs
from app.jobs.states import Stage
from app.jobs.steps import Step
from app.knowledge.erasing import Erasing
from app.knowledge.reprocessing import Reprocessing
from app.knowledge.search import Search
from app.knowledge.service import Knowledge
from app.ocr.router import Router
from app.projects.service import Caller, Projects
from app.storage.s3 import Bucket
from app.webhooks.service import Webhooks


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes call, made once when the process starts."""

    projects: Projects
    documents: Documents
    formats: Formats
    traces: Traces
    jobs: Jobs
    outlook: Outlook
    erasing: Erasing
    batches: Batches
    batch_request_bytes: int
    """The largest body of a request that submits a batch."""
    knowledge: Knowledge
    reprocessing: Reprocessing
    bucket: Bucket
    keys: Keys
    imports: Imports
    direct_uploads: Uploads
    originals: Originals
    bell: Bell
    streams: Streams
    batch_streams: BatchStreams
    audit: Audit
    webhooks: Webhooks
    router: Router
    uploads: UploadSlots
    limits: Limits
    fleet: Fleet
    alerts: Alerts
    readiness: Readiness
    metrics: Metrics
    search: Search
    steps: dict[Step, list[Stage]]
    tasks: dict[str, str]
    """What runs from each stage."""

    def check(self, callback_url: str | None, options: Mapping[str, Any] | None) -> None:
        """Refuse what is said of a document that can't be done here. Raises `WebhookUrlRefused` and `OcrRequestInvalid`."""
        self.webhooks.check_url(callback_url)
        if options is not None:
            self.router.check(options)


bearer = HTTPBearer(auto_error=False, description="An API key; it belongs to a project, and sees nothing of others.")


def get_services(request: Request) -> Services:
    """The services of this process."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def get_caller(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Caller:
    """Who asks; what is done from here on is noted as done with that key.

    Raises `Unauthorized`, `RateLimited`, and `RequestValidationError` for query parameters that the operation doesn't have:
    this is where all calls that take a key come by.
    """
    caller = await services.projects.authenticate(credentials.credentials if credentials else None)
    structlog.contextvars.bind_contextvars(api_key_id=str(caller.key_id))
    await services.limits.count(request, caller)
    refuse_unknown_parameters(request)
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]


async def get_project(caller: CallerDep) -> UUID:
    """The project that the caller's key opens."""
    return caller.project_id


ProjectDep = Annotated[UUID, Depends(get_project)]


async def require_room(services: ServicesDep, caller: CallerDep) -> None:
    """Take one more document of the caller's project in. Raises `QueueFull` and `TooManyOpenDocuments`."""
    await services.limits.admit(caller)


TAKES_A_DOCUMENT = Depends(require_room)
"""For the `dependencies` of every route that makes a job of one document."""
