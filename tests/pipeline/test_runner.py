"""The runner: it carries a job as far as its queue goes, and every way for a stage to end has its move."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from app.errors import OcrFailed
from app.jobs.models import Job
from app.jobs.states import JobState, Priority, Stage
from app.pipeline.carried import AT_MOST
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.runner import SHORT_PAGES, Pipeline
from app.pipeline.stages import ROWS
from app.queue import QueueName, queue_key
from app.turns import URGENT
from tests.bench import WORKER, Bench, eventually
from tests.documents import letter

Run = Callable[[Job, Tools], Awaitable[Outcome]]


@contextmanager
def stage_runs(stage: Stage, run: Run) -> Iterator[None]:
    """Have something else run from a stage: the table is data, and this is its only other row."""
    row = ROWS[stage]
    ROWS[stage] = replace(row, run=run)
    try:
        yield
    finally:
        ROWS[stage] = row


async def test_stages_of_one_queue_run_without_a_hop(bench: Bench) -> None:
    """From the first stage to the started Textract job it is one task, with a commit and an event between."""
    job = await bench.rows.job(document=await bench.rows.document(letter("one", "two")))
    after = await bench.advance(job)
    assert (after.stage, after.state, after.pages_total) == (Stage.PARSING, JobState.QUEUED, 2)
    assert [(event.payload["stage"], event.payload["state"]) for event in await bench.rows.events(job.id)] == [
        ("queued", "queued"),
        ("queued", "working"),
        ("job_validated", "working"),
        ("parsing", "queued"),
    ]
    assert set(after.stage_timings) == {"queued", "job_validated"}


async def test_a_brief_stage_runs_on_in_the_task_that_brought_the_job(bench: Bench) -> None:
    """Where the process serves its queue; one that serves others alone rings for it, and a long stage waits in its own queue."""
    text_alone = {"stages": ["ocr"]}
    last = ROWS[Stage.RELATIONSHIPS_BUILT]
    for queues, is_brief, state in (
        ([QueueName.TEXT, QueueName.DEFAULT], True, JobState.DONE),
        ([QueueName.TEXT, QueueName.DEFAULT], False, JobState.QUEUED),
        ([QueueName.TEXT], True, JobState.QUEUED),
    ):
        job = await bench.rows.job(Stage.PARSED, options=text_alone)
        with stage_runs(Stage.PARSED, succeed), stage_runs(last.stage, succeed):
            ROWS[last.stage] = replace(ROWS[last.stage], is_brief=is_brief)
            await Pipeline(bench.tools, bench.queue, WORKER, queues).advance(job.id, job.stage)
        assert (await bench.rows.find(job.id)).state is state


@pytest.mark.parametrize(
    ("pages", "queues", "state"),
    [
        (SHORT_PAGES, [QueueName.ENTITY, QueueName.GRAPH, QueueName.DEFAULT], JobState.DONE),
        (SHORT_PAGES + 1, [QueueName.ENTITY, QueueName.GRAPH, QueueName.DEFAULT], JobState.QUEUED),
        (SHORT_PAGES, [QueueName.ENTITY, QueueName.DEFAULT], JobState.QUEUED),
    ],
)
async def test_a_short_document_runs_on_through_the_queues_of_its_process(
    bench: Bench, pages: int, queues: list[QueueName], state: JobState
) -> None:
    """With a commit and an event between the stages; a long one waits in the next queue, as where another process serves it."""
    job = await bench.rows.job(Stage.EMBEDDED, pages_total=pages, pages_done=pages)
    with ExitStack() as stages:
        for stage in list(Stage)[list(Stage).index(Stage.EMBEDDED) : -1]:
            stages.enter_context(stage_runs(stage, succeed))
        await Pipeline(bench.tools, bench.queue, WORKER, queues).advance(job.id, job.stage)
    after = await bench.rows.find(job.id)
    assert after.state is state
    told = [event.payload["stage"] for event in await bench.rows.events(job.id)]
    assert told[-1] == ("finalized" if state is JobState.DONE else "entities_resolved")
    assert len(told) == len(set(told)) + 1  # the first is told when it is made, and when it is claimed


async def test_what_collects_results_is_free_for_the_next(bench: Bench) -> None:
    """What follows goes on beside it, under the same claim, while others are collected."""
    go_on = asyncio.Event()

    async def wait(job: Job, tools: Tools) -> Outcome:
        await go_on.wait()
        return Outcome()

    job = await bench.rows.job(Stage.PARSING, pages_total=1, pages_done=1, textract_job_status="SUCCEEDED")
    pipeline = Pipeline(bench.tools, bench.queue, WORKER, [QueueName.OCR, QueueName.TEXT])
    with ExitStack() as stages:
        for stage, run in {Stage.PARSING: succeed, Stage.PARSED: succeed, Stage.CHUNKING: wait}.items():
            stages.enter_context(stage_runs(stage, run))
        stages.enter_context(stage_runs(Stage.EMBEDDING, succeed))
        await pipeline.advance(job.id, job.stage)
        assert pipeline.running == {job.id: 1}
        go_on.set()
        await pipeline.carried.stop(within_seconds=20)
    assert pipeline.running == {}
    after = await bench.rows.find(job.id)
    assert (after.stage, after.state, after.fence) == (Stage.EMBEDDED, JobState.QUEUED, 1)


@pytest.mark.parametrize(("priority", "room"), [("normal", AT_MOST), ("high", AT_MOST + URGENT)])
async def test_what_there_is_no_room_for_goes_by_way_of_the_queue(bench: Bench, priority: str, room: int) -> None:
    """From there any process takes it; those that are urgent have places of their own."""
    pipeline = Pipeline(bench.tools, bench.queue, WORKER, list(QueueName))
    for number in range(room + 1):
        assert pipeline.carried.has_room(Priority(priority)) is (number < room)
        if number < room:
            pipeline.carried.begin(asyncio.sleep(60))
    job = await bench.rows.job(Stage.PARSING, pages_done=1, textract_job_status="SUCCEEDED", priority=priority)
    with stage_runs(Stage.PARSING, succeed), stage_runs(Stage.PARSED, succeed), stage_runs(Stage.CHUNKING, fail):
        await pipeline.advance(job.id, job.stage)
    after = await bench.rows.find(job.id)
    assert (after.stage, after.state) == (Stage.PARSE_VALIDATED, JobState.QUEUED)
    await pipeline.carried.stop(within_seconds=0)


async def test_what_a_worker_that_stops_goes_on_with_is_given_back(bench: Bench) -> None:
    """At no cost, with all moves that were kept; and it begins nothing more."""
    began = asyncio.Event()

    async def begin(job: Job, tools: Tools) -> Outcome:
        began.set()
        await asyncio.sleep(60)
        return Outcome()

    pipeline = Pipeline(bench.tools, bench.queue, WORKER, list(QueueName))
    job = await bench.rows.job(Stage.PARSING, pages_total=1, pages_done=1, textract_job_status="SUCCEEDED")
    with stage_runs(Stage.PARSING, succeed), stage_runs(Stage.PARSED, succeed), stage_runs(Stage.CHUNKING, begin):
        await pipeline.advance(job.id, job.stage)
        await began.wait()
        await pipeline.carried.stop(within_seconds=0)
    after = await bench.rows.find(job.id)
    assert (after.stage, after.state, after.attempts) == (Stage.CHUNKING, JobState.QUEUED, 0)
    told = [event.payload["stage"] for event in await bench.rows.events(job.id)]
    assert told == ["parsing", "parsing", "parsed", "parse_validated", "chunking", "chunking"]
    assert pipeline.running == {}
    assert not pipeline.carried.has_room(Priority.HIGH)


async def test_the_next_queue_is_rung_for(bench: Bench) -> None:
    """A job that moves on to another queue waits there, with a task of its own and an id that says for what."""
    with stage_runs(Stage.PARSED, succeed):
        after = await bench.advance(await bench.rows.job(Stage.PARSED))
    assert (after.stage, after.state) == (Stage.EMBEDDED, JobState.QUEUED)
    (task,) = await bench.queue.redis.zrange(queue_key(ROWS[Stage.EMBEDDED].queue), 0, -1)
    assert task.decode().startswith(f"extract_entities:{after.id}:{after.fence}:0:")


async def test_the_last_stage_ends_the_job(bench: Bench) -> None:
    """A finalized job is done, with an event of its own, and whatever a doubled task does, it stays so."""
    job = await bench.rows.job(Stage.RELATIONSHIPS_BUILT)
    await asyncio.gather(*(bench.pipeline(f"w{number}").advance(job.id, job.stage) for number in range(5)))
    after = await bench.rows.find(job.id)
    assert (after.state, after.stage, after.finished_at is not None) == (JobState.DONE, Stage.FINALIZED, True)
    assert [event.type for event in await bench.rows.events(job.id)] == ["stage", "stage", "done"]


async def test_cancelling_while_a_stage_runs_stops_before_the_next(bench: Bench) -> None:
    """The stage that is under way finishes, and the next one never begins."""

    async def be_cancelled_meanwhile(job: Job, tools: Tools) -> Outcome:
        await bench.jobs.cancel(job.project_id, job.id)
        return Outcome()

    for stage in (
        Stage.QUEUED,
        Stage.ENTITIES_RESOLVED,
    ):  # one goes on in its queue, the other would wait for another queue
        with stage_runs(stage, be_cancelled_meanwhile), stage_runs(Stage.JOB_VALIDATED, fail):
            after = await bench.advance(await bench.rows.job(stage))
        assert (after.state, after.stage) == (JobState.CANCELLED, ROWS[stage].to)
        assert (await bench.rows.events(after.id))[-1].type == "done"


async def test_a_stage_that_takes_too_long_is_cut_off(bench: Bench) -> None:
    """It counts as an attempt, and is tried again."""

    async def hang(job: Job, tools: Tools) -> Outcome:
        await asyncio.sleep(60)
        return Outcome()

    tools = replace(bench.tools, settings=bench.settings.model_copy(update={"stage_timeout_seconds": 0.1}))
    job = await bench.rows.job(Stage.PARSED)
    with stage_runs(Stage.PARSED, hang):
        await Pipeline(tools, bench.queue, WORKER).advance(job.id, job.stage)
    after = await bench.rows.find(job.id)
    assert (after.state, after.attempts, after.error_code) == (JobState.RETRYABLE, 1, "stage_timeout")


async def test_a_defect_is_tried_again_and_then_given_up(bench: Bench) -> None:
    """An exception that nobody foresaw ends as internal_error, names the stage, and shows nothing of its insides."""

    async def crash(job: Job, tools: Tools) -> Outcome:
        raise LookupError("secrets of the house")

    job = await bench.rows.job(Stage.PARSED)
    with stage_runs(Stage.PARSED, crash):
        for attempt in range(1, 5):
            await bench.rows.change(job.id, next_attempt_at=job.created_at)
            after = await bench.advance(job)
            assert after.attempts == attempt
            assert after.state is (JobState.RETRYABLE if attempt < 4 else JobState.DEADLETTER)
    assert (after.error_code, after.error_stage, after.error_retryable) == ("internal_error", Stage.PARSED, True)
    assert after.error_message is not None
    assert "secrets" not in after.error_message


async def test_a_success_clears_what_failed_before(bench: Bench) -> None:
    """The next stage starts with all its attempts, and the job tells of no error any more."""
    job = await bench.rows.job(Stage.PARSED, JobState.RETRYABLE, attempts=3, error_message="It failed.")
    with stage_runs(Stage.PARSED, succeed):
        after = await bench.advance(job)
    assert (after.attempts, after.error_code, after.error_message) == (0, None, None)


async def test_an_outcome_that_the_database_refuses_is_a_failure(bench: Bench) -> None:
    """A write that breaks a constraint isn't repeated for ever, nor is the job left hanging."""

    async def claim_too_much(job: Job, tools: Tools) -> Outcome:
        return Outcome(changes={"pages_done": 2, "pages_total": 1})

    with stage_runs(Stage.PARSED, claim_too_much):
        after = await bench.advance(await bench.rows.job(Stage.PARSED))
    assert (after.state, after.error_code) == (JobState.RETRYABLE, "internal_error")


async def test_a_task_that_is_cancelled_gives_its_job_back(bench: Bench) -> None:
    """A worker that stops loses no time and costs no attempt: the job is due at once."""
    began = asyncio.Event()

    async def begin(job: Job, tools: Tools) -> Outcome:
        began.set()
        await asyncio.sleep(60)
        return Outcome()

    job = await bench.rows.job(Stage.PARSED, attempts=2)
    pipeline = bench.pipeline()
    with stage_runs(Stage.PARSED, begin):
        task = asyncio.create_task(pipeline.advance(job.id, job.stage))
        await began.wait()
        assert list(pipeline.running) == [job.id]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    after = await bench.rows.find(job.id)
    assert (after.state, after.attempts, after.claimed_by) == (JobState.QUEUED, 2, None)
    assert pipeline.running == {}


async def test_a_lease_that_was_lost_and_won_again_is_renewed(bench: Bench) -> None:
    """A process that was suspended may claim its own job anew while the old run still ends: only the old run is forgotten."""
    runs: list[asyncio.Event] = []

    async def wait(job: Job, tools: Tools) -> Outcome:
        runs.append(asyncio.Event())
        await runs[-1].wait()
        return Outcome()

    job, pipeline = await bench.rows.job(Stage.PARSED), bench.pipeline()
    with stage_runs(Stage.PARSED, wait):
        old = asyncio.create_task(pipeline.advance(job.id, job.stage))
        await eventually(lambda: asyncio.sleep(0, len(runs) == 1))
        await bench.rows.change(job.id, state="queued", claimed_by=None, lease_until=None)
        new = asyncio.create_task(pipeline.advance(job.id, job.stage))
        await eventually(lambda: asyncio.sleep(0, len(runs) == 2))
        runs[0].set()
        await old
        assert pipeline.running == {job.id: 2}
        runs[1].set()
        await new
    assert pipeline.running == {}
    assert (await bench.rows.find(job.id)).stage is Stage.EMBEDDED
    assert len(await bench.rows.events(job.id)) == 8


async def succeed(job: Job, tools: Tools) -> Outcome:
    """A stage that has nothing to do."""
    return Outcome()


async def fail(job: Job, tools: Tools) -> Outcome:
    """A stage that must not be run."""
    raise OcrFailed("This stage was not to be run.")


@pytest.mark.parametrize("stage", [Stage.PARSED, Stage.FINALIZED])
async def test_a_task_for_a_job_that_is_not_there_is_harmless(bench: Bench, stage: Stage) -> None:
    """Neither a job that is gone nor one that has gone on is touched."""
    done = await bench.rows.job(Stage.FINALIZED, JobState.DONE)
    await bench.pipeline().advance(done.id, stage)
    await bench.pipeline().advance(done.document_id, stage)
    assert (await bench.rows.find(done.id)).last_event_number == 1
