"""Alerts begin once, end once, and tell of both."""

import asyncio
from datetime import timedelta

from sqlalchemy import select

from app.alerts import repository
from app.alerts.models import AlertCode
from app.alerts.repository import clear_alert, raise_alert
from app.events import Event, EventType, Severity
from tests.bench import Bench


async def told(bench: Bench) -> list[tuple[str | None, Severity, str]]:
    """The events of alerts so far."""
    async with bench.tools.sessions() as session:
        rows = await session.scalars(select(Event).where(Event.type == EventType.ALERT).order_by(Event.id))
        return [(row.code, row.severity, row.payload["alert"]) for row in rows]


async def begin(bench: Bench, subject: str = "batch.high") -> bool:
    """Raise an alert in a transaction of its own."""
    async with bench.tools.sessions.begin() as session:
        return await raise_alert(session, AlertCode.QUEUE_UNSERVED, subject, {"queue": subject})


async def end(bench: Bench, subject: str = "batch.high") -> bool:
    """Clear it."""
    async with bench.tools.sessions.begin() as session:
        return await clear_alert(session, AlertCode.QUEUE_UNSERVED, subject)


async def test_an_alert_begins_once_and_ends_once(bench: Bench) -> None:
    """Whoever raises it again, or clears it again, changes nothing and tells nothing."""
    assert [await begin(bench), await begin(bench), await end(bench), await end(bench)] == [True, False, True, False]
    assert await told(bench) == [
        ("queue_unserved", Severity.ERROR, "raised"),
        ("queue_unserved", Severity.INFO, "cleared"),
    ]


async def test_of_many_that_raise_it_at_once_one_begins_it(bench: Bench) -> None:
    """Every process of the fleet may look at the same time."""
    assert sum(await asyncio.gather(*(begin(bench) for _ in range(8)))) == 1
    assert len(await told(bench)) == 1


async def test_an_alert_that_is_over_may_begin_anew(bench: Bench) -> None:
    """As another row, with its own beginning."""
    assert await begin(bench)
    assert await end(bench)
    assert await begin(bench)
    async with bench.tools.sessions() as session:
        now = await repository.list_alerts(session, project_id=None)
        over = await repository.list_alerts(session, project_id=None, cleared=True)
    assert [alert.cleared_at for alert in now] == [None]
    assert len(over) == 1


async def test_alerts_of_two_subjects_are_two(bench: Bench) -> None:
    """Clearing one leaves the other."""
    assert await begin(bench, "batch.high")
    assert await begin(bench, "batch.low")
    assert await end(bench, "batch.high")
    async with bench.tools.sessions() as session:
        assert await repository.open_subjects(session, AlertCode.QUEUE_UNSERVED) == ["batch.low"]
        assert (await repository.count_open(session))[AlertCode.QUEUE_UNSERVED] == 1


async def test_a_project_sees_its_own_alerts_and_those_of_the_service(bench: Bench) -> None:
    """What concerns another project is none of its business."""
    mine, other = await bench.rows.project(), await bench.rows.project("other")
    async with bench.tools.sessions.begin() as session:
        for project_id in (mine, other):
            await raise_alert(session, AlertCode.BUDGET_SPENT, str(project_id), project_id=project_id)
        await raise_alert(session, AlertCode.ENGINE_AWAY, "local")
        seen = await repository.list_alerts(session, project_id=mine)
    assert {alert.subject for alert in seen} == {str(mine), "local"}


async def test_an_alert_ends_when_it_was_not_found_to_be_so_for_a_while(bench: Bench) -> None:
    """But not one that is named as being so."""
    assert await begin(bench, "batch.high")
    assert await begin(bench, "batch.low")
    async with bench.tools.sessions.begin() as session:
        await repository.clear_unseen(session, AlertCode.QUEUE_UNSERVED, but_for=[], after=timedelta(hours=1))
        assert len(await repository.open_subjects(session, AlertCode.QUEUE_UNSERVED)) == 2
    async with bench.tools.sessions.begin() as session:
        kept = ["batch.low"]
        await repository.clear_unseen(session, AlertCode.QUEUE_UNSERVED, but_for=kept, after=timedelta(0))
        assert await repository.open_subjects(session, AlertCode.QUEUE_UNSERVED) == kept
