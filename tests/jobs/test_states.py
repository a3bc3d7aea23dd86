"""Moves between states, against the real database: the legal ones, the illegal ones, and who may make them."""

import asyncio
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.db import new_id
from app.errors import JobNotFound, LeaseLost, StateConflict
from app.events import EventDraft, EventType
from app.jobs import repository
from app.jobs.models import Job
from app.jobs.states import LIVE_STATES, SOURCES, TERMINAL_STATES, JobState, Stage
from tests.bench import WORKER, Bench, standing

LEASE = timedelta(seconds=20)
MOVES = list(product(JobState, JobState))


async def move(bench: Bench, job: Job, state: JobState, **said: Any) -> Job:
    """One transition in a transaction of its own."""
    async with bench.tools.sessions.begin() as session:
        return await repository.transition(session, job.id, state, **said)


async def claim(bench: Bench, job: Job, worker: str = WORKER) -> Job | None:
    """One claim in a transaction of its own."""
    async with bench.tools.sessions.begin() as session:
        return await repository.claim(session, job.id, job.stage, worker=worker, lease=LEASE)


def columns_for(state: JobState) -> dict[str, Any]:
    """What a move to a state has to bring along."""
    columns = standing(Stage.FINALIZED if state is JobState.DONE else Stage.PARSED, state)
    return {name: value for name, value in columns.items() if name not in {"state", "finished_at", "fence"}}


async def test_every_move_is_made_or_refused_as_the_table_says(bench: Bench) -> None:
    """All 36 moves: a legal one writes one event with the next number, an illegal one writes nothing at all."""
    document = await bench.rows.document()
    for source, target in MOVES:
        job = await bench.rows.job(Stage.PARSED, source, document=document)
        if source in SOURCES[target]:
            moved = await move(bench, job, target, **columns_for(target))
            assert (moved.state, moved.last_event_number) == (target, 2), (source, target)
            assert [event.number for event in await bench.rows.events(job.id)] == [1, 2]
        else:
            with pytest.raises(StateConflict):
                await move(bench, job, target, **columns_for(target))
            after = await bench.rows.find(job.id)
            assert (after.state, after.updated_at, after.last_event_number) == (source, job.updated_at, 1)
            assert len(await bench.rows.events(job.id)) == 1


def test_what_has_ended_stays_ended() -> None:
    """From `done` no state is reached, and from any ended state only `queued`; what lives can be cancelled."""
    reached = {source: {state for state in JobState if source in SOURCES[state]} for source in TERMINAL_STATES}
    assert reached[JobState.DONE] == set()
    assert all(states <= {JobState.QUEUED} for states in reached.values())
    assert SOURCES[JobState.CANCELLED] == LIVE_STATES


async def test_a_move_and_its_event_are_rolled_back_together(bench: Bench) -> None:
    """A transaction that fails after the move leaves neither the new state nor its event."""
    job = await bench.rows.job()
    with pytest.raises(ZeroDivisionError):
        async with bench.tools.sessions.begin() as session:
            await repository.transition(session, job.id, JobState.CANCELLED)
            raise ZeroDivisionError
    assert (await bench.rows.find(job.id)).state is JobState.QUEUED
    assert [event.number for event in await bench.rows.events(job.id)] == [1]


async def test_the_event_says_where_the_job_is(bench: Bench) -> None:
    """An event carries the stage, the state and the attempts that the move led to, beside what was said of it."""
    job = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    draft = EventDraft(EventType.RETRY, {"message": "again"}, code="stage_timeout")
    await move(bench, job, JobState.RETRYABLE, event=draft, attempts=3, error_code="stage_timeout")
    event = (await bench.rows.events(job.id))[-1]
    assert event.payload == {"stage": "parsed", "state": "retryable", "attempts": 3, "message": "again"}
    assert (event.type, event.code, event.document_id) == ("retry", "stage_timeout", job.document_id)


async def test_an_outcome_under_an_old_fence_changes_nothing(bench: Bench) -> None:
    """A worker whose job was claimed by another one is told so, and writes nothing."""
    job = await bench.rows.job(Stage.PARSED)
    old = await claim(bench, job)
    assert old is not None
    await bench.rows.change(job.id, state="queued", claimed_by=None, lease_until=None)
    new = await claim(bench, job, "another")
    assert new is not None
    with pytest.raises(LeaseLost):
        await move(bench, job, JobState.QUEUED, fence=old.fence, stage=Stage.PARSE_VALIDATED)
    async with bench.tools.sessions() as session:
        with pytest.raises(LeaseLost):
            await repository.append_events(session, old, [EventDraft(EventType.PAGE)])
    after = await bench.rows.find(job.id)
    assert (after.stage, after.claimed_by, after.last_event_number) == (Stage.PARSED, "another", new.last_event_number)


async def test_a_worker_whose_job_was_given_back_can_change_nothing(bench: Bench) -> None:
    """From the moment a lease has run out and the job waits again, its last holder's outcome doesn't count."""
    job = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    await move(bench, job, JobState.QUEUED)
    seen: dict[str, Any] = {"fence": job.fence, "at_stage": job.stage, "at_state": JobState.WORKING}
    with pytest.raises(StateConflict):
        await move(bench, job, JobState.QUEUED, stage=Stage.PARSE_VALIDATED, **seen)
    assert (await bench.rows.find(job.id)).stage is Stage.PARSED


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.WORKING, JobState.RETRYABLE, JobState.DONE])
async def test_the_same_move_is_refused_the_second_time(bench: Bench, state: JobState) -> None:
    """An outcome that was committed, but whose answer got lost, isn't written twice."""
    job = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    said: dict[str, Any] = {"fence": job.fence, "at_stage": job.stage, "at_state": JobState.WORKING, "attempts": 0}
    said["stage"] = Stage.FINALIZED if state is JobState.DONE else Stage.PARSE_VALIDATED
    if state is JobState.RETRYABLE:
        said |= {"stage": Stage.PARSED, "error_code": "internal_error"}
    await move(bench, job, state, **said)
    with pytest.raises(StateConflict):
        await move(bench, job, state, **said)
    assert [event.number for event in await bench.rows.events(job.id)] == [1, 2]


async def test_a_job_that_is_gone_is_not_found(bench: Bench) -> None:
    """A move of a job that isn't there has an error of its own."""
    async with bench.tools.sessions() as session:
        with pytest.raises(JobNotFound):
            await repository.transition(session, new_id(), JobState.CANCELLED)


async def test_one_of_fifty_claimers_gets_the_job(bench: Bench) -> None:
    """However many workers were rung for a job, one has it, under a fence that was raised once."""
    job = await bench.rows.job()
    claims = await asyncio.gather(*(claim(bench, job, f"worker {number}") for number in range(50)))
    got = [each for each in claims if each is not None]
    assert len(got) == 1
    after = await bench.rows.find(job.id)
    assert (after.claimed_by, after.fence, after.last_event_number) == (got[0].claimed_by, 1, 2)


@pytest.mark.parametrize(
    "columns",
    [
        {"next_attempt_at_in": timedelta(seconds=5)},
        {"cancel_requested_at_in": timedelta(0)},
        {"stage": Stage.PARSED},
        {"state": "cancelled", "finished_at_in": timedelta(0)},
        {"state": "working", "claimed_by": "another", "lease_until_in": LEASE},
    ],
    ids=["not due", "to be cancelled", "at another stage", "ended", "taken"],
)
async def test_a_claim_leaves_alone_what_is_not_there_to_be_taken(bench: Bench, columns: dict[str, Any]) -> None:
    """A task that comes too early, too late or twice takes nothing, and that is no error."""
    job = await bench.rows.job()
    await bench.rows.change(job.id, **columns)
    assert await claim(bench, job) is None
    assert (await bench.rows.find(job.id)).last_event_number == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "working"},
        {"claimed_by": "somebody"},
        {"state": "done", "finished_at_in": timedelta(0)},
        {"state": "cancelled"},
        {"state": "retryable"},
        {"stage": "parsing", "textract_job_id": None},
        {"stage": "unheard of"},
        {"state": "unheard of"},
        {"priority": "urgent"},
        {"attempts": -1},
        {"pages_done": 3, "pages_total": 2},
    ],
    ids=str,
)
async def test_the_database_refuses_what_can_not_be(bench: Bench, columns: dict[str, Any]) -> None:
    """The CHECK constraints hold, whoever writes."""
    job = await bench.rows.job()
    with pytest.raises(IntegrityError, match="CheckViolation"):
        await bench.rows.change(job.id, **columns)


async def test_cancelling_a_waiting_job_ends_it_at_once(bench: Bench) -> None:
    """A job that nobody works on is cancelled in the same breath, and cancelling it again changes nothing."""
    job = await bench.rows.job()
    cancelled = await bench.jobs.cancel(job.project_id, job.id)
    assert (cancelled.state, cancelled.last_event_number) == (JobState.CANCELLED, 2)
    assert (await bench.jobs.cancel(job.project_id, job.id)).last_event_number == 2
    assert (await bench.rows.events(job.id))[-1].type == EventType.DONE


async def test_cancelling_meets_a_job_that_changes_hands(bench: Bench) -> None:
    """A job that is claimed while somebody cancels it is cancelled, or flagged for its worker; never a conflict."""
    for _ in range(10):
        job = await bench.rows.job(Stage.PARSED)
        taken, cancelled = await asyncio.gather(claim(bench, job), bench.jobs.cancel(job.project_id, job.id))
        assert cancelled.state is JobState.CANCELLED or (taken and cancelled.cancel_requested_at)


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RETRYABLE])
async def test_a_job_that_is_to_be_cancelled_does_not_wait(bench: Bench, state: JobState) -> None:
    """What a worker lets go of after somebody asked to stop it is cancelled: no claim would ever take it."""
    job = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    flagged = await bench.jobs.cancel(job.project_id, job.id)
    assert (flagged.state, flagged.cancel_requested_at is not None) == (JobState.WORKING, True)
    moved = await move(bench, job, state, fence=job.fence, error_code="internal_error")
    assert moved.state is JobState.CANCELLED
    said = [(event.type, event.payload["state"]) for event in await bench.rows.events(job.id)]
    assert said == [("stage", "working"), ("action", "working"), ("done", "cancelled")]
