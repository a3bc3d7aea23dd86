"""Routes of queues, workers and alerts. They need a key, and say nothing of other projects' documents."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.alerts.models import Alert, AlertCode
from app.api.dependencies import ProjectDep, ServicesDep
from app.api.paging import decode_cursor, encode_cursor, one_page
from app.api.problems import problems
from app.api.schemas import JOB_ID, NOW, example
from app.errors import RequestInvalid
from app.events import Severity
from app.jobs.fleet import QueueFigures, WorkerFigures
from app.jobs.states import Stage
from app.queue import QueueName

router = APIRouter(prefix="/v1", tags=["monitoring"])

QUEUE_EXAMPLE: dict[str, Any] = {
    "name": "ocr",
    "depth": 812,
    "documents": 812,
    "oldest_seconds": 4.2,
    "working": 17,
    "throughput_per_minute": 1830.0,
    "estimated_wait_seconds": 26.6,
    "workers": 2,
    "window": 200,
    "window_used": 200,
}


class QueueRead(BaseModel):
    """How a queue does."""

    model_config = example(QUEUE_EXAMPLE)

    name: QueueName
    depth: int = Field(
        description="Jobs that are due and wait, 100,000 of each stage at most; of batch queues, batches."
    )
    documents: int = Field(
        description="Documents that these are; of batch queues, those that were not taken out of their batches yet."
    )
    oldest_seconds: float = Field(description="How long the oldest of them has been due.")
    working: int = Field(description="Jobs that are being worked on.")
    throughput_per_minute: float = Field(description="Tasks that were begun in the last minute or less.")
    estimated_wait_seconds: float | None = Field(
        description="How long what comes now would wait behind all that is due; null where nothing says so."
    )
    workers: int = Field(description="Live workers that serve the queue.")
    window: int = Field(description="Tasks that Redis may hold of it, beyond which jobs wait in Postgres.")
    window_used: int | None = Field(description="Tasks that it holds now; null while Redis is away.")

    @classmethod
    def of(cls, figures: QueueFigures) -> Self:
        """As the API tells it."""
        return cls(
            name=figures.name,
            depth=figures.depth,
            documents=figures.documents,
            oldest_seconds=figures.oldest_seconds,
            working=figures.working,
            throughput_per_minute=figures.per_minute,
            estimated_wait_seconds=figures.wait_seconds,
            workers=figures.workers,
            window=figures.window,
            window_used=figures.window_used,
        )


class QueueList(BaseModel):
    """All queues."""

    model_config = example({"items": [QUEUE_EXAMPLE], "next": None})

    items: list[QueueRead]
    next: str | None = Field(None, description="Always null: there are few.")


DOING_EXAMPLE: dict[str, Any] = {"job_id": JOB_ID, "stage": "chunking", "since": NOW}
WORKER_EXAMPLE: dict[str, Any] = {
    "id": "host:4711:8d7a619f",
    "hostname": "host",
    "queues": ["ocr", "text"],
    "started_at": NOW,
    "heartbeat_at": NOW,
    "working": 3,
    "doing": [DOING_EXAMPLE],
}


class DoingRead(BaseModel):
    """A job that a worker has."""

    model_config = example(DOING_EXAMPLE)

    job_id: UUID
    stage: Stage
    since: datetime = Field(description="When its stage began.")


class WorkerRead(BaseModel):
    """A live worker."""

    model_config = example(WORKER_EXAMPLE)

    id: str
    hostname: str
    queues: list[str] = Field(description="The queues that it serves.")
    started_at: datetime
    heartbeat_at: datetime = Field(description="When it was last heard of.")
    working: int = Field(description="Jobs that it works on, of all projects.")
    doing: list[DoingRead] = Field(description="Those of your project, the longest at work first.")

    @classmethod
    def of(cls, figures: WorkerFigures) -> Self:
        """As the API tells it."""
        worker = figures.worker
        return cls(
            id=worker.id,
            hostname=worker.hostname,
            queues=list(worker.queues),
            started_at=worker.started_at,
            heartbeat_at=worker.heartbeat_at,
            working=figures.working,
            doing=[DoingRead(job_id=each.job_id, stage=each.stage, since=each.since) for each in figures.doing],
        )


class WorkerList(BaseModel):
    """All live workers."""

    model_config = example({"items": [WORKER_EXAMPLE], "next": None})

    items: list[WorkerRead]
    next: str | None = Field(None, description="Always null: the list is whole.")


ALERT_EXAMPLE: dict[str, Any] = {
    "code": "queue_unserved",
    "subject": "batch.high",
    "severity": "error",
    "details": {"message": "The queue batch.high has work, and no live worker serves it."},
    "raised_at": NOW,
    "cleared_at": None,
}


class AlertRead(BaseModel):
    """Something an operator should look at."""

    model_config = example(ALERT_EXAMPLE)

    code: AlertCode
    subject: str = Field(description="What it is about: a queue, an engine, a project's id.")
    severity: Severity
    details: dict[str, Any] = Field(description="What is known of it; `message` is for people.")
    raised_at: datetime
    cleared_at: datetime | None = Field(description="When it was over; null while it is so.")

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """As the API tells it."""
        return cls(
            code=alert.code,
            subject=alert.subject,
            severity=alert.severity,
            details=alert.details,
            raised_at=alert.raised_at,
            cleared_at=alert.cleared_at,
        )


class AlertList(BaseModel):
    """Some alerts, the newest first."""

    model_config = example({"items": [ALERT_EXAMPLE], "next": None})

    items: list[AlertRead]
    next: str | None = Field(None, description="The `cursor` of the next page; null at the end.")


@router.get("/queues", responses=problems())
async def list_queues(services: ServicesDep, _project_id: ProjectDep) -> QueueList:
    """All queues: how deep, how old, how fast, and who serves them; as of a second ago at most."""
    return QueueList(items=[QueueRead.of(each) for each in await services.fleet.queues()])


@router.get("/workers", responses=problems())
async def list_workers(services: ServicesDep, project_id: ProjectDep) -> WorkerList:
    """All live workers: what they serve, and what of your project they work on."""
    return WorkerList(items=[WorkerRead.of(each) for each in await services.fleet.workers(project_id)])


@router.get("/alerts", responses=problems(RequestInvalid))
async def list_alerts(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    *,
    cleared: Annotated[bool, Query(description="Those that are over, instead of those that are open.")] = False,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the list before.")] = None,
) -> AlertList:
    """Alerts of the whole service, which say nothing of documents, and of your project; the newest first."""
    before = decode_cursor(cursor) or None
    alerts = await services.alerts.list(project_id, cleared=cleared, before=before, limit=limit + 1)
    shown, following = one_page(request, response, alerts, limit, lambda last: encode_cursor(last.id))
    return AlertList(items=[AlertRead.of(alert) for alert in shown], next=following)
