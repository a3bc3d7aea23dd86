"""Routes of jobs."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response

from app.api.conditional import JOB_READS, seen_versions
from app.api.dependencies import ProjectDep, ServicesDep
from app.api.media import event_stream
from app.api.options import ProcessingOptions
from app.api.problems import problems
from app.api.schemas import EventRead, JobRead
from app.errors import JobNotFound, Overloaded, RequestInvalid, StateConflict

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[UUID, Path(description="The job's id.")]
Wait = Annotated[
    float, Query(ge=0, le=60, description="Hold the answer for so many seconds, or until the job changes.")
]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID", max_length=20, pattern=r"^\d*$", description="The id of the last event that was seen."
    ),
]

STREAM: dict[int | str, dict[str, Any]] = {
    **event_stream(
        "The job's events. The first is a `snapshot`, whose data is a `JobRead`; the data of all others is an `EventRead`.",
        "JobRead",
        "EventRead",
    ),
    204: {"description": "The job has ended, and all its events were seen."},
}


@router.get(
    "/{job_id}", responses={304: {"description": "Nothing has changed."}, **problems(JobNotFound, RequestInvalid)}
)
async def get_job(
    request: Request, response: Response, services: ServicesDep, project_id: ProjectDep, job_id: JobId, wait: Wait = 0
) -> JobRead:
    """A job as it is now; with `wait`, as soon as it changes."""
    find = partial(services.jobs.find, project_id, job_id)
    seen = seen_versions(request)
    job = await (JOB_READS.wait(services.bell, job_id, find, seen=seen, seconds=wait) if wait else find())
    if JOB_READS.matches(seen, job):
        return JOB_READS.not_modified(job)  # type: ignore[return-value]  # an answer without a body
    JOB_READS.set_headers(response, job)
    return JobRead.of(job, await services.outlook.of(job))


@router.get(
    "/{job_id}/events", response_class=Response, responses=STREAM | problems(JobNotFound, Overloaded, RequestInvalid)
)
async def stream_job_events(
    services: ServicesDep, project_id: ProjectDep, job_id: JobId, last_event_id: LastEventId = None
) -> Response:
    """The job's events as they happen (`text/event-stream`), resumable with `Last-Event-ID`."""
    job = await services.jobs.find(project_id, job_id)
    return services.streams.of(job, int(last_event_id or 0))


@router.post("/{job_id}/cancel", status_code=202, responses=problems(JobNotFound, StateConflict, RequestInvalid))
async def cancel_job(response: Response, services: ServicesDep, project_id: ProjectDep, job_id: JobId) -> JobRead:
    """Stop a job: at once while it waits, within seconds while it is being worked on.

    Its place at the OCR engine is free at once. To cancel it once more changes nothing.
    """
    job = await services.jobs.cancel(project_id, job_id)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = "1"
    return JobRead.of(job)


@router.post("/{job_id}/retry", status_code=202, responses=problems(JobNotFound, StateConflict, RequestInvalid))
async def retry_job(response: Response, services: ServicesDep, project_id: ProjectDep, job_id: JobId) -> JobRead:
    """Run a job that was given up, or cancelled, again from the stage that it had come to, with a fresh budget of attempts.

    An OCR job that runs or has ended well is asked for its result again, and not paid for again.
    """
    job = await services.jobs.retry(project_id, job_id)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = "2"
    return JobRead.of(job)


PUBLISHED = (EventRead, ProcessingOptions)
"""Schemas that no route names: of streams, and of what travels as text."""
