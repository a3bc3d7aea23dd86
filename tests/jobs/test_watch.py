"""The watch tells an operator of what nobody serves, and of what is away."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, text, update

from app.alerts.models import AlertCode
from app.alerts.repository import list_alerts, open_subjects
from app.batches.models import Batch, BatchItem
from app.db import new_id, table_of
from app.jobs.models import Worker
from app.jobs.presence import served, unserved
from app.jobs.states import JobState, Stage
from app.jobs.watch import Watch
from app.ocr.breaker import BreakerState
from app.ocr.circuit import Position
from app.ocr.engine import EngineName
from app.pipeline.stages import QUEUES, ROUTES
from app.queue import stages_of
from tests.bench import Bench, eventually

CLOSED = BreakerState(Position.CLOSED, 0, None, 0.0, None)
OPEN = BreakerState(Position.OPEN, 5, datetime.now(UTC), 30.0, "ocr_unavailable")


def watch_of(
    bench: Bench, *, patience: timedelta = timedelta(0), engines: Mapping[EngineName, BreakerState] | None = None
) -> Watch:
    """A watch that sees engines as they are said to be."""

    async def states() -> Mapping[EngineName, BreakerState]:
        return {} if engines is None else engines

    stages: dict[str, Sequence[str]] = {queue: stages_of(ROUTES, queue) for queue in QUEUES}
    return Watch(bench.tools.sessions, stages, states, patience, has_budget=True)


async def worker(bench: Bench, *queues: str, heard_of: timedelta = timedelta(0)) -> None:
    """A worker that serves some queues, and was last heard of a while ago."""
    at = datetime.now(UTC) - heard_of
    values = {"id": str(new_id()), "hostname": "here", "process_id": 1, "queues": list(queues), "holds_lock": False}
    async with bench.tools.sessions.begin() as session:
        await session.execute(insert(table_of(Worker)).values(**values, heartbeat_at=at))


async def alerts(bench: Bench, code: AlertCode = AlertCode.QUEUE_UNSERVED) -> Sequence[str]:
    """What the open alerts are about."""
    async with bench.tools.sessions() as session:
        return sorted(await open_subjects(session, code))


async def over(bench: Bench) -> int:
    """How many alerts have ended."""
    async with bench.tools.sessions() as session:
        return len(await list_alerts(session, project_id=None, cleared=True))


async def age(bench: Bench) -> None:
    """Let alerts be as old as if nobody had found them to be so for long."""
    async with bench.tools.sessions.begin() as session:
        await session.execute(
            text("UPDATE alerts SET raised_at = now() - interval '1 day', seen_at = now() - interval '1 day'")
        )


async def test_a_queue_with_work_that_nobody_serves_is_an_alert_until_somebody_does(bench: Bench) -> None:
    """Raised once, cleared once, however often it is looked at."""
    await bench.rows.job()
    watch = watch_of(bench)
    await watch.look()
    await watch.look()
    assert await alerts(bench) == ["ocr"]
    await worker(bench, "ocr")
    await watch.look()
    await watch.look()
    assert await alerts(bench) == []
    assert await over(bench) == 1


async def test_a_queue_without_work_needs_nobody(bench: Bench) -> None:
    """Nor does one whose jobs are due later, or at work under a lease."""
    await bench.rows.job(state=JobState.WORKING)
    await bench.rows.job(next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
    await watch_of(bench).look()
    assert await alerts(bench) == []


async def test_a_job_whose_worker_is_gone_is_work(bench: Bench) -> None:
    """With no worker left, nobody would give it back."""
    await bench.rows.job(state=JobState.WORKING, lease_until=datetime.now(UTC) - timedelta(minutes=1))
    await watch_of(bench).look()
    assert await alerts(bench) == ["ocr"]


async def test_a_worker_that_restarts_is_no_alert(bench: Bench) -> None:
    """A queue may be without one for a little while."""
    await bench.rows.job()
    watch = watch_of(bench, patience=timedelta(hours=1))
    await watch.look()
    await watch.look()
    assert await alerts(bench) == []
    watch.missing_since["ocr"] -= 3600
    await watch.look()
    assert await alerts(bench) == ["ocr"]


async def test_a_batch_that_nobody_takes_apart_is_an_alert(bench: Bench) -> None:
    """Other queues that are served don't help it."""
    await worker(bench, *QUEUES)
    batch_id, project_id = new_id(), await bench.rows.project()
    async with bench.tools.sessions.begin() as session:
        batch = {"id": batch_id, "project_id": project_id, "priority": "high", "item_count": 1}
        await session.execute(insert(table_of(Batch)).values(batch))
        await session.execute(insert(table_of(BatchItem)).values(batch_id=batch_id, number=1, asked={}))
    await watch_of(bench).look()
    assert await alerts(bench) == ["batch.high"]


async def test_a_queue_whose_work_went_away_is_an_alert_no_longer_than_for_a_while(bench: Bench) -> None:
    """Nobody has to serve a queue only to be rid of its alert."""
    job = await bench.rows.job()
    watch = watch_of(bench)
    await watch.look()
    await bench.rows.change(job.id, state=JobState.CANCELLED, finished_at=datetime.now(UTC))
    await watch.look()
    assert await alerts(bench) == ["ocr"]
    await age(bench)
    await watch.look()
    assert await alerts(bench) == []


async def test_an_engine_that_is_away_is_an_alert_until_it_is_back(bench: Bench) -> None:
    """One process that doesn't know of it (Redis may be away) doesn't end it."""
    watch = watch_of(bench, engines={EngineName.TEXTRACT: OPEN, EngineName.LOCAL: CLOSED})
    await watch.look()
    await watch.look()
    assert await alerts(bench, AlertCode.ENGINE_AWAY) == ["textract"]
    other = watch_of(bench, engines={EngineName.TEXTRACT: CLOSED})
    await other.look()
    assert await alerts(bench, AlertCode.ENGINE_AWAY) == ["textract"]
    await age(bench)
    await other.look()
    assert await alerts(bench, AlertCode.ENGINE_AWAY) == []


async def test_a_project_whose_documents_wait_for_the_next_day_is_an_alert(bench: Bench) -> None:
    """It is the project's own."""
    reader = await bench.rows.job(Stage.PARSING)
    (reading,) = await bench.rows.textract_jobs(reader.id)
    async with bench.tools.sessions.begin() as session:
        await session.execute(text("UPDATE textract_jobs SET cost_microdollars = 1500"))
    waiting = await bench.rows.job(Stage.JOB_VALIDATED, next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
    watch = watch_of(bench)
    await watch.look()
    assert await alerts(bench, AlertCode.BUDGET_SPENT) == []
    async with bench.tools.sessions.begin() as session:
        await session.execute(
            text("UPDATE events SET code = 'daily_cost_reached' WHERE job_id = :id"), {"id": waiting.id}
        )
    await watch.look()
    assert await alerts(bench, AlertCode.BUDGET_SPENT) == [str(reading.project_id)]


async def test_a_queue_is_served_by_workers_that_were_heard_of_lately(bench: Bench) -> None:
    """One that was silent for long, or has lost its lock, serves nothing."""
    await worker(bench, "ocr", "text")
    await worker(bench, "ocr")
    await worker(bench, "graph", heard_of=timedelta(minutes=1))
    await worker(bench, "entity")
    async with bench.tools.sessions.begin() as session:
        lost = update(table_of(Worker)).where(text("""queues = '["entity"]'""")).values(holds_lock=True)
        await session.execute(lost)

    async def answer() -> bool:
        return await served(bench.tools.sessions) == {"ocr": 2, "text": 1}

    assert await unserved(bench.tools.sessions, ["text", "graph", "ocr"]) == ["graph"]
    await eventually(answer)  # Postgres may have just started, when no lock is missed yet
