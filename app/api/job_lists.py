"""Routes of many jobs: lists, what was given up, and trying that again."""

from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.api.dependencies import ProjectDep, ServicesDep
from app.api.once import ONCE_ERRORS, OnceDep, answer_with
from app.api.paging import decode_place, encode_place, one_page
from app.api.problems import problems
from app.api.schemas import JOB_EXAMPLE, NOW, JobRead, example
from app.errors import RequestInvalid
from app.idempotency import Answer
from app.jobs.listing import JobFilter, Place
from app.jobs.many import Again
from app.jobs.service import Retried
from app.jobs.states import JobState, Priority, Stage

router = APIRouter(tags=["jobs"])

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the list before.")]
CreatedFrom = Annotated[AwareDatetime | None, Query(description="Only those that were made at this moment or later.")]
CreatedTo = Annotated[AwareDatetime | None, Query(description="Only those that were made before this moment.")]
MOST_RETRIED = 10_000
Said = TypeVar("Said")


class JobList(BaseModel):
    """Jobs, the newest first."""

    model_config = example({"items": [JOB_EXAMPLE], "next": None})

    items: list[JobRead]
    next: str | None = Field(description="The `cursor` that the list goes on with; null at its end.")


DEAD_LETTER_EXAMPLE: dict[str, Any] = {
    "code": "document_encrypted",
    "count": 3,
    "first_at": NOW,
    "last_at": NOW,
    "message": "The document needs a password; remove it and submit the document again.",
    "retryable": False,
}


class DeadLetterRead(BaseModel):
    """The jobs that were given up with one code."""

    model_config = example(DEAD_LETTER_EXAMPLE)

    code: str = Field(description="Stable, as listed in the docs.")
    count: int
    first_at: AwareDatetime = Field(description="When the first of them was given up.")
    last_at: AwareDatetime = Field(description="When the last of them was.")
    message: str = Field(description="What the newest of them says: a sentence that says what to do.")
    retryable: bool = Field(description="Whether trying again can help, by the newest of them.")


class DeadLetterSummary(BaseModel):
    """What was given up, by code, the most frequent first."""

    model_config = example({"items": [DEAD_LETTER_EXAMPLE], "total": 3})

    items: list[DeadLetterRead]
    total: int


class JobsRetry(BaseModel):
    """Which jobs are to be tried again: those that fulfil all that is said."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"state": ["deadletter"], "code": ["ocr_timeout"], "limit": 1000}]},
    )

    state: list[JobState] = Field(
        default=[JobState.DEADLETTER], min_length=1, max_length=2, description="Of `deadletter` and `cancelled`."
    )
    code: list[str] = Field(default=[], max_length=50, description="Only those that failed with one of these.")
    batch_id: UUID | None = Field(default=None, description="Only those of a batch.")
    created_from: AwareDatetime | None = Field(default=None, description="Only those made at this moment or later.")
    created_to: AwareDatetime | None = Field(default=None, description="Only those made before this moment.")
    ids: list[UUID] = Field(default=[], max_length=1000, description="Only these.")
    limit: int = Field(default=MOST_RETRIED, ge=1, le=MOST_RETRIED, description="How many at most.")

    def again(self) -> Again:
        """What is asked for. Raises `RequestInvalid` for states that a job can't be tried again from."""
        if set(self.state) - {JobState.DEADLETTER, JobState.CANCELLED}:
            raise RequestInvalid("Only jobs in deadletter, and cancelled ones, can be tried again.")
        return Again(self.state, self.code, self.batch_id, self.created_from, self.created_to, self.ids)


class JobsRetried(BaseModel):
    """What came of it."""

    model_config = example({"retried": 812, "more": False})

    retried: int
    more: bool = Field(description="Whether the limit was reached, so that there may be more.")


def get_filter(
    state: Annotated[list[JobState] | None, Query(description="Only those in one of these states.")] = None,
    stage: Annotated[list[Stage] | None, Query(description="Only those that stand at one of these stages.")] = None,
    code: Annotated[list[str] | None, Query(max_length=50, description="Only those with one of these errors.")] = None,
    priority: Annotated[list[Priority] | None, Query(description="Only those of one of these priorities.")] = None,
    batch_id: Annotated[UUID | None, Query(description="Only those of a batch.")] = None,
    document_id: Annotated[UUID | None, Query(description="Only those of a document.")] = None,
    created_from: CreatedFrom = None,
    created_to: CreatedTo = None,
    finished_from: Annotated[AwareDatetime | None, Query(description="Only those that ended then or later.")] = None,
    finished_to: Annotated[AwareDatetime | None, Query(description="Only those that ended before.")] = None,
) -> JobFilter:
    """Which jobs are wanted."""
    return JobFilter(
        states=_once(state),
        stages=_once(stage),
        codes=_once(code),
        priorities=_once(priority),
        batch_id=batch_id,
        document_id=document_id,
        created_from=created_from,
        created_to=created_to,
        finished_from=finished_from,
        finished_to=finished_to,
    )


@router.get("/v1/jobs", responses=problems(RequestInvalid))
async def list_jobs(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    wanted: Annotated[JobFilter, Depends(get_filter)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobList:
    """The project's jobs, the newest first; with `state=deadletter`, what was given up, each with its reason."""
    found = await services.jobs.list(project_id, wanted, before=decode_place(cursor), limit=limit + 1)
    shown, following = one_page(
        request, response, found, limit, lambda last: encode_place(Place(last.created_at, last.id))
    )
    return JobList(items=[JobRead.of(job) for job in shown], next=following)


@router.post(
    "/v1/jobs/retry", status_code=202, response_model=JobsRetried, responses=problems(RequestInvalid, *ONCE_ERRORS)
)
async def retry_jobs(services: ServicesDep, project_id: ProjectDep, once: OnceDep, asked: JobsRetry) -> Response:
    """Run all jobs again that were given up, or that a filter names, each from the stage that it had come to.

    To ask once more changes nothing for those that wait by then.
    """
    again = asked.again()
    return await once.answer(
        lambda _: services.jobs.retry_many(project_id, again, limit=asked.limit), _retried, of=asked
    )


@router.get("/v1/dead-letters", responses=problems(RequestInvalid))
async def summarize_dead_letters(services: ServicesDep, project_id: ProjectDep) -> DeadLetterSummary:
    """What was given up, by code: how often, since when, and whether trying again can help."""
    found = await services.jobs.dead_letters(project_id)
    items = [DeadLetterRead.model_validate(each, from_attributes=True) for each in found]
    return DeadLetterSummary(items=items, total=sum(each.count for each in items))


def _retried(made: Retried) -> Answer:
    return answer_with(JobsRetried(retried=made.jobs, more=made.more))


def _once(members: list[Said] | None) -> tuple[Said, ...]:
    return tuple(dict.fromkeys(members or ()))
