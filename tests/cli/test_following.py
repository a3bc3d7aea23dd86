"""A job that is followed by its stream: whatever the server tells next, it is whole, and never falls back."""

import json
from typing import Any

import httpx
from rich.progress import Progress

from app.api.schemas import JOB_EXAMPLE
from app.cli.connection import Server
from app.cli.following import follow
from app.cli.submitting import Board

JOB = {**JOB_EXAMPLE, "state": "working", "last_event_number": 5}
JOB["progress"] = {"fraction": 0.1, "pages_done": 0, "pages_total": 4}


def told(number: int, kind: str, **payload: Any) -> tuple[str, dict[str, Any]]:
    """An event of a job's stream."""
    return kind, {"number": number, "type": kind, "payload": payload}


async def followed(*events: tuple[str, dict[str, Any]], ended: dict[str, Any]) -> list[dict[str, Any]]:
    """What is told of a job by a server whose stream has these events, and ends with the job as it is then."""
    lines = (f"id: {data.get('number', 5)}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in events)
    stream = "".join(lines)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=stream)
        return httpx.Response(200, json=ended)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://quire") as client:
        return [job async for job in follow(Server(client), "x")]


async def test_stage_state_and_progress_are_kept_from_event_to_event() -> None:
    """Pages say no stage, warnings say nothing; an event that the snapshot has in it counts once."""
    done = {**JOB, "state": "done", "stage": "finalized", "progress": {**JOB["progress"], "fraction": 1.0}}
    jobs = await followed(
        ("snapshot", JOB),
        told(5, "page", page=1),
        told(6, "page", page=1),
        told(7, "page", page=2),
        told(8, "warning", message="Slow."),
        told(9, "stage", stage="parsed", state="queued"),
        told(10, "retry", stage="parsed", state="retryable"),
        ended=done,
    )
    shown = [(job["stage"], job["state"], round(job["progress"]["fraction"], 2)) for job in jobs]
    assert shown == [
        ("parsing", "working", 0.1),
        ("parsing", "working", 0.1),
        ("parsing", "working", 0.25),
        ("parsing", "working", 0.4),
        ("parsing", "working", 0.4),
        ("parsed", "queued", 0.7),
        ("parsed", "retryable", 0.7),
        ("finalized", "done", 1.0),
    ]


async def test_the_number_of_pages_is_taken_from_the_stage_that_counts_them() -> None:
    """Without it no page would move the bar."""
    queued = {**JOB, "stage": "queued", "progress": {"fraction": 0.0, "pages_done": 0, "pages_total": None}}
    jobs = await followed(
        ("snapshot", queued),
        told(6, "stage", stage="job_validated", state="queued", pages=2),
        told(7, "stage", stage="parsing", state="working"),
        told(8, "page", page=1),
        told(9, "stage", stage="of_tomorrow", state="working"),
        ended={**queued, "state": "done"},
    )
    assert [round(job["progress"]["fraction"], 2) for job in jobs[:-1]] == [0, 0.05, 0.1, 0.4, 0.4]
    assert jobs[-2]["stage"] == "of_tomorrow"


def test_the_bar_follows(tmp_path: Any) -> None:
    """It shows the stage and the state, and as much as is done."""
    path = tmp_path / "one.pdf"
    board = Board(Progress(disable=True))
    board.begin(path, 10)
    board.sent(path)
    board.show(path, {**JOB, "progress": {"fraction": 0.25}})
    task = board.progress.tasks[0]
    assert (task.completed, task.total, task.fields["what"]) == (25, 100, "parsing working")
