"""Documents of one project wait for each other without keeping those of others from working."""

import asyncio

import pytest

from app.db import new_id
from app.pipeline.project_turns import ProjectTurns
from app.turns import Turns


async def test_one_at_a_time_of_a_project_and_others_beside() -> None:
    """Of one project the second comes when the first has ended; another project's comes at once."""
    turns, mine, other = ProjectTurns(), new_id(), new_id()
    order: list[str] = []
    first_may_end = asyncio.Event()

    async def first() -> None:
        async with turns.of(mine):
            order.append("first")
            await first_may_end.wait()
            order.append("first ends")

    async def second() -> None:
        async with turns.of(mine):
            order.append("second")

    tasks = [asyncio.create_task(first()), asyncio.create_task(second())]
    await asyncio.sleep(0)
    async with turns.of(other):
        order.append("other")
    first_may_end.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "other", "first ends", "second"]


async def test_who_waits_for_a_project_lets_others_work() -> None:
    """With one turn in all, a document that waits for its project's turn doesn't keep the one that has it from ending."""
    turns, projects, project = Turns(1), ProjectTurns(), new_id()
    worked = asyncio.Event()

    async def waits() -> str:
        async with turns.turn(), projects.of(project):
            return "had its turn"

    async def works() -> None:
        async with turns.turn():
            worked.set()

    async with asyncio.timeout(5):
        async with projects.of(project):
            waiting = asyncio.create_task(waits())
            await asyncio.sleep(0.01)
            await works()
            assert not waiting.done()
        assert await waiting == "had its turn"
    assert worked.is_set()


async def test_a_failure_gives_the_turn_back() -> None:
    """Whoever fails within it leaves it to the next."""
    turns, project = ProjectTurns(), new_id()
    for _ in range(2):
        with pytest.raises(LookupError):
            async with asyncio.timeout(5), turns.of(project):
                raise LookupError
    async with asyncio.timeout(5), turns.of(project):
        pass
