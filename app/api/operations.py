"""Routes for operators: health and metrics. They need no key, and say nothing of documents."""

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.alerts.models import AlertCode
from app.api.dependencies import ServicesDep
from app.api.schemas import NOW, example

router = APIRouter(tags=["operations"])


class Live(BaseModel):
    """The process is up."""

    model_config = example({"status": "ok"})

    status: str = "ok"


class CheckRead(BaseModel):
    """How one part answered."""

    model_config = example({"ok": True, "latency_seconds": 0.0021, "detail": None})

    ok: bool
    latency_seconds: float
    detail: str | None


class OpenAlert(BaseModel):
    """An alert of the whole service that is open."""

    model_config = example({"code": "queue_unserved", "subject": "batch.high", "raised_at": NOW})

    code: AlertCode
    subject: str = Field(description="What it is about: a queue, an engine.")
    raised_at: datetime


class Ready(BaseModel):
    """Whether every part answers."""

    model_config = example(
        {"ready": True, "checks": {"postgres": {"ok": True, "latency_seconds": 0.0021, "detail": None}}, "alerts": []}
    )

    ready: bool
    checks: dict[str, CheckRead]
    alerts: list[OpenAlert] = Field(
        description="What an operator should look at; none are told while Postgres is away."
    )


@router.get("/health/live")
async def get_liveness() -> Live:
    """The process is up."""
    return Live()


@router.get(
    "/health/ready", responses={503: {"model": Ready, "description": "Some part doesn't answer; `checks` says which."}}
)
async def get_readiness(response: Response, services: ServicesDep) -> Ready:
    """Every part that Quire needs answers, and live workers serve every queue."""
    checks = await services.readiness.check()
    ready = services.readiness.is_ready(checks)
    response.status_code = 200 if ready else 503
    response.headers["Cache-Control"] = "no-store"
    read = {
        name: CheckRead(ok=check.ok, latency_seconds=check.latency_seconds, detail=check.detail)
        for name, check in checks.items()
    }
    alerts = await services.alerts.list(None, cleared=False) if checks["postgres"].ok else []
    told = [OpenAlert(code=alert.code, subject=alert.subject, raised_at=alert.raised_at) for alert in alerts]
    return Ready(ready=ready, checks=read, alerts=told)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics in Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def get_metrics(services: ServicesDep) -> Response:
    """Metrics for Prometheus."""
    return Response(await services.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
