"""Statements that the driver runs itself do as SQLAlchemy does, and its connections survive whatever happens to them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest
from sqlalchemy import Double, Numeric, bindparam, func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, INTERVAL, TEXT
from sqlalchemy.exc import DBAPIError, IntegrityError, MultipleResultsFound, NoResultFound

from app.config import Settings
from app.db import Sessions, is_away, new_id, one_statement, open_engine, open_sessions, table_of, transaction
from app.driver import translated
from app.events import Event, EventType, Severity
from app.projects.models import Project
from app.written import written_down

events, projects = table_of(Event), table_of(Project)

ADD = insert(projects).values(id=bindparam("id"), name=bindparam("name"))
COUNT = select(func.count()).select_from(projects).where(projects.c.name == bindparam("name"))
SLEEP = text("SELECT pg_sleep(:seconds)")
OWN = text("SELECT pg_backend_pid()")
END = text("SELECT pg_terminate_backend(:pid)")


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[Sessions]:
    """Sessions with two connections of the driver's, and two of SQLAlchemy's."""
    engine = open_engine(settings.model_copy(update={"database_pool_size": 4}))
    yield open_sessions(engine)
    await engine.dispose()


async def test_every_type_comes_out_as_sqlalchemy_gives_it(sessions: Sessions) -> None:
    """Members of enums, JSON, ids, times, spans, lists and nothing: at the first sight of a statement and at the second."""
    noted = insert(events).values(
        type=bindparam("type", type_=events.c.type.type), payload=bindparam("payload", type_=events.c.payload.type)
    )
    read = select(
        events.c.type,
        events.c.severity,
        events.c.payload,
        events.c.project_id,
        (events.c.created_at + bindparam("more", type_=INTERVAL)).label("later"),
        literal(["a", "b"], ARRAY(TEXT)).label("list"),
        literal(0.5, Double).label("half"),
        literal(Decimal("0.1"), Numeric).label("tenth"),
        bindparam("id", type_=events.c.project_id.type).label("an_id"),
    ).where(events.c.type == bindparam("type"))
    an_id, payload = new_id(), {"a": [1, None, "ü"], "b": {"c": 0.5}}
    async with one_statement(sessions) as session:
        await session.execute(noted, {"type": EventType.PROGRESS, "payload": payload})
        told = {"type": EventType.PROGRESS, "more": timedelta(days=2), "id": an_id}
        first, second, third = [(await session.execute(read, told)).one() for _ in range(3)]
    assert tuple(first) == tuple(second) == tuple(third)
    assert first._mapping == second._mapping
    assert isinstance(second.type, EventType)
    assert second.severity is Severity.INFO
    assert (second.payload, second.project_id, second.list, second.an_id) == (payload, None, ["a", "b"], an_id)
    assert (second.half, second.tenth) == (0.5, Decimal("0.1"))
    assert timedelta(days=1) < second.later - datetime.now(UTC) < timedelta(days=3)


async def test_a_text_says_what_its_columns_are(sessions: Sessions) -> None:
    """A statement in plain SQL, with columns named for it, gives their types too."""
    read = text("SELECT severity FROM (VALUES ('error')) AS of(severity)").columns(events.c.severity)
    async with one_statement(sessions) as session:
        found = [(await session.execute(read, {})).scalar() for _ in range(3)]
    assert [type(each) for each in found] == [Severity] * 3


async def test_lists_in_a_statement_are_written_anew(sessions: Sessions) -> None:
    """Lists of any length go through SQLAlchemy, at every execution."""
    read = select(projects.c.name).where(projects.c.name.in_(bindparam("names", expanding=True))).order_by("name")
    async with one_statement(sessions) as session:
        for name in ("a", "b", "c"):
            await session.execute(ADD, {"id": new_id(), "name": name})
        for names in (["a"], ["a", "b"], [], ["a", "b", "c"]):
            assert list(await session.scalars(read, {"names": names})) == names
    with pytest.raises(NotImplementedError):
        async with transaction(sessions) as session:
            await session.execute(read, {"names": ["a"]})


async def test_what_is_the_same_each_time_is_written_into_the_statement(sessions: Sessions) -> None:
    """Members of enums, lists of them, quotes and nothing are no parameters; what is given at the execution is one."""
    awkward = "it's 100% $1 :name \\"
    read = (
        select(literal(awkward).label("awkward"), literal(None, events.c.type.type).label("nothing"), projects.c.name)
        .where(literal(EventType.DONE, events.c.type.type).in_((EventType.DONE, EventType.ERROR)))
        .where(projects.c.name == bindparam("name"))
    )
    async with transaction(sessions) as session:
        await session.execute(ADD, {"id": new_id(), "name": "a"})
        for _ in range(2):
            found = (await session.execute(read, {"name": "a"})).one()
            assert tuple(found) == (awkward, None, "a")
    written = written_down(read, {"name": "a"}, sessions.kw["bind"].dialect)
    assert written is not None
    assert [name for name, _, _ in written.places] == ["name"]
    assert "IN ('done', 'error')" in written.sql


async def test_rows_are_asked_for_as_of_sqlalchemy(sessions: Sessions) -> None:
    """One, one or none, the first, all; and too many or too few are errors."""
    read = text("SELECT * FROM generate_series(1, :last) AS n")
    async with one_statement(sessions) as session:
        await session.execute(read, {"last": 1})
        two = await session.execute(read, {"last": 2})
        none = await session.execute(read, {"last": 0})
        assert [(row.n, row[0]) for row in two] == [(1, 1), (2, 2)]
        assert (two.first(), len(two.all())) == ((1,), 2)
        assert [each["n"] for each in two.mappings().all()] == two.scalars().all() == [1, 2]
        assert (none.first(), none.one_or_none(), none.scalar(), none.scalars().first()) == (None,) * 4
    with pytest.raises(MultipleResultsFound):
        two.one_or_none()
    with pytest.raises(NoResultFound):
        none.one()


async def test_a_transaction_is_kept_whole_or_not_at_all(sessions: Sessions) -> None:
    """What was written before an error is gone with it, and the connection is as good as new."""
    async with transaction(sessions) as session:
        await session.execute(ADD, {"id": new_id(), "name": "kept"})
    with pytest.raises(IntegrityError) as caught:
        async with transaction(sessions) as session:
            await session.execute(ADD, {"id": new_id(), "name": "gone"})
            await session.execute(ADD, {"id": new_id(), "name": "kept"})
    assert "kept" not in str(caught.value.statement)
    assert not is_away(caught.value)
    with pytest.raises(LookupError):
        async with transaction(sessions) as session:
            await session.execute(ADD, {"id": new_id(), "name": "gone too"})
            own = await session.scalar(OWN, {})
            raise LookupError
    async with transaction(sessions) as session:
        assert await session.scalar(OWN, {}) == own
        assert [await session.scalar(COUNT, {"name": name}) for name in ("kept", "gone", "gone too")] == [1, 0, 0]


async def test_more_tasks_than_connections_take_turns(sessions: Sessions) -> None:
    """Each gets its own answer."""
    echo = text("SELECT :said || pg_sleep(0.01)::text")

    async def ask(number: int) -> str:
        async with one_statement(sessions) as session:
            return str(await session.scalar(echo, {"said": str(number)}))

    assert await asyncio.gather(*(ask(number) for number in range(30))) == [str(number) for number in range(30)]


async def test_a_connection_that_was_cut_is_replaced(sessions: Sessions) -> None:
    """The statement on it fails, as one that may be tried again; the next has another connection."""
    async with one_statement(sessions) as session:
        pids = [await session.scalar(OWN, {}) for _ in range(3)]
    assert pids[1] == pids[2] != pids[0]  # the first was SQLAlchemy's
    with pytest.raises(DBAPIError) as caught:
        async with transaction(sessions) as session:
            await session.execute(END, {"pid": await session.scalar(OWN, {})})
    assert is_away(caught.value)
    async with one_statement(sessions) as session:
        assert await session.scalar(OWN, {}) not in pids


async def test_a_connection_that_is_just_being_ended_is_away(sessions: Sessions) -> None:
    """The driver doesn't speak on a connection whose end it has been told of; that is Postgres being away, and no defect."""
    with pytest.raises(DBAPIError) as raised:
        async with transaction(sessions) as session:
            ended = (await session.execute(OWN)).scalar()
            async with one_statement(sessions) as other:
                for _ in range(2):
                    await other.execute(END, {"pid": ended})
            while True:
                await session.execute(OWN)
    assert is_away(raised.value)
    assert is_away(
        translated(asyncpg.InternalClientError("cannot switch to state 12; another operation is in progress"))
    )


async def test_a_statement_that_was_cancelled_leaves_nothing_to_the_next(sessions: Sessions) -> None:
    """Its connection is closed, its place is another's, and what was locked is free."""
    async with one_statement(sessions) as session:
        await session.execute(SLEEP, {"seconds": 0})
        for _ in range(5):  # more than there are connections
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await session.execute(SLEEP, {"seconds": 60})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), transaction(sessions) as both:
                    await both.execute(ADD, {"id": new_id(), "name": "x"})
                    await both.execute(SLEEP, {"seconds": 60})
        assert await session.scalar(COUNT, {"name": "x"}) == 0
        await session.execute(ADD, {"id": new_id(), "name": "x"})


async def test_postgres_that_is_not_there_is_away(settings: Settings) -> None:
    """Nobody listens: that may be tried again."""
    engine = open_engine(settings.model_copy(update={"database_url": "postgresql://quire@127.0.0.1:9/quire"}))
    with pytest.raises((OSError, DBAPIError)) as caught:
        async with transaction(open_sessions(engine)) as session:
            await session.scalar(OWN, {})
    assert is_away(caught.value)
    await engine.dispose()


async def test_disposing_of_the_engine_closes_them_all(sessions: Sessions, settings: Settings) -> None:
    """Nothing stays connected."""
    mine = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    async with transaction(sessions) as session:
        before = await session.scalar(mine, {})
    await sessions.kw["bind"].dispose()
    other = open_engine(settings)
    async with transaction(open_sessions(other)) as session:
        async with asyncio.timeout(10):
            while await session.scalar(mine, {}) > before:  # noqa: ASYNC110 (it is Postgres that lets go of them)
                await asyncio.sleep(0.05)
    await other.dispose()
