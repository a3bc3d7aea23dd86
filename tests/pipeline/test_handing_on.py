"""What a stage hands on to the next one in its task: the same as the rows say, whatever an earlier try left in them."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Row, func, insert, select, text, update

from app import at_hand
from app.db import new_id, table_of
from app.documents import repository as documents
from app.documents.page_writing import ByStatus, save_pages
from app.entities.mentions import EntityType, Mention
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.knowledge import entities, found, mentions, pages
from app.knowledge.mentions import Placed
from app.knowledge.models import DocumentChunk, EntityMention, EntityMerge, Relationship
from app.knowledge.vector_models import ChunkVector
from app.ocr.blocks import PageText
from app.pipeline.runner import Pipeline
from app.queue import QueueName
from tests.bench import WORKER, Bench
from tests.pipeline.texts import page_of, read_job, run_through

WRITTEN = ("Ann Lee", "ANN LEE", "Änn Lee", "Ann Lee", "ANN LEE", "Bo Ek", "bo ek", "Bo EK")
"""Names as they are written; of each form two are written equally often."""


def placed(start: int, written: str) -> Placed:
    """A mention of a person; the form is that of the letters before the blank."""
    form = "ann lee" if written[0] in "AÄ" else "bo ek"
    return Placed(Mention(EntityType.PERSON, written, form, 0.5, "test", start, start + 7), start // 40 + 1, [])


async def test_names_at_hand_are_those_of_the_rows(bench: Bench) -> None:
    """Each as it is most often written, all of them and those that mean nothing yet, on all pages and on some."""
    job = await read_job(bench)
    given = [placed(20 * at, written) for at, written in enumerate(WRITTEN)]
    with at_hand.at_hand():
        async with bench.tools.sessions.begin() as session:
            # One that begins where another does is left out, and the order is that of the document.
            written = await mentions.replace(session, job, [*reversed(given), placed(0, "Bo Ek")])
        found.keep(job.id, written)
        assert len(written) == len(WRITTEN)
        assert await handed_on(bench, job) == await read(bench, job)
        assert [name.count for name in (await handed_on(bench, job))[0]] == [5, 3]
        entity_id = await an_entity(bench, job)
        async with bench.tools.sessions.begin() as session:
            await mentions.link(session, job.id, {(EntityType.PERSON, "bo ek"): entity_id})
        found.note_links(job.id, {(EntityType.PERSON, "bo ek"): entity_id})
        assert await handed_on(bench, job) == await read(bench, job)
        assert [name.normal for name in (await handed_on(bench, job))[1]] == ["ann lee"]


async def test_names_are_told_in_full_at_hand_and_by_the_rows(bench: Bench) -> None:
    """Short forms name nothing that is named in full somewhere, however often they stand."""
    job = await read_job(bench)
    cites = ("556 U.S. at 678", "Roe v. Doe, 556 U.S. 662 (2009)", "556 U.S. at 679", "556 U.S. at 678")
    given = [
        Placed(Mention(EntityType.CITATION, text, "556 U.S. 662", 0.9, "eyecite", 20 * at, 20 * at + 9), 1, [])
        for at, text in enumerate(cites)
    ]
    for at, (name, source) in enumerate([("Acme", "echo"), ("Acme Widgets", "spacy"), ("Acme", "echo")], start=10):
        given.append(
            Placed(Mention(EntityType.ORGANIZATION, name, "acme widgets", 0.9, source, 20 * at, 20 * at + 4), 1, [])
        )
    with at_hand.at_hand():
        async with bench.tools.sessions.begin() as session:
            found.keep(job.id, await mentions.replace(session, job, given))
        assert await handed_on(bench, job) == await read(bench, job)
        assert [name.text for name in (await handed_on(bench, job))[0]] == [cites[1], "Acme Widgets"]


@pytest.mark.parametrize("count", [1, pages.KEPT_PAGES, pages.KEPT_PAGES + 1])
async def test_pages_at_hand_are_those_of_the_rows(bench: Bench, count: int) -> None:
    """Text, lines, and what analysis has found, of as many pages as are kept; more are read from the rows."""
    texts = [analysed(number) for number in range(1, count + 1)]
    job = await bench.rows.job(Stage.PARSING, JobState.WORKING, document=await bench.rows.document())
    async with bench.tools.sessions.begin() as session:
        await save_pages(session, job, texts, pages_done=count)
    with at_hand.at_hand():
        pages.keep(job.id, list(reversed(texts)))
        assert (at_hand.find(job.id, pages.PageBatch) is not None) is (count <= pages.KEPT_PAGES)
        kept = [batch async for batch in pages.page_batches(bench.tools.sessions, job.id, count)]
    assert kept == [batch async for batch in pages.page_batches(bench.tools.sessions, job.id, count)]


async def test_what_became_of_pages_at_hand_is_what_the_rows_say(bench: Bench) -> None:
    """How many were read and how many are empty, and which; the run is said to have had none before, and then some."""
    texts = [page_of(3, ""), page_of(1, "Read."), page_of(2, "")]
    job = await bench.rows.job(Stage.PARSING, JobState.WORKING, document=await bench.rows.document())
    async with bench.tools.sessions.begin() as session:
        saved = [await save_pages(session, job, texts, pages_done=3) for _ in range(2)]
        assert ByStatus.of(texts) == await documents.pages_by_status(session, job.id)
    assert [each.are_first for each in saved] == [True, False]


def analysed(number: int) -> PageText:
    """A page with what makes a difference between memory and rows: figures of all lengths, NUL, layout, and what isn't read on."""
    page = page_of(number, f"Page {number}\x00 of Ünïcode\nand 0.1 + 0.2")
    page.lines[0]["box"] |= {"left": 0.1 + 0.2, "top": 1e-7, "width": 1, "height": 1 / 3}
    found = [{"type": "TITLE", "text": "Page", "confidence": 99.5, "box": page.lines[0]["box"]}] if number % 2 else []
    return replace(page, layout=found, signatures=[{"confidence": 9.0, "box": None}], rotation_degrees=90)


async def handed_on(bench: Bench, job: Job) -> tuple[list[Any], list[Any], list[Any]]:
    """All names, those that mean nothing, and the mentions of the second and third page, as the next stage gets them."""
    sessions = bench.tools.sessions
    names, unlinked = await found.names(sessions, job.id), await found.names(sessions, job.id, unlinked=True)
    return names, unlinked, await found.on_pages(sessions, job.id, 2, 3)


async def read(bench: Bench, job: Job) -> tuple[list[Any], list[Any], list[Any]]:
    """The same, as another task reads it."""
    async with bench.tools.sessions() as session:
        names, unlinked = await mentions.names(session, job.id), await mentions.names(session, job.id, unlinked=True)
        return names, unlinked, await mentions.on_pages(session, job.id, 2, 3)


async def an_entity(bench: Bench, job: Job) -> Any:
    """The id of an entity of a job's project."""
    draft = entities.EntityDraft(EntityType.PERSON, "bo ek", "Bo Ek", ())
    async with bench.tools.sessions.begin() as session:
        (entity_id,) = (await entities.upsert(session, job.project_id, [draft])).values()
    return entity_id


@pytest.mark.parametrize("stage", [Stage.CHUNKING, Stage.EMBEDDED, Stage.ENTITIES_EXTRACTED, Stage.ENTITIES_RESOLVED])
async def test_what_an_earlier_try_left_is_written_over_in_one_task(bench: Bench, stage: Stage) -> None:
    """Chunks, names, what they were taken for and what relates them: all that comes after is as if that try had not been."""
    job = await run_through(bench, await read_job(bench), until=Stage.RELATIONSHIPS_BUILT)
    before = await made(bench, job)
    assert all(before.values())
    await leave_something(bench, job, stage)
    assert await made(bench, job) != before
    await bench.rows.change(job.id, stage=stage)
    await Pipeline(bench.tools, bench.queue, WORKER, list(QueueName)).advance(job.id, stage)
    job = await bench.rows.find(job.id)
    assert (job.state, job.error_message) == (JobState.DONE, None)
    assert await made(bench, job) == before


async def leave_something(bench: Bench, job: Job, stage: Stage) -> None:
    """Change what the stages from one on have made, and add to it."""
    async with bench.tools.sessions.begin() as session:
        if stage is Stage.CHUNKING:
            chunks = table_of(DocumentChunk)
            await session.execute(update(chunks).where(chunks.c.job_id == job.id).values(text="cut otherwise"))
            await add_like(session, DocumentChunk, job, id=new_id(), number=100)
        if stage in {Stage.CHUNKING, Stage.EMBEDDED}:
            await add_like(session, EntityMention, job, start_char=100_000, end_char=100_001)
        if stage is not Stage.ENTITIES_RESOLVED:
            merges = table_of(EntityMerge)
            await session.execute(update(merges).where(merges.c.job_id == job.id).values(score=0.1, reason="guessed"))
            await add_like(session, EntityMerge, job, id=new_id(), normal_form="somebody else")
        edges = table_of(Relationship)
        await session.execute(update(edges).where(edges.c.job_id == job.id).values(weight=0.1, evidence=[]))
        await add_like(session, Relationship, job, id=new_id(), role="nobody")


async def add_like(session: Any, model: Any, job: Job, **columns: Any) -> None:
    """One more row like the first one that a job has made."""
    table = table_of(model)
    row: Row[Any] = (await session.execute(select(table).where(table.c.job_id == job.id).limit(1))).one()
    made_up = {column.name for column in table.columns if column.computed is not None}
    told = {name: value for name, value in row._mapping.items() if name not in made_up}
    await session.execute(insert(table).values(told | columns))


async def made(bench: Bench, job: Job) -> dict[str, Any]:
    """What a run has made, without the ids of relationships, which are given anew."""
    shown: dict[Any, tuple[str, ...]] = {
        DocumentChunk: ("id", "number", "text", "start_char"),
        ChunkVector: ("chunk_id", "embedding"),
        EntityMention: ("start_char", "end_char", "type", "normal_form", "entity_id"),
        EntityMerge: ("normal_form", "entity_id", "score", "reason"),
        Relationship: ("type", "source_id", "target_id", "role", "weight", "evidence"),
    }
    rows = {}
    async with bench.tools.sessions() as session:
        for model, names in shown.items():
            table = table_of(model)
            columns = [func.coalesce(table.c[name], "") if name == "role" else table.c[name] for name in names]
            query = select(*columns).where(table.c.job_id == job.id).order_by(*columns)
            rows[table.name] = [tuple(row) for row in await session.execute(query)]
    return rows


async def test_what_a_stage_writes_does_not_wait_for_the_disk(bench: Bench) -> None:
    """In the one transaction that it is written in: the next one of the same connection, such as the move, waits."""
    job = await read_job(bench)
    async with bench.tools.sessions.kw["bind"].connect() as connection:
        await connection.execute(text("SET synchronous_commit = on"))
        await connection.commit()
        await mentions.replace(connection, job, [placed(0, "Ann Lee")])
        assert await connection.scalar(text("SHOW synchronous_commit")) == "off"
        await connection.commit()
        assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
        await connection.execute(text("RESET synchronous_commit"))
        await connection.commit()
