"""A document's state, step by step, out of its newest job: one JSON object, the same wherever it is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.jobs.models import Job
from app.jobs.states import JobState, Stage

ORDER = list(Stage)


def document_state(job: Job, steps: Mapping[str, Sequence[Stage]]) -> dict[str, Any]:
    """What became of each step; `steps` says from which stages each one's work is done, in the pipeline's order."""
    state: dict[str, Any] = {step: _step(job, stages) for step, stages in steps.items()}
    state["last_update"] = {"stage": job.stage, "status": job.state, "timestamp": job.updated_at}
    return state


def _step(job: Job, stages: Sequence[Stage]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"stage": job.stage, "updated_at": job.updated_at}
    status = _status(job, stages)
    if status == "failed" or (status == "running" and job.error_code):
        metadata["error"] = {"code": job.error_code, "message": job.error_message}
    return {"status": status, "timestamp": job.updated_at, "metadata": metadata}


def _status(job: Job, stages: Sequence[Stage]) -> str:
    at = ORDER.index(job.stage)
    if at > max(ORDER.index(stage) for stage in stages):
        return "completed"
    if job.stage not in stages:
        return "pending"
    ended = {JobState.DEADLETTER: "failed", JobState.CANCELLED: "cancelled"}
    if job.stage is Stage.QUEUED and job.started_at is None:
        return ended.get(job.state, "pending")
    return ended.get(job.state, "running")
