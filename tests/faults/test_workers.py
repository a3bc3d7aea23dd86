"""Real worker processes that are killed, hung and cut off: every job ends, and ends once."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from app.config import Settings
from app.events import EventType
from app.jobs.models import Job
from app.jobs.presence import live_workers
from app.jobs.states import JobState, Stage
from tests.bench import Bench, eventually
from tests.documents import letter
from tests.faults.nursery import a_nursery
from tests.ocr.textract import FakeTextract, document_of
from tests.workers.running import a_worker
from workers.main import serving


async def submitted(bench: Bench, count: int, stage: Stage = Stage.JOB_VALIDATED, *, after: int = 0) -> list[Job]:
    """Jobs over documents of two pages, each with a text of its own."""
    documents = [await bench.rows.document(letter(f"one of {number}", "two")) for number in range(after, after + count)]
    return [await bench.rows.job(stage, document=document, pages_total=2) for document in documents]


async def each_ends_once(bench: Bench, fake: FakeTextract, jobs: Sequence[Job]) -> None:
    """Every job is done with one done event, events without gaps, its pages once, and one Textract job that was paid."""

    for job in await all_ended(bench, jobs):
        assert job.state is JobState.DONE, (job.error_code, job.error_message)
        events = await bench.rows.events(job.id)
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert Counter(event.type for event in events)[EventType.DONE] == 1
        assert sorted(event.payload["page"] for event in events if event.type == "page") == [1, 2]
        assert [page.number for page in await bench.rows.pages(job.id)] == [1, 2]
    assert len(fake.jobs) == len(jobs)


async def all_ended(bench: Bench, jobs: Sequence[Job]) -> list[Job]:
    """The jobs once all have ended; fails the test, and says where they are, where they don't."""
    deadline = time.monotonic() + 90
    while True:
        now = [await bench.rows.find(job.id) for job in jobs]
        if all(job.finished_at is not None for job in now):
            return now
        where = [(job.stage, job.state, job.fence, job.rings, job.rung_at) for job in now if job.finished_at is None]
        assert time.monotonic() < deadline, where
        await asyncio.sleep(0.1)


async def workers_there(bench: Bench, count: int) -> None:
    """Wait until so many workers have said that they are there."""

    async def are_there() -> bool:
        return len(await live_workers(bench.tools.sessions)) >= count

    await eventually(are_there, within_seconds=40)


async def under_way(bench: Bench, fake: FakeTextract, jobs: Sequence[Job]) -> list[Job]:
    """The jobs, once Textract was asked to start all of them, and before it has answered."""

    async def all_asked() -> bool:
        return len(fake.starts) == len(jobs)

    await eventually(all_asked, within_seconds=40)
    now = [await bench.rows.find(job.id) for job in jobs]
    assert {job.state for job in now} == {JobState.WORKING}
    return now


def slow_starts(fake: FakeTextract, seconds: float) -> None:
    """Have every Start take a while, so that something is under way when the fault comes."""

    async def be_slow(body: dict[str, Any]) -> None:
        await asyncio.sleep(seconds)

    fake.on_start = be_slow


async def test_killed_workers_lose_and_double_nothing(bench: Bench, told: Settings, fake: FakeTextract) -> None:
    """Five workers are killed, one after the other, at random moments in the middle of their jobs; another ends them."""
    fake.blocks = document_of(2)
    slow_starts(fake, 0.2)
    source, jobs = random.Random(), list[Job]()
    with a_nursery(told) as nursery:
        victim, heir = nursery.born(), nursery.born()
        await workers_there(bench, 2)
        for _ in range(5):
            more = await submitted(bench, 5, after=len(jobs))
            jobs += more
            for job in more:
                await bench.queue.advance(job)
            await asyncio.sleep(source.uniform(0.05, 0.8))
            nursery.kill(victim)
            victim, heir = heir, nursery.born()
        await each_ends_once(bench, fake, jobs)


async def test_a_dead_workers_jobs_are_taken_up_within_seconds(
    bench: Bench, told: Settings, fake: FakeTextract
) -> None:
    """Long before its lease ends, another worker has the job of one that was killed; it has cost one attempt."""
    fake.blocks = document_of(2)
    slow_starts(fake, 30)
    patient = told.model_copy(update={"textract_read_timeout_seconds": 40.0})
    with a_worker(patient) as victim:
        (job,) = await submitted(bench, 1)
        (taken,) = await under_way(bench, fake, [job])
        fake.on_start = None
        async with serving(told):
            victim.kill()
            began = time.monotonic()

            async def is_taken_up() -> bool:
                return (await bench.rows.find(job.id)).fence > taken.fence

            await eventually(is_taken_up)
            assert time.monotonic() - began < 5
            await each_ends_once(bench, fake, [job])
    assert [event.code for event in await bench.rows.events(job.id)].count("worker_lost") == 1


async def test_a_hung_worker_loses_its_jobs_and_changes_nothing(
    bench: Bench, told: Settings, fake: FakeTextract
) -> None:
    """When its lease has run out another one takes over; awake again, what it still has to say doesn't count."""
    fake.blocks = document_of(2)
    short = told.model_copy(update={"lease_seconds": 2.0})
    slow_starts(fake, 1.5)
    with a_worker(short) as hung:
        (job,) = await submitted(bench, 1)
        (taken,) = await under_way(bench, fake, [job])
        hung.send(signal.SIGSTOP)
        fake.on_start = None
        async with serving(short):
            await each_ends_once(bench, fake, [job])
            before = await bench.rows.find(job.id)
            assert before.fence > taken.fence
            hung.send(signal.SIGCONT)

            async def has_noticed() -> bool:
                return "outcome_not_ours" in hung.said or "failure_not_recorded" in hung.said

            await eventually(has_noticed)
    after = await bench.rows.find(job.id)
    assert (after.last_event_number, after.updated_at) == (before.last_event_number, before.updated_at)


async def test_sigterm_gives_the_jobs_back_at_once(bench: Bench, told: Settings, fake: FakeTextract) -> None:
    """A stopped worker process lets go of what it can't finish, at no cost, and ends with 0."""
    fake.blocks = document_of(2)
    slow_starts(fake, 30)
    impatient = told.model_copy(update={"worker_completion_seconds": 0.2, "textract_read_timeout_seconds": 40.0})
    with a_worker(impatient) as worker:
        jobs = await submitted(bench, 3)
        await under_way(bench, fake, jobs)
        assert worker.stop() == 0
    now = [await bench.rows.find(job.id) for job in jobs]
    assert {(job.state, job.attempts) for job in now} == {(JobState.QUEUED, 0)}
    fake.on_start = None
    async with serving(told):
        await each_ends_once(bench, fake, jobs)


async def test_an_emptied_redis_in_the_middle_loses_nothing(bench: Bench, told: Settings, fake: FakeTextract) -> None:
    """While two workers read twelve documents, Redis is emptied again and again."""
    fake.blocks = document_of(2)
    jobs = await submitted(bench, 12, Stage.QUEUED)
    for job in jobs:
        await bench.rows.change(job.id, pages_total=None)
    async with serving(told), serving(told):
        for _ in range(5):
            await asyncio.sleep(0.3)
            await bench.queue.redis.flushdb()
        await all_done(bench, jobs)


async def all_done(bench: Bench, jobs: Sequence[Job]) -> None:
    """Wait until all jobs are done, each with one done event."""

    for job in await all_ended(bench, jobs):
        assert job.state is JobState.DONE
        assert [event.type for event in await bench.rows.events(job.id)].count(EventType.DONE) == 1
