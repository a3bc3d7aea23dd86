"""No list reads more than it shows, by much, whatever is asked for and however many rows there are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql

from app.documents import listing as document_listing
from app.documents.intake import MediaType
from app.documents.listing import DocumentFilter
from app.jobs import listing
from app.jobs.listing import JobFilter
from app.jobs.states import JobState, Priority, Stage
from tests.bench import Bench
from tests.jobs.many_rows import RARE, fill

ROWS = 20_000
PAGE = 51
OFTEN = 4500
"""Rows that may be touched for a page: of each place of the index as many as the page has."""


async def test_no_list_of_jobs_scans(bench: Bench) -> None:
    """Each filter, those that only old jobs fulfil among them, is served by an index; a list finds them all the same."""
    project = await bench.rows.project()
    await fill(bench.tools.sessions, project, ROWS)
    now = datetime.now(UTC)
    for wanted in (
        JobFilter(),
        *(JobFilter(states=(state,)) for state in JobState),
        JobFilter(states=tuple(JobState)),
        JobFilter(stages=(Stage.CHUNKING,)),
        JobFilter(states=(JobState.DONE,), stages=(Stage.CHUNKING,)),
        JobFilter(priorities=(Priority.HIGH,)),
        JobFilter(codes=(RARE,)),
        JobFilter(codes=(RARE, "internal_error"), states=(JobState.DEADLETTER,)),
        JobFilter(created_to=now - timedelta(seconds=ROWS - 20)),
        JobFilter(finished_to=now - timedelta(seconds=ROWS - 20)),
        JobFilter(finished_from=now - timedelta(seconds=20)),
    ):
        touched = await rows_touched(bench, listing.listed(project, wanted, None, PAGE))
        assert touched <= OFTEN, (wanted, touched)
    async with bench.tools.sessions() as session:
        [rare] = await listing.list_jobs(session, project, JobFilter(codes=(RARE,)), before=None, limit=PAGE)
        assert rare.priority is Priority.HIGH


async def test_no_list_of_documents_scans(bench: Bench) -> None:
    """The same of documents; what a name begins with is taken as it stands, percent signs and all."""
    project = await bench.rows.project()
    await fill(bench.tools.sessions, project, ROWS)
    now = datetime.now(UTC)
    for wanted in (
        DocumentFilter(),
        DocumentFilter(external_id=RARE),
        DocumentFilter(external_id=RARE, states=(JobState.DEADLETTER,)),
        DocumentFilter(sha256="0" * 64),
        DocumentFilter(media_type=MediaType.PNG),
        DocumentFilter(filename_prefix="rare 100%"),
        DocumentFilter(filename_prefix="file-"),
        *(DocumentFilter(states=(state,)) for state in JobState),
        DocumentFilter(created_to=now - timedelta(seconds=ROWS - 20)),
    ):
        touched = await rows_touched(bench, document_listing.listed(project, wanted, None, PAGE))
        assert touched <= OFTEN, (wanted, touched)
    async with bench.tools.sessions() as session:
        for prefix, count in (("RARE 100%", 1), ("rare%", 0), ("rare 1", 1)):
            wanted = DocumentFilter(filename_prefix=prefix)
            found = await document_listing.list_documents(session, project, wanted, before=None, limit=PAGE)
            assert len(found) == count, prefix


async def rows_touched(bench: Bench, query: Select[Any]) -> int:
    """How many rows a statement reads from tables and indexes, by Postgres' own account. Fails the test where it scans."""
    told = query.compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy's
        compile_kwargs={"literal_binds": True},
    )
    async with bench.tools.sessions() as session:
        explained = await session.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {told}".replace(":", r"\:")))
    plan = explained.scalar_one()[0]["Plan"]
    scans = [node for node in nodes(plan) if node.get("Relation Name") or "Index Name" in node]
    assert not any(node["Node Type"] == "Seq Scan" for node in scans), plan
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]) for node in scans
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's nodes."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
