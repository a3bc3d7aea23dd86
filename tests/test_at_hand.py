"""What is at hand: for one task, while its claim lasts."""

import asyncio
from uuid import UUID

from sqlalchemy import delete

from app import at_hand
from app.documents.models import Page
from app.knowledge.pages import page_batches
from tests.bench import Bench
from tests.pipeline.texts import read_job

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_things_are_at_hand_until_it_ends() -> None:
    """Each by its type and job; outside, nothing is kept."""
    at_hand.keep(ONE, "before")
    with at_hand.at_hand():
        assert at_hand.find(ONE, str) is None
        at_hand.keep(ONE, "kept")
        assert at_hand.find(ONE, str) == "kept"
        assert at_hand.find(ONE, int) is None
        assert at_hand.find(OTHER, str) is None
    assert at_hand.find(ONE, str) is None


async def test_tasks_have_nothing_of_each_other() -> None:
    """Two tasks of one process may work on the same job, one of them without knowing that it lost it."""

    async def what_is_there(kept: str) -> str | None:
        with at_hand.at_hand():
            at_hand.keep(ONE, kept)
            await asyncio.sleep(0)
            return at_hand.find(ONE, str)

    first, second = await asyncio.gather(what_is_there("first"), what_is_there("second"))
    assert (first, second) == ("first", "second")


async def test_the_pages_of_a_short_document_are_read_once(bench: Bench) -> None:
    """Under one claim; the next one reads them anew."""
    job = await read_job(bench)

    async def pages() -> list[str]:
        return [page.text async for batch in page_batches(bench.tools.sessions, job.id, 2) for page in batch.pages]

    with at_hand.at_hand():
        first = await pages()
        async with bench.tools.sessions.begin() as session:
            await session.execute(delete(Page).where(Page.job_id == job.id))
        assert await pages() == first
        assert len(first) > 1
    assert await pages() == []
