"""A hand on every job: cancelled while it waits and while it works, tried again alone and by the hundred, and its wait told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.events import Event, EventType
from app.jobs.many import Again
from app.jobs.models import Job
from app.jobs.states import JobState, Priority, Stage
from app.ocr.pacing import Lane
from tests.api.running import client_with, problem_of
from tests.bench import Bench, open_bench
from tests.ocr.textract import FakeTextract, running_fake
from tests.pipeline.slow import Slow
from tests.pipeline.steps import started, validated
from tests.pipeline.texts import read_job
from tests.service import Client


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def told(quick: Settings, fake: FakeTextract) -> Settings:
    """Settings that lead to it, where one job may run at a time."""
    return quick.model_copy(
        update={
            "ocr_engines": "textract",
            "aws_endpoint_url_textract": fake.url,
            "textract_max_concurrent_jobs": 1,
        }
    )


async def actions(bench: Bench, code: str) -> list[Event]:
    """What somebody did, by its code."""
    query = select(Event).where(Event.type == EventType.ACTION, Event.code == code).order_by(Event.id)
    async with bench.tools.sessions() as session:
        return list(await session.scalars(query))


async def test_a_cancelled_job_frees_its_slot_at_once(told: Settings, extractor: EntityExtractor) -> None:
    """While its OCR job runs on at Textract, the next document is read; a retry takes the paid job up again."""
    async with open_bench(told, extractor) as bench, client_with(told) as client:
        first, second = await started(bench, pages_total=2), await validated(bench, pages_total=2)
        await bench.advance(second)
        assert (await bench.rows.find(second.id)).stage is Stage.JOB_VALIDATED
        assert (await client.post(f"/v1/jobs/{first.id}/cancel")).json()["state"] == "cancelled"
        await bench.sweep.sweep()
        await bench.rows.change(second.id, next_attempt_at_in=timedelta(0))
        assert (await bench.advance(await bench.rows.find(second.id))).stage is Stage.PARSING
        lane = Lane(first.engine, first.operation)  # type: ignore[arg-type]  # it has one
        assert (await bench.tools.ocr.pacer.state(lane)).running == 1
        await client.post(f"/v1/jobs/{second.id}/cancel")
        retried = (await client.post(f"/v1/jobs/{first.id}/retry")).json()
        assert (retried["state"], retried["stage"], retried["cancel_requested"]) == ("queued", "parsing", False)
        assert (await bench.poll(first)).textract_job_id == first.textract_job_id
        [row] = await bench.rows.textract_jobs(first.id)
        assert row.let_go_at is None


async def test_a_long_stage_is_cut_short(quick: Settings) -> None:
    """A worker sees within a second that its job is to stop, and stops what it is doing; the request is told of, once."""
    extractor = Slow()
    async with open_bench(quick, extractor) as bench, client_with(quick) as client:
        job, pipeline = await read_job(bench, stage=Stage.EMBEDDED), bench.pipeline()
        working = asyncio.create_task(pipeline.advance(job.id, job.stage))
        await extractor.begun.wait()
        await pipeline.stop_cancelled()
        assert not extractor.cut_off.is_set()
        answers = [await client.post(f"/v1/jobs/{job.id}/cancel") for _ in range(3)]
        assert {(each.status_code, each.json()["state"], each.json()["cancel_requested"]) for each in answers} == {
            (202, "working", True)
        }
        [asked] = await actions(bench, "cancel_requested")
        assert (asked.request_id, asked.job_id) == (answers[0].headers["x-request-id"], job.id)
        assert asked.api_key_id is not None
        await pipeline.stop_cancelled()
        await working
        assert extractor.cut_off.is_set()
        ended = await bench.rows.find(job.id)
        assert (ended.state, ended.stage, ended.claimed_by) == (JobState.CANCELLED, Stage.EMBEDDED, None)
        assert (await client.post(f"/v1/jobs/{job.id}/cancel")).json()["last_event_number"] == ended.last_event_number


async def test_others_work_on_while_one_is_cut_short(quick: Settings) -> None:
    """Only the job that somebody asked to stop is."""
    extractor = Slow()
    async with open_bench(quick, extractor) as bench:
        pipeline = bench.pipeline()
        jobs = [await read_job(bench, stage=Stage.EMBEDDED) for _ in range(2)]
        working = [asyncio.create_task(pipeline.advance(job.id, job.stage)) for job in jobs]
        while len(pipeline.limits) < len(jobs):  # noqa: ASYNC110 (nobody tells us)
            await asyncio.sleep(0.01)
        await bench.jobs.cancel(jobs[0].project_id, jobs[0].id)
        await pipeline.stop_cancelled()
        await working[0]
        assert (await bench.rows.find(jobs[0].id)).state is JobState.CANCELLED
        assert (await bench.rows.find(jobs[1].id)).state is JobState.WORKING
        working[1].cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def test_a_cancelled_job_can_be_run_again(bench: Bench, client: Client) -> None:
    """From the stage that it had come to; and it isn't cancelled again for what was asked before."""
    job = await read_job(bench)
    await bench.rows.change(job.id, cancel_requested_at=datetime.now(UTC))
    await client.post(f"/v1/jobs/{job.id}/cancel")
    assert (await client.post(f"/v1/jobs/{job.id}/retry")).json()["state"] == "queued"
    assert (await bench.advance(job)).stage is not job.stage


async def test_many_are_tried_again_in_one_call(bench: Bench, client: Client) -> None:
    """Those that were given up, and no others; each has its event, with key and request; a second call finds nothing to do."""
    failed = [await bench.rows.job(Stage.PARSED, JobState.DEADLETTER, attempts=5) for _ in range(3)]
    others = [await bench.rows.job(state=state) for state in (JobState.DONE, JobState.CANCELLED, JobState.QUEUED)]
    answer = await client.post("/v1/jobs/retry", json={})
    assert (answer.status_code, answer.json()) == (202, {"retried": 3, "more": False}), answer.text
    for job in failed:
        retried, events = await bench.rows.find(job.id), await bench.rows.events(job.id)
        assert (retried.state, retried.stage, retried.attempts, retried.error_code) == ("queued", "parsed", 0, None)
        assert (events[-1].type, events[-1].request_id) == (EventType.RETRY, answer.headers["x-request-id"])
        assert events[-1].api_key_id is not None
    assert [(await bench.rows.find(job.id)).last_event_number for job in others] == [1, 1, 1]
    assert (await client.post("/v1/jobs/retry", json={})).json() == {"retried": 0, "more": False}
    [told] = await actions(bench, "jobs_retried")
    assert told.payload["jobs"] == 3


async def test_many_are_tried_again_by_filter(bench: Bench, client: Client) -> None:
    """By code, state, moment, id and number: nothing else is touched."""
    dead = [await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER, error_code=code) for code in ("a", "b", "b", "c")]
    cancelled = await bench.rows.job(state=JobState.CANCELLED)
    for said, count, more in (
        ({"code": ["b"], "limit": 1}, 1, True),
        ({"code": ["b"]}, 1, False),
        ({"ids": [str(dead[0].id), str(cancelled.id), str(uuid4())]}, 1, False),
        ({"state": ["cancelled"], "created_to": dead[0].created_at.isoformat()}, 0, False),
        ({"state": ["cancelled", "deadletter"], "created_from": cancelled.created_at.isoformat()}, 1, False),
        ({"batch_id": str(uuid4())}, 0, False),
        ({"state": ["deadletter"], "code": ["c"]}, 1, False),
    ):
        answer = await client.post("/v1/jobs/retry", json=said)
        assert answer.json() == {"retried": count, "more": more}, (said, answer.text)


async def test_many_are_tried_again_slice_by_slice(bench: Bench) -> None:
    """More than a slice; two callers at once try each job again once."""
    document = await bench.rows.document()
    for _ in range(23):
        await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER, document=document)
    project = await bench.rows.project()
    told = [bench.jobs.retry_many(project, Again(), limit=10_000) for _ in range(2)]
    counts = [retried.jobs for retried in await asyncio.gather(*told)]
    assert sum(counts) == 23


async def test_others_are_not_tried_again(bench: Bench, client: Client) -> None:
    """Only what is over can be; another project's jobs never; unknown fields are refused."""
    theirs = await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER, project="another")
    assert (await client.post("/v1/jobs/retry", json={"ids": [str(theirs.id)]})).json()["retried"] == 0
    refused: tuple[dict[str, Any], ...] = (
        {"state": ["working"]},
        {"state": []},
        {"everything": True},
        {"limit": 0},
        {"created_to": "soon"},
    )
    for said in refused:
        problem_of(await client.post("/v1/jobs/retry", json=said), 422, "request_invalid")


async def test_a_wait_is_told_by_what_stands_before(bench: Bench, client: Client) -> None:
    """What is more urgent and older comes first, and of a batch as many as of those that came by themselves."""
    low = await bench.rows.job(priority=Priority.LOW)
    normal = [await bench.rows.job() for _ in range(3)]
    high = await bench.rows.job(priority=Priority.HIGH)
    await bench.rows.job(project="another")
    positions = {job.id: (await read(client, job))["queue_position"] for job in (low, *normal, high)}
    assert positions == {high.id: 0, normal[0].id: 1, normal[1].id: 2, normal[2].id: 3, low.id: 4}


async def test_an_end_is_estimated_by_the_pace_of_late(bench: Bench, client: Client) -> None:
    """By the project's jobs of the last minutes; none is told where none ended, and none of a job that has ended."""
    job = await bench.rows.job()
    waits = await read(client, job)
    assert (waits["estimated_start_at"], waits["estimated_completion_at"]) == (None, None)
    now = datetime.now(UTC)
    for minutes in (1, 2, 3, 4):
        ended: dict[str, Any] = {
            "started_at": now - timedelta(minutes=minutes, seconds=30),
            "finished_at": now - timedelta(minutes=minutes),
        }
        await bench.rows.job(state=JobState.DONE, pages_total=2, pages_done=2, **ended)
    await asyncio.sleep(0)
    async with client_with(bench.settings) as fresh:  # what the other process has seen holds for some seconds
        waits, begun = await read(fresh, job), await read(fresh, await read_job(bench))
        assert waits["queue_position"] == 0
        seconds = (moment(waits["estimated_completion_at"]) - moment(waits["estimated_start_at"])).total_seconds()
        assert 29 < seconds < 31
        assert begun["estimated_start_at"] is None
        assert now < moment(begun["estimated_completion_at"]) < now + timedelta(seconds=60)
        over = await bench.rows.job(state=JobState.DONE)
        assert (await read(fresh, over))["estimated_completion_at"] is None


async def read(client: Client, job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    return dict((await client.get(f"/v1/jobs/{job.id}")).json())


def moment(said: str) -> datetime:
    """A moment that the API told."""
    return datetime.fromisoformat(said)
