"""How batches go on and end: rung for, counted, cancelled, tried again, and over when their last item is."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.batches import repository as batch_rows
from app.batches.drafts import Strictness
from app.batches.models import Batch, BatchState, ItemStatus
from app.batches.progress import progress_key
from app.errors import BatchNotFound, NoWorkers, StateConflict
from app.events import Event
from app.jobs import repository
from app.jobs.states import JobState, Priority, Stage
from tests.batches.batching import BatchBench
from tests.bench import WORKER


async def taken(batching: BatchBench, count: int) -> Batch:
    """A batch whose items all have jobs."""
    batch = await batching.of_new(count)
    await batching.taking().take(batch.id)
    return await batching.find(batch)


async def end_jobs(batching: BatchBench, batch: Batch, state: JobState, most: int = 1000, **columns: Any) -> None:
    """End some jobs of a batch that wait, as a worker would."""
    waiting = [item.job for item in await batching.items(batch) if item.job and item.job.state is JobState.QUEUED]
    async with batching.bench.tools.sessions.begin() as session:
        for job in waiting[:most]:
            lease = timedelta(minutes=1)
            claimed = await repository.claim(session, job.id, job.stage, worker=WORKER, lease=lease)
            assert claimed is not None
            if state is JobState.DONE:
                columns["stage"] = Stage.FINALIZED
            await repository.transition(session, job.id, state, fence=claimed.fence, **columns)


async def test_the_sweep_rings_for_what_nobody_takes(batching: BatchBench) -> None:
    """Whatever became of the first ring, the batch is rung for again, and for one chance once."""
    batch = await batching.of_new(3, priority=Priority.LOW)
    assert len(await batching.rung_for("low")) == 1
    await batching.bench.tools.redis.flushdb()
    for _ in range(2):
        await batching.sweep()
        assert len(await batching.rung_for("low")) == 1
    await batching.taking(slice_items=1)._take_slice(batch.id)
    await batching.bench.tools.redis.flushdb()
    await batching.sweep()
    assert not await batching.rung_for("low")  # somebody was at it a moment ago


async def test_a_batch_is_done_when_its_last_job_is(batching: BatchBench) -> None:
    """Failures count as ends; the event says what became of the items."""
    batch = await taken(batching, 3)
    await end_jobs(batching, batch, JobState.DONE, most=2)
    await batching.sweep()
    assert (await batching.find(batch)).state is BatchState.WORKING
    await end_jobs(batching, batch, JobState.DEADLETTER, error_code="ocr_failed")
    await batching.sweep()
    await batching.sweep()
    done = await batching.find(batch)
    assert (done.state, done.percent, done.finished_at is None) == (BatchState.DONE, 100, False)
    assert await batching.codes(batch) == ["batch_submitted", "batch_done"]
    async with batching.bench.tools.sessions() as session:
        event = await session.scalar(select(Event).where(Event.batch_id == batch.id, Event.code == "batch_done"))
    assert event is not None
    assert event.payload == {
        "items": {"taken": 3}, "jobs": {"done": 2, "deadletter": 1}, "errors": {"ocr_failed": 1},
    }  # fmt: skip


async def test_progress_is_counted_once_for_all_who_ask(batching: BatchBench) -> None:
    """The second answer is the first one's; where Redis has lost it, it is counted anew, and never falls."""
    batch = await taken(batching, 4)
    await end_jobs(batching, batch, JobState.DONE, most=1, pages_total=3, pages_done=3, cost_microdollars=4500)
    first = await batching.batches.progress(batch)
    assert (first.percent, first.counts.pages_done, first.counts.cost_microdollars) == (25, 3, 4500)
    assert first.counts.jobs == {"done": 1, "queued": 3}
    assert first.counts.stages == {"queued": 3}
    assert first.estimated_finish_at is not None
    await end_jobs(batching, batch, JobState.DONE, most=1)
    assert await batching.batches.progress(batch) == first
    assert await batching.bench.tools.redis.exists(progress_key(batch.id))
    await batching.bench.tools.redis.flushdb()
    second = await batching.batches.progress(await batching.find(batch))
    assert second.percent == 50
    assert (await batching.find(batch)).percent == 50


async def test_cancel_stops_everything_once(batching: BatchBench) -> None:
    """What waits is cancelled at once, what is being worked on is asked to stop; again, it changes nothing."""
    batch = await batching.of_new(4)
    await batching.taking(slice_items=2)._take_slice(batch.id)
    [first, *_] = [item.job for item in await batching.items(batch) if item.job]
    async with batching.bench.tools.sessions.begin() as session:
        await repository.claim(session, first.id, first.stage, worker=WORKER, lease=timedelta(minutes=1))
    told = await batching.batches.cancel(batching.project_id, batch.id)
    assert (told.state, told.cancel_requested_at is None) == (BatchState.WORKING, False)
    found = await batching.items(batch)
    assert [item.status for item in found] == ["taken", "taken", "cancelled", "cancelled"]
    assert [item.job.state for item in found if item.job] == ["working", "cancelled"]
    working = await batching.bench.rows.find(first.id)
    assert working.cancel_requested_at is not None
    async with batching.bench.tools.sessions.begin() as session:
        await repository.transition(session, first.id, JobState.QUEUED, fence=working.fence)
    await batching.sweep()
    again = await batching.batches.cancel(batching.project_id, batch.id)
    assert again.state is BatchState.CANCELLED
    assert await batching.codes(batch) == ["batch_submitted", "batch_cancelled", "batch_cancelled"]
    with pytest.raises(StateConflict):
        await batching.batches.retry(batching.project_id, batch.id)


async def test_the_sweep_finishes_a_cancel_that_was_cut_off(batching: BatchBench) -> None:
    """The API process may die after it has written the wish down."""
    batch = await taken(batching, 3)
    async with batching.bench.tools.sessions.begin() as session:
        await batch_rows.change(session, batch.id, cancel_requested_at=func.now())
    await batching.sweep()
    await batching.sweep()
    assert (await batching.find(batch)).state is BatchState.CANCELLED
    assert {item.job.state for item in await batching.items(batch) if item.job} == {JobState.CANCELLED}


async def test_retry_runs_what_failed_and_nothing_else(batching: BatchBench) -> None:
    """Jobs that were given up wait again with a fresh budget; the batch is at work again, and ends again."""
    batch = await taken(batching, 3)
    await end_jobs(batching, batch, JobState.DONE, most=1)
    await end_jobs(batching, batch, JobState.DEADLETTER, error_code="internal_error", attempts=8)
    await batching.sweep()
    again, retried = await batching.batches.retry(batching.project_id, batch.id)
    assert (again.state, retried, again.percent) == (BatchState.WORKING, 2, 0)
    jobs = [item.job for item in await batching.items(batch) if item.job]
    assert [(job.state, job.attempts, job.error_code) for job in jobs] == [
        ("done", 0, None), ("queued", 0, None), ("queued", 0, None),
    ]  # fmt: skip
    assert (await batching.batches.retry(batching.project_id, batch.id))[1] == 0
    await end_jobs(batching, batch, JobState.DONE)
    await batching.sweep()
    assert (await batching.find(batch)).state is BatchState.DONE
    assert await batching.codes(batch) == ["batch_submitted", "batch_done", "batch_retried", "batch_done"]
    with pytest.raises(StateConflict):
        await batching.batches.cancel(batching.project_id, batch.id)


async def test_a_retry_of_one_job_opens_its_batch(batching: BatchBench) -> None:
    """A batch that is done is at work again, until that job has ended."""
    batch = await taken(batching, 1)
    await end_jobs(batching, batch, JobState.DEADLETTER, error_code="internal_error")
    await batching.sweep()
    [item] = await batching.items(batch)
    assert item.job is not None
    await batching.bench.jobs.retry(batching.project_id, item.job.id)
    assert (await batching.find(batch)).state is BatchState.WORKING


async def test_items_that_were_refused_for_now_are_taken_by_a_retry(batching: BatchBench) -> None:
    """A document that was busy is free some time; one that isn't there never is."""
    busy = await batching.bench.rows.job()
    accepted = await batching.submit(busy.document_id)
    await batching.bench.jobs.cancel(batching.project_id, busy.id)
    _, retried = await batching.batches.retry(batching.project_id, accepted.batch.id)
    assert retried == 1
    await batching.taking().take(accepted.batch.id)
    [item] = await batching.items(accepted.batch)
    assert (item.status, item.error_code) == (ItemStatus.TAKEN, None)


async def test_nobody_serves_the_queue(batching: BatchBench) -> None:
    """`require` refuses, names the queues, and raises an alert once; `warn` accepts, and says the same."""
    with pytest.raises(NoWorkers, match=r"batch\.high, ocr, text, default; start one"):
        await batching.submit(
            (await batching.bench.rows.document()).id,
            priority=Priority.HIGH,
            options={"stages": ["ocr"]},
            preflight=Strictness.REQUIRE,
        )
    batch = await batching.of_new(1, priority=Priority.HIGH, options={"stages": ["ocr"]})
    assert [(each["code"], each["queues"]) for each in batch.warnings] == [
        ("no_workers", ["batch.high", "ocr", "text", "default"])
    ]
    async with batching.bench.tools.sessions() as session:
        alerts = (await session.scalars(select(Event).where(Event.type == "alert").order_by(Event.id))).all()
    assert [(event.code, event.payload["subject"]) for event in alerts] == [
        ("queue_unserved", queue) for queue in ("batch.high", "ocr", "text", "default")
    ]


async def test_a_batch_of_another_project_is_not_there(batching: BatchBench) -> None:
    """Whatever is asked of it."""
    batch = await batching.of_new(1)
    stranger = await batching.bench.rows.project("another")
    for ask in (batching.batches.find, batching.batches.cancel, batching.batches.retry):
        with pytest.raises(BatchNotFound):
            await ask(stranger, batch.id)
