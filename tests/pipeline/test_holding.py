"""Moves that follow each other quickly are written together: all of them, in order, once, whatever becomes of the worker."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta

import pytest

from app.errors import InternalError, LeaseLost, StateConflict
from app.events import Event, EventDraft, EventType
from app.jobs import repository
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.knowledge.models import DocumentChunk, EntityMention, Relationship
from app.pipeline.holding import Holding
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.runner import Pipeline
from app.pipeline.stages import ROWS
from app.queue import QueueName
from tests.bench import WORKER, Bench, eventually
from tests.pipeline.test_knowledge import of_job
from tests.pipeline.test_runner import Run, stage_runs, succeed
from tests.pipeline.texts import read_job, run_through

AFTER_TEXT = list(Stage)[list(Stage).index(Stage.PARSED) :]
"""The stages of a document whose text is there, in order."""


class Killed(BaseException):
    """The end of a worker: nothing runs after it that would give its job back."""


def every_queue(bench: Bench, worker_id: str = WORKER) -> Pipeline:
    """A worker that serves all queues, so that a short document goes on under one claim."""
    return Pipeline(bench.tools, bench.queue, worker_id, list(QueueName))


def told(events: Sequence[Event]) -> list[str]:
    """The stages that events tell of."""
    return [event.payload["stage"] for event in events]


async def claimed(bench: Bench, job: Job) -> Job:
    """A job that a worker has just taken."""
    async with bench.tools.sessions.begin() as session:
        taken = await repository.claim(session, job.id, job.stage, worker=WORKER, lease=timedelta(seconds=20))
    assert taken is not None
    return taken


async def test_a_short_document_is_written_once_it_is_done(bench: Bench) -> None:
    """Its events are of one transaction, one for each stage, with numbers, ids and moments in the order of the moves."""
    job = await bench.rows.job(Stage.PARSED, pages_total=1, pages_done=1)
    with ExitStack() as stages:
        for stage in AFTER_TEXT[:-1]:
            stages.enter_context(stage_runs(stage, succeed))
        await every_queue(bench).advance(job.id, job.stage)
    after = await bench.rows.find(job.id)
    assert (after.state, after.stage, after.attempts) == (JobState.DONE, Stage.FINALIZED, 0)
    assert set(after.stage_timings) == set(AFTER_TEXT) - {"parse_validated", "chunks_buffered", "finalized"}
    events = await bench.rows.events(job.id)
    assert told(events) == [Stage.PARSED, *AFTER_TEXT]
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert sorted(event.id for event in events) == [event.id for event in events]
    assert sorted(event.created_at for event in events) == [event.created_at for event in events]
    assert len({event.transaction_id for event in events[2:]}) == 1
    assert {event.payload["state"] for event in events[1:-1]} == {"working"}
    assert [event.type for event in events[1:]] == ["stage"] * (len(events) - 2) + ["done"]


async def test_where_a_job_is_can_be_seen_while_a_stage_takes_long(bench: Bench) -> None:
    """Its moves are written while the stage runs."""
    go_on = asyncio.Event()

    async def take_long(job: Job, tools: Tools) -> Outcome:
        await go_on.wait()
        return Outcome()

    job = await bench.rows.job(Stage.PARSED)

    async def is_seen() -> bool:
        return (await bench.rows.find(job.id)).stage is Stage.CHUNKING

    with stage_runs(Stage.PARSED, succeed), stage_runs(Stage.CHUNKING, take_long), stage_runs(Stage.EMBEDDING, succeed):
        run = asyncio.create_task(bench.pipeline().advance(job.id, job.stage))
        await eventually(is_seen)
        go_on.set()
        await run
    events = await bench.rows.events(job.id)
    assert told(events) == [Stage.PARSED, *AFTER_TEXT[: AFTER_TEXT.index(Stage.EMBEDDED) + 1]]
    assert [event.number for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("at", [Stage.EMBEDDING, Stage.EMBEDDED, Stage.ENTITIES_RESOLVED, Stage.RELATIONSHIPS_BUILT])
async def test_what_a_dead_worker_kept_is_done_again(bench: Bench, at: Stage) -> None:
    """The next claim goes on from what is written, over what is there already; nothing is told or made twice."""
    alone = await run_through(bench, await read_job(bench, project="another"))
    job = await read_job(bench)
    with stage_runs(at, die_after(ROWS[at].run)), pytest.raises(Killed):
        await every_queue(bench).advance(job.id, job.stage)
    left = await bench.rows.find(job.id)
    assert (left.state, left.stage) == (JobState.WORKING, Stage.PARSE_VALIDATED)
    await bench.rows.change(job.id, lease_until_in=-timedelta(seconds=1))
    await bench.sweep.sweep()
    await every_queue(bench, "another-worker").advance(job.id, job.stage)
    after = await bench.rows.find(job.id)
    assert (after.state, after.published) == (JobState.DONE, True), after.error_message
    events = [event for event in await bench.rows.events(job.id) if event.type != "page"]
    begins = [Stage.PARSE_VALIDATED] * 3  # claimed, given back, and claimed again
    assert told(events)[1:] == [*begins, *AFTER_TEXT[AFTER_TEXT.index(Stage.CHUNKING) :]]
    numbers = [event.number for event in await bench.rows.events(job.id)]
    assert numbers == list(range(1, after.last_event_number + 1))
    for made in (DocumentChunk, EntityMention, Relationship):
        assert len(await of_job(bench, made, job)) == len(await of_job(bench, made, alone)) > 0


async def test_moves_are_written_once_however_often_that_is_tried(bench: Bench) -> None:
    """As after an answer that was lost with its connection: the second try is refused, and writes nothing."""
    job = await claimed(bench, await bench.rows.job(Stage.PARSED))
    first, second = Holding(bench.tools, job), Holding(bench.tools, await bench.rows.find(job.id))
    for holding in (first, second):
        await holding.go_on(EventDraft(EventType.STAGE), stage=Stage.PARSE_VALIDATED)
        await holding.go_on(EventDraft(EventType.STAGE), stage=Stage.CHUNKING)
    await first.write()
    await first.write()
    with pytest.raises(StateConflict):
        await second.write()
    await first.end(JobState.QUEUED, EventDraft(EventType.PROGRESS))
    with pytest.raises(StateConflict):
        await second.end(JobState.QUEUED, EventDraft(EventType.PROGRESS))
    await second.let_go()
    events = await bench.rows.events(job.id)
    assert [event.number for event in events] == [1, 2, 3, 4, 5]
    assert told(events)[2:] == ["parse_validated", "chunking", "chunking"]


async def test_a_job_that_was_lost_is_not_gone_on_with(bench: Bench) -> None:
    """That the claim is over is found out when a moment is, and said at the next move; nothing of it is written."""
    job = await claimed(bench, await bench.rows.job(Stage.PARSED))
    holding = Holding(bench.tools, job)
    await holding.go_on(EventDraft(EventType.STAGE), stage=Stage.PARSE_VALIDATED)
    await bench.rows.change(job.id, fence=job.fence + 1)

    async def is_lost() -> bool:
        try:
            await holding.go_on(EventDraft(EventType.STAGE), stage=Stage.CHUNKING)
        except LeaseLost:
            return True
        return False

    await eventually(is_lost)
    assert len(await bench.rows.events(job.id)) == 2


async def test_somebody_who_asks_to_stop_is_heard_between_stages(bench: Bench) -> None:
    """What was kept by then is told, and the job ends where it had come to."""

    async def be_cancelled_and_seen(job: Job, tools: Tools) -> Outcome:
        await bench.jobs.cancel(job.project_id, job.id)
        await asyncio.sleep(1)
        return Outcome()

    job = await bench.rows.job(Stage.PARSED)
    with stage_runs(Stage.PARSED, succeed), stage_runs(Stage.CHUNKING, be_cancelled_and_seen):
        await bench.pipeline().advance(job.id, job.stage)
    after = await bench.rows.find(job.id)
    assert (after.state, after.stage) == (JobState.CANCELLED, Stage.CHUNKS_BUFFERED)
    events = await bench.rows.events(job.id)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert (events[-1].type, events[-1].payload["message"]) == ("done", "The job was cancelled.")


async def test_a_stop_that_is_seen_with_the_last_move_is_told_once(bench: Bench) -> None:
    """What is kept keeps its own events, and the move that would have the job wait becomes the one that cancels it."""
    job = await claimed(bench, await bench.rows.job(Stage.PARSED))
    holding = Holding(bench.tools, job)
    await holding.go_on(EventDraft(EventType.STAGE), stage=Stage.PARSE_VALIDATED)
    await bench.jobs.cancel(job.project_id, job.id)
    ended = await holding.end(JobState.QUEUED, EventDraft(EventType.STAGE), stage=Stage.CHUNKING)
    assert ended is not None
    assert ended.state is JobState.CANCELLED
    events = await bench.rows.events(job.id)
    assert [(event.type, event.payload["state"]) for event in events[2:]] == [
        ("action", "working"),
        ("stage", "working"),
        ("done", "cancelled"),
    ]


async def test_moves_that_the_database_refuses_were_not_made(bench: Bench) -> None:
    """The job fails where it was written last."""
    job = await claimed(bench, await bench.rows.job(Stage.PARSED))
    holding = Holding(bench.tools, job)
    await holding.go_on(EventDraft(EventType.STAGE), stage=Stage.PARSE_VALIDATED, pages_done=2, pages_total=1)
    with pytest.raises(InternalError):
        await holding.write()
    assert (holding.job.stage, holding.job.pages_done) == (Stage.PARSED, 0)
    assert await holding.end(JobState.QUEUED, EventDraft(EventType.PROGRESS)) is not None
    assert told(await bench.rows.events(job.id)) == ["parsed"] * 3


async def test_what_follows_a_move_comes_once_others_can_see_it(bench: Bench) -> None:
    """Whoever waits for a result is told of it when it is there to be found."""
    seen: list[Stage] = []

    async def look() -> None:
        seen.append((await bench.rows.find(job.id)).stage)

    job = await claimed(bench, await bench.rows.job(Stage.PARSED))
    holding = Holding(bench.tools, job)
    await holding.go_on(EventDraft(EventType.STAGE), look, stage=Stage.PARSE_VALIDATED)
    assert seen == []
    await holding.write()
    await holding.end(JobState.QUEUED, EventDraft(EventType.STAGE), look, stage=Stage.CHUNKING)
    assert seen == [Stage.PARSE_VALIDATED, Stage.CHUNKING]


async def test_what_is_paid_for_begins_when_all_is_written(bench: Bench) -> None:
    """And what it led to is written at once."""
    seen: list[Stage] = []

    async def look(job: Job, tools: Tools) -> Outcome:
        seen.append((await bench.rows.find(job.id)).stage)
        return Outcome(to=Stage.PARSED if job.stage is Stage.JOB_VALIDATED else None)

    job = await bench.rows.job()
    with stage_runs(Stage.QUEUED, succeed), stage_runs(Stage.JOB_VALIDATED, look), stage_runs(Stage.PARSED, look):
        await every_queue(bench).advance(job.id, job.stage)
    assert seen == [Stage.JOB_VALIDATED, Stage.PARSED]


def die_after(run: Run) -> Run:
    """A stage that does its work, and takes its worker with it."""

    async def die(job: Job, tools: Tools) -> Outcome:
        await run(job, tools)
        raise Killed

    return die
