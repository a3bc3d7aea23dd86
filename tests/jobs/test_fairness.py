"""Who is taken next: no batch holds up one document, no priority starves another, and projects have their turns."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import insert, text, update

from app.batches.models import Batch
from app.db import new_id, table_of
from app.jobs import backlog, waiting_starts
from app.jobs.backlog import DueJob, Shares
from app.jobs.models import Job
from app.jobs.states import Priority, Stage
from app.jobs.waiting_starts import Takes
from app.ocr.engine import EngineName, Feature, Operation
from app.ocr.pacing import Lane
from app.pipeline.stages import ROUTES
from app.projects.models import Project
from app.queue import QueueName, stages_of
from tests.bench import Bench

AGAIN = timedelta(seconds=10)
OCR = stages_of(ROUTES, QueueName.OCR)
LANE = Lane(EngineName.TEXTRACT, Operation.DETECTION)
TAKES = Takes((EngineName.TEXTRACT,), frozenset({Feature.TEXT}))


async def many(
    bench: Bench,
    number: int,
    *,
    project: str = "default",
    priority: Priority = Priority.NORMAL,
    batch: bool = False,
    stage: Stage = Stage.QUEUED,
) -> UUID | None:
    """Make so many jobs that are due, an hour old; returns the id of their batch, if they are of one."""
    document, batch_id = await bench.rows.document(project=project), new_id() if batch else None
    told = {"document": document.id, "project": document.project_id, "batch": batch_id, "number": number}
    async with bench.tools.sessions.begin() as session:
        if batch_id is not None:
            row = {"id": batch_id, "project_id": document.project_id, "priority": priority, "item_count": number}
            await session.execute(insert(table_of(Batch)).values(row))
        statement = text("""
            INSERT INTO jobs (id, project_id, document_id, batch_id, priority, stage, created_at, next_attempt_at)
            SELECT gen_random_uuid(), :project, :document, :batch, :priority, :stage,
                   now() - interval '1 hour' + number * interval '1 ms', now()
            FROM generate_series(1, :number) number""")
        await session.execute(statement, told | {"priority": priority, "stage": stage})
    return batch_id


async def take(bench: Bench, room: int, *, reserve: int = 0, shares: Shares | None = None) -> list[DueJob]:
    """One look of the sweep at the backlog of `ocr`."""
    async with bench.tools.sessions.begin() as session:
        return await backlog.take_due(
            session, OCR, room=room, reserve=reserve, again=AGAIN, shares=shares or Shares(0, 0)
        )


async def project_ids(bench: Bench, *names: str) -> list[UUID]:
    """The ids of projects."""
    return [await bench.rows.project(name) for name in names]


def ids(jobs: Sequence[DueJob | Job]) -> set[UUID]:
    """Their ids."""
    return {job.id for job in jobs}


async def test_a_batch_does_not_hold_up_a_document_of_the_same_project_and_priority(bench: Bench) -> None:
    """What comes by itself takes turns with the batch, however old and long that is."""
    await many(bench, 500, batch=True)
    single = await bench.rows.job()
    taken = await take(bench, 30)
    assert len(taken) == 30
    assert single.id in ids(taken)


async def test_a_batch_does_not_hold_up_another_one(bench: Bench) -> None:
    """Two batches share the places about evenly."""
    batches = [await many(bench, 300, batch=True) for _ in range(2)]
    shared = Counter(job.batch_id for job in await take(bench, 200))
    assert sum(shared.values()) == 200
    assert all(70 <= shared[batch] <= 130 for batch in batches)


async def test_an_urgent_document_overtakes_all_others(bench: Bench) -> None:
    """It is the first to be rung for, although it came last."""
    await many(bench, 300, batch=True)
    await many(bench, 300)
    urgent = await bench.rows.job(priority=Priority.HIGH)
    assert (await take(bench, 10))[0].id == urgent.id


async def test_low_priority_never_starves(bench: Bench) -> None:
    """A share of the places is kept for each priority, and the others' order is left as it was."""
    for priority in Priority:
        await many(bench, 300, priority=priority)
    taken = Counter(job.priority for job in await take(bench, 100, shares=Shares(0.2, 0.05)))
    assert taken[Priority.HIGH] in {74, 75}  # a share of a place is rounded up now and then
    assert taken[Priority.NORMAL] in {20, 21}
    assert taken[Priority.LOW] in {5, 6}


async def test_a_single_place_goes_to_low_priority_now_and_then(bench: Bench) -> None:
    """A queue that moves slowly has one free place at a time, and never a twentieth of one."""
    for priority in Priority:
        await many(bench, 100, priority=priority)
    taken = Counter([(await take(bench, 1, shares=Shares(0.3, 0.3)))[0].priority for _ in range(60)])
    assert set(taken) == set(Priority)
    assert taken[Priority.HIGH] > taken[Priority.LOW]


async def test_projects_have_turns_by_their_weights(bench: Bench) -> None:
    """One of weight 3 has about three where the other has one."""
    await many(bench, 300, project="a")
    await many(bench, 300, project="b")
    a, b = await project_ids(bench, "a", "b")
    async with bench.tools.sessions.begin() as session:
        await session.execute(update(table_of(Project)).where(table_of(Project).c.id == a).values(weight=3))
    turns = Counter(job.project_id for job in await take(bench, 200))
    assert 125 <= turns[a] <= 175
    assert turns[a] + turns[b] == 200


async def test_projects_take_turns_at_a_single_place(bench: Bench) -> None:
    """The one with the older backlog doesn't have every place that becomes free."""
    await many(bench, 100, project="old")
    await many(bench, 100, project="new")
    old, new = await project_ids(bench, "old", "new")
    turns = Counter([(await take(bench, 1))[0].project_id for _ in range(60)])
    assert min(turns[old], turns[new]) > 10


async def test_a_reserve_is_kept_for_what_came_by_itself_and_another_for_what_is_urgent(bench: Bench) -> None:
    """Where batches have filled a queue, they get no more places; single documents do, and urgent ones more still."""
    await many(bench, 50, batch=True)
    await many(bench, 50, priority=Priority.LOW)
    assert await take(bench, -10, reserve=10) == []
    await many(bench, 50)
    taken = await take(bench, -5, reserve=10)
    assert [(job.priority, job.batch_id) for job in taken] == [(Priority.NORMAL, None)] * 5
    await many(bench, 50, priority=Priority.HIGH)
    assert len(await take(bench, -10, reserve=10)) == 10


async def test_starts_go_by_turns_between_batches_too(bench: Bench) -> None:
    """The OCR slots are where most waiting is done; a batch doesn't hold a single document up there either."""
    await many(bench, 300, batch=True, stage=Stage.JOB_VALIDATED)
    single = await bench.rows.job(Stage.JOB_VALIDATED)
    urgent = await bench.rows.job(Stage.JOB_VALIDATED, priority=Priority.HIGH)
    await many(bench, 300, priority=Priority.LOW, stage=Stage.JOB_VALIDATED)
    async with bench.tools.sessions() as session:
        waiting = await waiting_starts.waiting_starts(session, LANE, TAKES, room=40)
    assert len(waiting) == 40
    assert {single.id, urgent.id} <= ids(waiting)
    assert sum(each.priority is Priority.LOW for each in waiting) in {2, 3}
