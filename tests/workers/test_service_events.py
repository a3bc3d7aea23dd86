"""What concerns the whole service is an event too, written by processes that know no more than they need."""

from sqlalchemy import select

from app.config import Settings
from app.db import open_engine, open_sessions
from app.events import Event
from app.jobs.states import Stage
from tests.bench import eventually, open_bench
from tests.workers.running import a_worker


async def test_a_worker_process_notes_that_an_engine_is_away(quick: Settings) -> None:
    """The event belongs to no project and no job; the document waits, and has lost no attempt but the one that showed it."""
    nowhere = {"ocr_engines": "textract", "aws_endpoint_url_textract": "http://127.0.0.1:9", "ocr_breaker_failures": 1}
    settings = quick.model_copy(update=nowhere)
    engine = open_engine(settings)
    sessions = open_sessions(engine)

    async def noted() -> Event | None:
        async with sessions() as session:
            return (await session.scalars(select(Event).where(Event.code == "ocr_engine_away"))).first()

    async with open_bench(settings) as bench:
        job = await bench.rows.job(Stage.JOB_VALIDATED, pages_total=1)
        with a_worker(settings):
            event = await eventually(noted, within_seconds=60)
        assert event is not None
        assert (event.project_id, event.job_id, event.payload["reason"]) == (None, None, "ocr_unavailable")
        assert (await bench.rows.find(job.id)).attempts <= 1
    await engine.dispose()
