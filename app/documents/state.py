"""A document's state, step by step, out of its newest job: one JSON object, the same wherever it is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.jobs.steps import ORDER, Step, wanted


def document_state(job: Job, steps: Mapping[Step, Sequence[Stage]]) -> dict[str, Any]:
    """What became of each step; `steps` says from which stages each one's work is done, in the pipeline's order."""
    asked = wanted(job.options)
    state: dict[str, Any] = {
        step: _step(job, stages, asked_for=step in asked, reused=_is_reused(job, stages))
        for step, stages in steps.items()
    }
    state["last_update"] = {"stage": job.stage, "status": job.state, "timestamp": job.updated_at}
    return state


def _is_reused(job: Job, stages: Sequence[Stage]) -> bool:
    """Whether a job took over what an earlier run had made by a step."""
    return job.from_stage is not None and ORDER.index(job.from_stage) > max(ORDER.index(stage) for stage in stages)


def _step(job: Job, stages: Sequence[Stage], *, asked_for: bool, reused: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"stage": job.stage, "updated_at": job.updated_at}
    status = _status(job, stages) if asked_for else "skipped"
    if reused and status == "completed":
        metadata["reused_job_id"] = job.reused_job_id
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
