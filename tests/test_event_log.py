"""The log of events: nothing lost and nothing twice, however transactions overlap."""

import asyncio
import random
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app import event_log, events
from app.event_log import Portion, Position
from app.events import EventDraft, EventType
from app.jobs import repository
from app.jobs.states import JobState, Stage
from tests.bench import Bench


async def note(session: AsyncSession, project_id: UUID, name: str) -> None:
    """Write an event of a name."""
    await events.note(session, EventDraft(EventType.ACTION, {"name": name}), project_id=project_id)


async def read(bench: Bench, project_id: UUID, position: Position, limit: int = 500) -> Portion:
    """What there is after a position."""
    async with bench.tools.sessions() as session:
        return (await event_log.read_projects(session, {project_id: position}, limit=limit))[project_id]


async def settled(bench: Bench, project_id: UUID, position: Position) -> Portion:
    """The same once no transaction holds it up: any in the cluster does, those of other databases too."""
    async with asyncio.timeout(20):
        while (portion := await read(bench, project_id, position)).is_held_up:  # noqa: ASYNC110 (it is Postgres that is asked)
            await asyncio.sleep(0.05)
    return portion


def names(portion: Portion) -> list[str]:
    """The names of events."""
    return [event.payload["name"] for event in portion.events]


async def test_what_commits_late_is_told_before_what_overtook_it(bench: Bench) -> None:
    """An event whose id is older and whose commit is younger than another's is neither lost nor told out of order."""
    project_id = await bench.rows.project()
    async with bench.tools.sessions() as slow, bench.tools.sessions() as fast:
        await note(slow, project_id, "slow")
        await note(fast, project_id, "fast")
        await fast.commit()
        seen = await read(bench, project_id, Position())
        assert (names(seen), seen.is_held_up, seen.position) == ([], True, Position())
        await slow.commit()
    seen = await settled(bench, project_id, Position())
    assert (names(seen), seen.is_held_up, seen.is_full) == (["slow", "fast"], False, False)
    assert names(await read(bench, project_id, seen.position)) == []


async def test_what_is_rolled_back_holds_nobody_up(bench: Bench) -> None:
    """A transaction that fails leaves no gap to wait for."""
    project_id = await bench.rows.project()
    async with bench.tools.sessions() as failed, bench.tools.sessions.begin() as session:
        await note(failed, project_id, "never")
        await failed.rollback()
        await note(session, project_id, "told")
    assert names(await settled(bench, project_id, Position())) == ["told"]


@pytest.mark.parametrize("limit", [1, 3, 500])
async def test_a_reader_beside_many_writers_misses_none_and_repeats_none(bench: Bench, limit: int) -> None:
    """Writers that take their ids in one order and commit in another are all told once, whatever is read at once."""
    project_id = await bench.rows.project()
    pick = random.Random(limit)
    pauses = [(pick.random() / 50, pick.random() / 50) for _ in range(60)]

    async def write(name: int) -> None:
        before, within = pauses[name]
        await asyncio.sleep(before)
        async with bench.tools.sessions.begin() as session:
            await note(session, project_id, f"{name} first")
            await asyncio.sleep(within)
            await note(session, project_id, f"{name} second")

    writing = asyncio.gather(*map(write, range(len(pauses))))
    seen: list[str] = []
    position = Position()
    while True:
        written = writing.done()
        portion = await read(bench, project_id, position, limit)
        assert portion.position >= position
        position = portion.position
        seen += names(portion)
        if written and not portion.events and not portion.is_held_up:
            break
    await writing
    assert sorted(seen) == sorted(f"{name} {which}" for name in range(len(pauses)) for which in ("first", "second"))


async def test_now_is_after_all_that_was_told_and_before_all_that_comes(bench: Bench) -> None:
    """Whoever begins at the present is told what comes, and nothing of before."""
    project_id = await bench.rows.project()
    async with bench.tools.sessions.begin() as session:
        await note(session, project_id, "before")
    await settled(bench, project_id, Position())
    async with bench.tools.sessions() as session:
        position = await event_log.now(session)
    async with bench.tools.sessions.begin() as session:
        await note(session, project_id, "after")
    assert names(await settled(bench, project_id, position)) == ["after"]


async def test_each_project_is_told_its_own_and_no_pages(bench: Bench) -> None:
    """Several projects are read by one statement, each from its own position; pages are their job's alone."""
    job = await bench.rows.job(Stage.PARSED, JobState.WORKING)
    other = await bench.rows.project("other")
    async with bench.tools.sessions.begin() as session:
        await note(session, other, "first")
        await note(session, other, "second")
        await repository.append_events(session, job, [EventDraft(EventType.PAGE, {"page": 1})])
    await settled(bench, other, Position())
    after = (await read(bench, other, Position(), 1)).position
    async with bench.tools.sessions() as session:
        found = await event_log.read_projects(session, {job.project_id: Position(), other: after})
        of_note = await event_log.read_of_note(session, Position())
    assert [event.type for event in found[job.project_id].events] == [EventType.STAGE]
    assert names(found[other]) == ["second"]
    assert names(of_note) == ["first", "second"]


@pytest.mark.parametrize(
    "text", ["", "5", "5-", "-5", "5-5-5", "a-b", "9223372036854775808-1", "1-1\n", "\uff11-\uff12"]
)
def test_a_position_that_is_none_is_refused(text: str) -> None:
    """What isn't two numbers that a database can hold is no position."""
    with pytest.raises(ValueError, match="position"):
        Position.parse(text)


def test_a_position_survives_being_written() -> None:
    """A position is the same after its text."""
    position = Position(2**63 - 1, 7)
    assert Position.parse(str(position)) == position
