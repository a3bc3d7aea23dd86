"""The trace of a document: every event of every job, and spans that account for all of its time."""

from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from app.config import Settings
from tests.api.running import problem_of
from tests.documents import letter
from tests.service import Client, client_of, make_key


async def traced(client: Client, *pages: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document that was read: its trace, and the same in the trace-event format."""
    submitted = await client.submit(letter(*pages))
    await client.ended(submitted["job"]["id"])
    url = f"/v1/documents/{submitted['document']['id']}"
    return (await client.get(f"{url}/trace")).json(), (await client.get(f"{url}/trace.json")).json()


async def test_spans_account_for_all_of_a_jobs_time(client: Client, worker: str) -> None:
    """Waiting and working follow one another without a gap, from the job's creation to its end."""
    trace, _ = await traced(client, "Hello", "world")
    (job,) = trace["jobs"]
    stages = [span for span in trace["spans"] if span["kind"] in {"waiting", "working"}]
    assert stages[0]["started_at"] == job["created_at"]
    assert stages[-1]["ended_at"] == job["finished_at"]
    assert all(first["ended_at"] == second["started_at"] for first, second in pairwise(stages))
    assert sum(span["duration_seconds"] for span in stages) == pytest.approx(job["duration_seconds"], abs=1e-3)
    worked = [span["name"] for span in stages if span["kind"] == "working"]
    assert worked[0] == "validate_document"
    assert worked[-1] == "finalize_document"
    assert {span["outcome"] for span in stages if span["kind"] == "working"} <= {"succeeded", "put_off"}


async def test_pages_and_ocr_jobs_have_theirs(client: Client, worker: str) -> None:
    """A span for each page, within its job's time, and one for the OCR job with its engine."""
    trace, _ = await traced(client, "Hello", "world", "again")
    (job,) = trace["jobs"]
    pages = [span for span in trace["spans"] if span["kind"] == "page"]
    assert [(span["page"], span["name"]) for span in pages] == [(1, "page 1"), (2, "page 2"), (3, "page 3")]
    assert all(job["created_at"] <= span["started_at"] <= span["ended_at"] <= job["finished_at"] for span in pages)
    (ocr,) = [span for span in trace["spans"] if span["kind"] == "ocr_job"]
    assert ocr["engine"] in {"textract", "local"}
    assert (ocr["part"], ocr["outcome"]) == (1, "succeeded")


async def test_events_are_those_of_the_job(client: Client, worker: str) -> None:
    """All of them, in order, with none left out."""
    trace, _ = await traced(client, "Hello")
    (job,) = trace["jobs"]
    numbers = [event["number"] for event in trace["events"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert trace["events"][-1]["type"] == "done"
    assert {event["job_id"] for event in trace["events"]} == {job["id"]}


async def test_trace_viewers_can_open_it(client: Client, worker: str) -> None:
    """By the rules of the trace-event format: known phases, whole microseconds, threads with names, spans that nest."""
    trace, viewed = await traced(client, "Hello", "world")
    assert set(viewed) == {"traceEvents", "displayTimeUnit", "otherData"}
    tracks: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for event in viewed["traceEvents"]:
        assert event["ph"] in {"X", "M", "i"}
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name"}
            assert event["args"]["name"]
        if event["ph"] == "X":
            assert isinstance(event["ts"], int)
            assert event["dur"] >= 0 <= event["ts"]
            tracks[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for spans in tracks.values():
        open_until: list[int] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_until and open_until[-1] <= start:
                open_until.pop()
            assert not open_until or end <= open_until[-1]
            open_until.append(end)
    assert sum(map(len, tracks.values())) == len(trace["spans"])


async def test_a_job_that_waits_has_a_trace(client: Client, quick: Settings) -> None:
    """What lasts has no end yet; another project's document isn't there."""
    document_id = (await client.submit(letter("Hello")))["document"]["id"]
    trace = (await client.get(f"/v1/documents/{document_id}/trace")).json()
    (span,) = trace["spans"]
    assert (span["kind"], span["ended_at"], span["duration_seconds"]) == ("waiting", None, None)
    assert datetime.fromisoformat(span["started_at"]).tzinfo is not None
    viewed = (await client.get(f"/v1/documents/{document_id}/trace.json")).json()
    assert [event["name"] for event in viewed["traceEvents"] if event["ph"] == "X"] == ["waiting for validate_document"]
    async with client_of(str(client.base_url), await make_key(quick, project="other")) as stranger:
        for path in ("trace", "trace.json"):
            problem_of(await stranger.get(f"/v1/documents/{document_id}/{path}"), 404, "document_not_found")
            problem_of(await client.get(f"/v1/documents/{uuid4()}/{path}"), 404, "document_not_found")
