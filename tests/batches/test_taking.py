"""Taking batches apart: every item becomes one job, whoever takes it, however often, and whatever dies meanwhile."""

import asyncio
from uuid import uuid4

from app.batches.drafts import BatchDraft, ItemDraft, Strictness
from app.batches.models import BatchState, ItemStatus
from app.documents.state_cache import kept_state
from app.documents.text_cache import kept_text
from app.errors import RequestInvalid
from app.jobs.states import JobState, Priority, Stage
from tests.batches.batching import BatchBench


async def test_every_item_becomes_a_job_of_the_batch(batching: BatchBench) -> None:
    """Jobs have the batch's priority and options but for those of the batch itself, and stand in the backlog."""
    options = {"stages": ["ocr"], "warm_cache": True}
    batch = await batching.of_new(5, priority=Priority.HIGH, options=options)
    assert batch.state is BatchState.QUEUED
    await batching.taking().take(batch.id)
    items = await batching.items(batch)
    assert [item.status for item in items] == [ItemStatus.TAKEN] * 5
    jobs = [item.job for item in items if item.job]
    assert {(job.batch_id, job.priority, job.state, job.stage) for job in jobs} == {
        (batch.id, Priority.HIGH, JobState.QUEUED, Stage.QUEUED)
    }
    assert all(job.options == {"stages": ["ocr"]} for job in jobs)
    assert [job.document_id for job in jobs] == [item.document_id for item in items]
    events = await batching.bench.rows.events(jobs[0].id)
    assert [(event.number, event.type, event.batch_id) for event in events] == [(1, "stage", batch.id)]
    assert (await batching.find(batch)).state is BatchState.WORKING


async def test_two_takers_make_no_doubles(batching: BatchBench) -> None:
    """A task that was delivered three times makes one job of each item."""
    batch = await batching.of_new(9)
    await asyncio.gather(*(batching.taking().take(batch.id) for _ in range(3)))
    jobs = [item.job.id for item in await batching.items(batch) if item.job]
    assert len(set(jobs)) == 9
    assert (await batching.batches.book.of(await batching.find(batch))).counts.jobs == {"queued": 9}


async def test_the_rest_is_taken_after_a_crash(batching: BatchBench) -> None:
    """What a taker had committed when it died stays, and the next one takes what is left, and nothing twice."""
    batch = await batching.of_new(5)
    assert await batching.taking()._take_slice(batch.id)
    before = [item.job.id for item in await batching.items(batch) if item.job]
    assert len(before) == 2
    await batching.taking().take(batch.id)
    jobs = [item.job.id for item in await batching.items(batch) if item.job]
    assert jobs[:2] == before
    assert len(set(jobs)) == 5


async def test_what_cannot_be_taken_is_refused_in_place(batching: BatchBench) -> None:
    """Unknown, of another project, under way, twice in the batch: each has its number, its code and a sentence."""
    rows = batching.bench.rows
    sound, foreign = await rows.document(), await rows.document(project="another")
    busy = await rows.job()
    accepted = await batching.submit(sound.id, uuid4(), foreign.id, busy.document_id, sound.id)
    assert [(each.number, each.code) for each in accepted.refused] == [
        (2, "document_not_found"), (3, "document_not_found"), (4, "state_conflict"), (5, "item_repeated"),
    ]  # fmt: skip
    assert all(each.message.endswith(".") for each in accepted.refused)
    await batching.taking().take(accepted.batch.id)
    assert [item.status for item in await batching.items(accepted.batch)] == ["taken"] + ["refused"] * 4


async def test_a_document_that_is_busy_by_now_is_refused(batching: BatchBench) -> None:
    """Between the submission and the taking somebody else may have asked for the same document."""
    document = await batching.bench.rows.document()
    batch = (await batching.submit(document.id)).batch
    await batching.bench.rows.job(document=document)
    await batching.taking().take(batch.id)
    [item] = await batching.items(batch)
    assert (item.status, item.error_code, item.job) == (ItemStatus.REFUSED, "state_conflict", None)


async def test_a_source_that_is_not_allowed_is_refused(batching: BatchBench) -> None:
    """It is found out when the item is taken, and fails that item only."""
    document = await batching.bench.rows.document()
    items = [ItemDraft(1, {"source": "s3://nobody/knows.pdf"}), ItemDraft(2, {"document_id": ""}, document.id)]
    items.append(ItemDraft(3, {"upload_id": str(uuid4())}))
    draft = BatchDraft(items, preflight=Strictness.WARN)
    batch = (await batching.batches.submit(batching.project_id, draft)).batch
    await batching.taking().take(batch.id)
    assert [(item.status, item.error_code) for item in await batching.items(batch)] == [
        ("refused", "source_not_allowed"), ("taken", None), ("refused", "upload_not_found"),
    ]  # fmt: skip


async def test_a_batch_of_which_nothing_is_sound_is_over_at_once(batching: BatchBench) -> None:
    """Nobody waits for it: it is done when it is accepted, and its event says so."""
    draft = BatchDraft([ItemDraft(1, {}, error=RequestInvalid())], preflight=Strictness.WARN)
    batch = (await batching.batches.submit(batching.project_id, draft)).batch
    assert (batch.state, batch.percent, batch.finished_at is None) == (BatchState.DONE, 100, False)
    assert await batching.codes(batch) == ["batch_submitted", "batch_done"]
    assert not await batching.rung_for()


async def test_a_cancelled_batch_is_not_taken(batching: BatchBench) -> None:
    """A task that comes after the cancel makes no job."""
    batch = await batching.of_new(3)
    await batching.batches.cancel(batching.project_id, batch.id)
    await batching.taking().take(batch.id)
    assert {item.status for item in await batching.items(batch)} == {ItemStatus.CANCELLED}


async def test_caches_are_warm_before_work_starts(batching: BatchBench) -> None:
    """Documents that were read before have their state and text in Redis, under the run that these are of."""
    rows, redis = batching.bench.rows, batching.bench.tools.redis
    job = await rows.job(state=JobState.DONE)
    batch = (await batching.submit(job.document_id, options={"warm_cache": True})).batch
    await batching.taking().take(batch.id)
    kept = await kept_state(redis, job.document_id)
    assert kept is not None
    assert kept.is_of(job)
    assert kept.state["last_update"]["stage"] == "finalized"
    assert await kept_text(redis, job.document_id, uuid4()) is None
