"""The backlog: who is rung for next, what is polled next, and what dead workers leave behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import BigInteger, Double, Interval, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.config import Settings
from app.jobs import backlog, polls, waiting_starts
from app.jobs.backlog import DueJob, Shares
from app.jobs.models import Job
from app.jobs.polls import DuePoll
from app.jobs.presence import Presence
from app.jobs.states import JobState, Priority, Stage
from app.ocr.engine import EngineName, Operation
from app.ocr.pacing import Lane
from app.pipeline.stages import ROUTES, ROWS
from app.queue import QueueName, stages_of
from tests.bench import WORKER, Bench, eventually, open_bench

STAGES_OF_OCR = stages_of(ROUTES, QueueName.OCR)
AGAIN = timedelta(seconds=10)
LANE = Lane(EngineName.TEXTRACT, Operation.DETECTION)
ARRAYS = dict.fromkeys(("stages", "engines", "left_to"), ARRAY(TEXT))
NUMBERS = dict.fromkeys(("room", "reserve", "seed"), BigInteger) | dict.fromkeys(
    ("normal_share", "low_share", "normal_chance", "low_chance"), Double
)
TYPES: dict[str, Any] = ARRAYS | NUMBERS | dict.fromkeys(("again", "lease", "wait"), Interval)


async def take(bench: Bench, room: int = 100, stages: Sequence[str] = STAGES_OF_OCR) -> list[DueJob]:
    """One look of the sweep at the backlog."""
    async with bench.tools.sessions.begin() as session:
        return await backlog.take_due(session, stages, room=room, again=AGAIN)


async def give_back(bench: Bench, max_attempts: int = 3) -> list[Job]:
    """One look of the sweep for what was lost."""
    async with bench.tools.sessions.begin() as session:
        return await backlog.give_back_lost(session, max_attempts=max_attempts)


async def forget(bench: Bench) -> int:
    """One look of the sweep for workers that are gone."""
    async with bench.tools.sessions.begin() as session:
        return await backlog.forget_dead_workers(session)


@asynccontextmanager
async def present(bench: Bench, worker_id: str = WORKER) -> AsyncIterator[Presence]:
    """A worker that has said that it is there; killed at the end, as far as Postgres can see."""
    presence = Presence(
        sessions=bench.tools.sessions,
        database_url=bench.settings.database_url,
        worker_id=worker_id,
        queues=["ocr"],
        lease=timedelta(seconds=20),
        interval_seconds=60,
        doing=list,
    )
    await presence.beat()
    try:
        yield presence
    finally:
        if presence._lock is not None and not presence._lock.is_closed():
            presence._lock.terminate()
            await lock_is_free(bench, worker_id)


async def lock_is_free(bench: Bench, worker_id: str) -> None:
    """Wait until Postgres has seen that a worker's connection is gone."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:id, 0))")

    async def is_free() -> bool:
        async with bench.tools.sessions() as session:
            return bool(await session.scalar(query, {"id": worker_id}))

    await eventually(is_free)


async def test_jobs_are_taken_by_priority_then_by_age(bench: Bench) -> None:
    """High before normal before low, and the oldest of each project first; who begins is a matter of luck."""
    made: dict[UUID, str] = {}
    for project, priority, count in (("a", "low", 1), ("a", "normal", 3), ("b", "normal", 2), ("b", "high", 1)):
        for number in range(count):
            job = await bench.rows.job(project=project, priority=Priority(priority))
            made[job.id] = f"{project} {priority} {number}"
    async with bench.tools.sessions.begin() as session:
        rows = await backlog.take_due(session, STAGES_OF_OCR, room=6, again=AGAIN, shares=Shares(0, 0))
    taken = [made[due.id] for due in rows]
    assert taken[0] == "b high 0"
    assert [name for name in taken if name.startswith("a")] == ["a normal 0", "a normal 1", "a normal 2"]
    assert [name for name in taken if name.startswith("b n")] == ["b normal 0", "b normal 1"]
    assert [made[due.id] for due in await take(bench)] == ["a low 0"]


async def test_only_what_a_worker_could_claim_is_taken(bench: Bench) -> None:
    """Not what isn't due, is held, has ended, waits for Textract, or belongs to another queue."""
    document = await bench.rows.document()
    due = [
        await bench.rows.job(document=document),
        await bench.rows.job(Stage.QUEUED, JobState.RETRYABLE, document=document),
        await bench.rows.job(Stage.PARSING, document=document, textract_job_status="SUCCEEDED"),
    ]
    later = await bench.rows.job(document=document)
    await bench.rows.change(later.id, next_attempt_at_in=timedelta(seconds=9))
    for stage, state in [
        (Stage.PARSED, JobState.QUEUED),
        (Stage.QUEUED, JobState.WORKING),
        (Stage.QUEUED, JobState.CANCELLED),
        (Stage.QUEUED, JobState.DEADLETTER),
        (Stage.PARSING, JobState.QUEUED),
        (Stage.JOB_VALIDATED, JobState.QUEUED),  # starts are admitted, lane by lane
    ]:
        await bench.rows.job(stage, state, document=document)
    assert {each.id for each in await take(bench)} == {job.id for job in due}


async def test_a_job_is_rung_for_again_only_after_a_while(bench: Bench) -> None:
    """A ring is given its time to be heard; then it is rung again under the same id, which is harmless."""
    job = await bench.rows.job()
    assert [due.id for due in await take(bench)] == [job.id]
    assert await take(bench) == []
    await bench.rows.change(job.id, rung_at_in=-AGAIN)
    assert [due.id for due in await take(bench)] == [job.id]


async def test_the_cost_does_not_follow_the_backlog(bench: Bench) -> None:
    """With 20,000 jobs waiting, no statement of the sweep reads the table from end to end."""
    job = await bench.rows.job()
    async with bench.tools.sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO jobs (id, project_id, document_id, stage, textract_job_id, textract_job_status, engine)"
                " SELECT gen_random_uuid(), :project, :document, stage, 'x', 'IN_PROGRESS', 'textract'"
                " FROM generate_series(1, 10000), unnest(ARRAY['queued', 'parsing', 'job_validated']) AS of(stage)"
            ),
            {"project": job.project_id, "document": job.document_id},
        )
        await session.execute(text("ANALYZE jobs"))
    said = {"stages": list(STAGES_OF_OCR), "room": 100, "again": AGAIN, "limit": 25, "lease": AGAIN, "most": 100}
    said |= {"engine": "textract", "operation": "detection", "engines": ["textract"], "wait": AGAIN}
    said |= {"reserve": 50, "seed": 1, **Shares().told()}
    said |= {"finds": '["TEXT"]', "left_to": ['["TABLES"]']}
    hot = (polls._DUE_POLLS, polls._TAKE_POLLS, waiting_starts._COUNT_STARTS, waiting_starts._WAITING_STARTS)
    for statement in (backlog._TAKE_DUE, backlog._LOST, *hot):
        plan, milliseconds = await explained(bench, str(statement), said)
        assert "Seq Scan on jobs" not in plan, plan
        assert milliseconds < 250, plan


async def explained(bench: Bench, statement: str, said: dict[str, object]) -> tuple[str, float]:
    """The plan that a statement ran by, and how long it took."""
    typed = [bindparam(name, type_=kind) for name, kind in TYPES.items() if f":{name}" in statement]
    query = text(f"EXPLAIN (ANALYZE) {statement}").bindparams(*typed)
    async with bench.tools.sessions() as session:
        lines = (await session.scalars(query, {name: said[name] for name in said if f":{name}" in statement})).all()
        await session.rollback()
    return "\n".join(lines), float(lines[-1].split()[-2])


async def test_two_sweeps_never_ask_about_the_same_job(bench: Bench) -> None:
    """Polls that are taken at the same time are shared out, each under a new fence, and none is taken twice."""
    document = await bench.rows.document()
    jobs = [await bench.rows.job(Stage.PARSING, document=document) for _ in range(20)]

    async def take_polls(session: AsyncSession) -> list[DuePoll]:
        return await polls.take_due_polls(session, LANE, limit=12, lease=timedelta(seconds=60))

    async with bench.tools.sessions.begin() as one, bench.tools.sessions.begin() as other:
        first = await take_polls(one)
        second = await asyncio.wait_for(take_polls(other), 5)  # while the first has not committed
    assert (len(first), len(second)) == (12, 8)
    assert sorted(job.id for job, _ in [*first, *second]) == sorted(job.id for job in jobs)
    assert {(job.fence, job.textract_polls) for job, _ in first} == {(1, 1)}


async def test_a_sweep_that_hangs_lets_the_others_sweep(quick: Settings) -> None:
    """A process that is stopped within a transaction holds the sweep's lock for the length of a lease, not for ever."""
    async with open_bench(quick.model_copy(update={"lease_seconds": 0.5})) as bench:
        hung = bench.tools.sessions()
        assert await backlog.try_sweep_lock(hung)

        async def can_sweep() -> bool:
            async with bench.tools.sessions.begin() as session:
                return await backlog.try_sweep_lock(session)

        assert not await can_sweep()
        await eventually(can_sweep, within_seconds=10)
        with pytest.raises(DBAPIError):
            await hung.execute(text("SELECT 1"))
        await hung.close()


@pytest.mark.parametrize(
    "columns", [{"state": "cancelled", "finished_at_in": timedelta(0)}, {"textract_job_status": "SUCCEEDED"}]
)
async def test_what_needs_no_asking_is_not_asked_about(bench: Bench, columns: dict[str, object]) -> None:
    """Jobs that were cancelled, or whose Textract job has ended, are no polls."""
    job = await bench.rows.job(Stage.PARSING)
    await bench.rows.change(job.id, **columns)
    async with bench.tools.sessions.begin() as session:
        assert await polls.take_due_polls(session, LANE, limit=5, lease=AGAIN) == []


async def test_a_lease_that_ran_out_is_given_back(bench: Bench) -> None:
    """It costs an attempt, for the job may be what hangs its workers; after the last it is given up as worker_lost."""
    job = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    assert await give_back(bench) == []
    await bench.rows.change(job.id, lease_until_in=-timedelta(seconds=1))
    (back,) = await give_back(bench)
    assert (back.id, back.state, back.stage, back.attempts) == (job.id, JobState.QUEUED, Stage.PARSED, 1)
    for _ in range(2):
        held = {"state": "working", "claimed_by": "x", "lease_until_in": -timedelta(seconds=1)}
        await bench.rows.change(job.id, **held)
        (back,) = await give_back(bench)
    assert (back.state, back.attempts, back.error_code) == (JobState.DEADLETTER, 3, "worker_lost")
    assert (back.error_stage, back.error_retryable) == (Stage.PARSED, True)
    assert [event.code for event in await bench.rows.events(job.id)] == [None, *["worker_lost"] * 3]


async def test_a_dead_worker_is_noticed_by_its_lock(bench: Bench) -> None:
    """Its jobs are given back while their leases still run; those of a living worker are left alone."""
    await postgres_is_old_enough(bench)
    async with present(bench, "living"):
        async with present(bench):
            jobs = [
                await bench.rows.job(Stage.PARSED, JobState.WORKING, claimed_by=worker) for worker in (WORKER, "living")
            ]
            assert await give_back(bench) == []
        assert [job.id for job in await give_back(bench)] == [jobs[0].id]


async def test_what_a_dead_worker_was_rung_for_is_rung_for_anew(bench: Bench) -> None:
    """A task may have died with its worker before its job was claimed, so its next ring has another id."""
    await postgres_is_old_enough(bench)
    job = await bench.rows.job()
    (first,) = await take(bench)
    async with present(bench):
        assert await forget(bench) == 0
        assert await take(bench) == []
    assert await forget(bench) == 1
    (second,) = await take(bench)
    assert (second.id, second.rings) == (job.id, first.rings + 1)
    async with present(bench):
        moved_on = await bench.rows.job(Stage.JOB_VALIDATED)  # rung for by whoever moved it, not by the sweep
    assert await forget(bench) == 1
    assert (await bench.rows.find(moved_on.id)).rings == 1
    assert await forget(bench) == 0


async def test_what_a_dead_worker_was_asking_about_is_asked_about_at_once(bench: Bench) -> None:
    """Its polls don't wait for their lease; those that wait for their time go on waiting."""
    await postgres_is_old_enough(bench)
    asked, later = await bench.rows.job(Stage.PARSING), await bench.rows.job(Stage.PARSING)
    await bench.rows.change(later.id, next_attempt_at_in=timedelta(seconds=9))

    async def take_polls() -> list[UUID]:
        async with bench.tools.sessions.begin() as session:
            taken = await polls.take_due_polls(session, LANE, limit=5, lease=timedelta(seconds=60))
            return [job.id for job, _ in taken]

    async with present(bench):
        assert await take_polls() == [asked.id]
        assert await take_polls() == []
    assert await forget(bench) == 1
    assert await take_polls() == [asked.id]


async def test_a_worker_whose_connection_broke_takes_its_lock_again_at_once(bench: Bench) -> None:
    """It doesn't wait for its next heartbeat: until then it would be taken for dead."""
    presence = Presence(bench.tools.sessions, bench.settings.database_url, WORKER, ["ocr"], AGAIN, 60, list)
    running = asyncio.create_task(presence.run())
    try:
        broken = await eventually(lambda: lock_holder(bench))
        async with bench.tools.sessions() as session:
            await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": broken})

        async def is_held_anew() -> bool:
            return await lock_holder(bench) not in {None, broken}

        await eventually(is_held_anew)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_lock_that_an_old_connection_still_holds_stops_no_heartbeat(bench: Bench) -> None:
    """Where a connection broke unseen by Postgres, the worker goes on, and its lock still speaks for it."""
    old = await asyncpg.connect(bench.settings.database_url)
    await old.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", WORKER)
    async with asyncio.timeout(20), present(bench):
        async with bench.tools.sessions() as session:
            assert await session.scalar(text("SELECT holds_lock FROM workers"))
        await old.close()


async def test_a_worker_that_leaves_gives_its_jobs_back_at_no_cost(bench: Bench) -> None:
    """Whatever is still claimed under its id when it stops can be taken up at once, with all its attempts."""
    async with present(bench) as presence:
        job = await bench.rows.job(Stage.PARSED, JobState.WORKING, attempts=2)
        await presence._leave()
    after = await bench.rows.find(job.id)
    assert (after.state, after.attempts, after.claimed_by) == (JobState.QUEUED, 2, None)
    async with bench.tools.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM workers")) == 0


async def lock_holder(bench: Bench) -> int | None:
    """The process id of the connection that holds the worker's lock."""
    query = text(
        "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND datname = current_database() AND application_name = 'quire worker lock'"
    )
    async with bench.tools.sessions() as session:
        pid: int | None = await session.scalar(query)
        return pid


async def postgres_is_old_enough(bench: Bench) -> None:
    """Just after it started no worker is taken for dead: none had the time to take its lock."""
    query = text("SELECT pg_postmaster_start_time() < now() - interval '5 seconds'")

    async def is_old() -> bool:
        async with bench.tools.sessions() as session:
            return bool(await session.scalar(query))

    await eventually(is_old)


def test_every_stage_is_in_reach_of_the_sweep() -> None:
    """The queues together ring for every stage that something runs from."""
    assert {stage for queue in QueueName for stage in stages_of(ROUTES, queue)} == set(ROWS)


async def test_a_process_that_hangs_within_a_statement_holds_its_locks_no_longer_than_a_lease(bench: Bench) -> None:
    """Postgres takes it for active, and never ends it by itself; a new sweep cuts it off, and not what is at work."""
    hung = await asyncpg.connect(bench.settings.database_url, server_settings={"application_name": "quire"})
    at_work = await asyncpg.connect(bench.settings.database_url, server_settings={"application_name": "quire"})
    try:
        await hung.execute("BEGIN")
        await hung.execute("SELECT pg_advisory_xact_lock($1)", backlog.SWEEP_LOCK)
        working = asyncio.create_task(at_work.fetchval("SELECT 1 FROM pg_sleep(3)"))
        statement = b"\0SELECT 1\0" + (0).to_bytes(2, "big")
        parse, flush = b"P" + (len(statement) + 4).to_bytes(4, "big") + statement, b"H" + (4).to_bytes(4, "big")
        # Half a statement, as asyncpg sends it.
        hung._transport.write(parse + flush)  # type: ignore[attr-defined]

        async def is_cut_off() -> bool:
            async with bench.tools.sessions.begin() as session:
                await backlog.end_hung_transactions(session, after=timedelta(seconds=2))
                return await backlog.try_sweep_lock(session)

        assert not await is_cut_off()
        await eventually(is_cut_off)
        assert await working == 1
    finally:
        hung.terminate()
        await at_work.close()
