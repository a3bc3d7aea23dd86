"""Routes of events: the audit trail, and the project's stream."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import AwareDatetime

from app.api.dependencies import ProjectDep, ServicesDep
from app.api.event_schemas import EventList, LoggedEventRead, ProjectSnapshot
from app.api.feeds import Piece
from app.api.media import event_stream
from app.api.paging import decoded, encoded, one_page
from app.api.problems import problems
from app.api.streams import Following, sse
from app.audit import AuditFilter
from app.errors import Overloaded, RequestInvalid
from app.event_log import Position
from app.events import Event, EventType, Severity

router = APIRouter(prefix="/v1/events", tags=["events"])

PRINTABLE = r"^[ -~]+$"

Types = Annotated[list[EventType] | None, Query(alias="type", description="Only these; may be given more than once.")]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=39,
        pattern=r"^([0-9]{1,19}-[0-9]{1,19})?$",
        description="The id of the last event that was seen.",
    ),
]

STREAM = event_stream(
    "What happens in the project. The first event is a `snapshot`, whose data is a `ProjectSnapshot`; the data of all others is a `LoggedEventRead`.",
    "ProjectSnapshot",
    "LoggedEventRead",
)


def read_filter(
    types: Types = None,
    severity: Annotated[Severity | None, Query(description="Only of this severity.")] = None,
    code: Annotated[str | None, Query(max_length=100, pattern=PRINTABLE, description="Only of this code.")] = None,
    document_id: Annotated[UUID | None, Query(description="Only of this document, its pages among them.")] = None,
    job_id: Annotated[UUID | None, Query(description="Only of this job, its pages among them.")] = None,
    batch_id: Annotated[UUID | None, Query(description="Only of this batch and the moves of its jobs.")] = None,
    key_id: Annotated[UUID | None, Query(description="Only what was done with this API key.")] = None,
    request_id: Annotated[
        str | None, Query(max_length=200, pattern=PRINTABLE, description="Only what was done for this request.")
    ] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="Only from this moment on.")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Only before this moment.")] = None,
) -> AuditFilter:
    """Which events are wanted. Raises `RequestInvalid` where pages are asked for of no one document."""
    wanted = AuditFilter(types or (), severity, code, document_id, job_id, batch_id, key_id, request_id, since, until)
    if EventType.PAGE in wanted.types and not wanted.is_narrow:
        raise RequestInvalid("Pages are listed of one document or job: give `document_id` or `job_id` as well.")
    return wanted


@router.get("", responses=problems(RequestInvalid))
async def list_events(
    request: Request,
    response: Response,
    services: ServicesDep,
    project_id: ProjectDep,
    wanted: Annotated[AuditFilter, Depends(read_filter)],
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the list before.")] = None,
) -> EventList:
    """What happened in the project, and who did it, the newest first. Pages are listed with their document or job."""
    before = decoded(cursor, lambda said: Position.parse(said.decode()))
    found = await services.audit.find(project_id, wanted, before=before, limit=limit + 1)
    shown, following = one_page(request, response, found, limit, _cursor_of)
    return EventList(items=[LoggedEventRead.of(event, services.audit) for event in shown], next=following)


@router.get("/stream", response_class=Response, responses=STREAM | problems(Overloaded, RequestInvalid))
async def stream_events(
    services: ServicesDep, project_id: ProjectDep, types: Types = None, last_event_id: LastEventId = None
) -> Response:
    """What happens in the project, as it happens (`text/event-stream`), resumable with `Last-Event-ID`.

    Pages are told in the streams of their jobs.
    """
    if EventType.PAGE in (types or ()):
        raise RequestInvalid("Pages are told in the streams of their jobs: follow `/v1/jobs/{job_id}/events`.")
    present = await services.audit.now()
    # A position from the future, which a restored database may know nothing of, would tell nothing for long.
    position = min(parse_position(last_event_id), present) if last_event_id else present
    said = ProjectSnapshot(project_id=project_id, position=str(position)).model_dump_json()
    wanted = frozenset(types or ())

    def wants(piece: Piece) -> bool:
        return not wanted or piece.type in wanted

    snapshot = sse(str(position), "snapshot", said)
    return services.streams.follow(Following(services.streams.projects, project_id, position, snapshot, wants))


def parse_position(text: str) -> Position:
    """The place in the log that a client has come to. Raises `RequestInvalid`."""
    try:
        return Position.parse(text)
    except ValueError as error:
        raise RequestInvalid("The Last-Event-ID is not one that this stream gave.") from error


def _cursor_of(event: Event) -> str:
    return encoded(str(Position.of(event)).encode())


PUBLISHED = (ProjectSnapshot, LoggedEventRead)
"""Schemas that no route names: of streams."""
