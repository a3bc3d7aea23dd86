"""From text to knowledge: chunks, vectors, mentions, entities and relationships, each stage safe to run twice."""

import asyncio
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, func, select, update

from app.db import table_of
from app.entities.mentions import EntityType, Mention, Passage
from app.errors import EntityModelUnavailable
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.knowledge.models import DocumentChunk, Entity, EntityMention, EntityMerge, Relationship
from app.knowledge.vector_models import ChunkVector
from app.pipeline.manifest import stored_result
from app.pipeline.resuming import take_over_run
from app.pipeline.runner import Pipeline
from app.queue import QueueName
from tests.bench import WORKER, Bench
from tests.pipeline.texts import read_job, run_through

LONG = 60
"""More pages than are in memory at once."""


async def rows_of(bench: Bench, model: Any, *conditions: Any) -> list[Any]:
    """The rows of a table that meet some conditions."""
    async with bench.tools.sessions() as session:
        return list((await session.execute(select(table_of(model)).where(*conditions))).all())


async def of_job(bench: Bench, model: Any, job: Job) -> list[Any]:
    """The rows of a table that a job has made."""
    return await rows_of(bench, model, table_of(model).c.job_id == job.id)


async def text_of(bench: Bench, job: Job) -> str:
    """The document's text."""
    return "\f".join(page.text for page in await bench.rows.pages(job.id))


async def object_of(bench: Bench, key: str) -> bytes:
    """What is stored under a key."""
    async with bench.tools.bucket.open(key) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_a_document_comes_to_its_end_with_all_that_it_says(bench: Bench) -> None:
    """Chunks with vectors, mentions in their places, entities of the project, relationships with their sentences."""
    job = await run_through(bench, await read_job(bench))
    assert (job.state, job.stage, job.published) == (JobState.DONE, Stage.FINALIZED, True)
    text = await text_of(bench, job)
    chunks, vectors = await of_job(bench, DocumentChunk, job), await of_job(bench, ChunkVector, job)
    assert len(chunks) == len(vectors) > 0
    assert [chunk.number for chunk in chunks] == list(range(1, len(chunks) + 1))
    mentions = await of_job(bench, EntityMention, job)
    names = {(mention.type, mention.normal_form) for mention in mentions}
    assert {kind for kind, _ in names} >= {"person", "money", "citation", "case_number", "email", "date"}
    for mention in mentions:
        assert text[mention.start_char : mention.end_char].split()[0] == mention.text.split()[0]
        assert mention.boxes
        assert {box["page"] for box in mention.boxes} == {mention.page}
    entities = {entity.id: entity for entity in await rows_of(bench, Entity)}
    assert all(entities[mention.entity_id].type == mention.type for mention in mentions)
    edges = await of_job(bench, Relationship, job)
    assert {edge.type for edge in edges} >= {"party_to", "cites"}
    for said in (said for edge in edges for said in edge.evidence):
        assert " ".join(text[said["start"] : said["end"]].split()) == said["sentence"]
        assert said["boxes"]


async def test_the_last_event_tells_all_figures_and_objects_hold_them(bench: Bench) -> None:
    """The `done` event, the manifest and the rows say the same; the text is that of the pages."""
    job = await run_through(bench, await read_job(bench))
    told = (await bench.rows.events(job.id))[-1]
    assert told.type == "done"
    counted = {
        "chunks": len(await of_job(bench, DocumentChunk, job)),
        "vectors": len(await of_job(bench, ChunkVector, job)),
        "mentions": len(await of_job(bench, EntityMention, job)),
        "relationships": len(await of_job(bench, Relationship, job)),
    }
    assert {name: told.payload[name] for name in counted} == counted
    assert told.payload["pages"] == {"read": 2, "empty": 0, "failed": 0}
    assert (await object_of(bench, told.payload["text_key"])).decode() == await text_of(bench, job) + "\n"
    manifest = orjson.loads(await object_of(bench, told.payload["manifest_key"]))
    assert {name: manifest["figures"][name] for name in counted} == counted
    artefacts = [(artefact["key"], artefact["content_encoding"]) for artefact in manifest["artefacts"]]
    assert artefacts == [(told.payload["text_key"], None), (job.result_key, "gzip")]


@pytest.mark.parametrize("encoding", ["gzip", None])
async def test_a_manifest_says_how_a_result_that_was_taken_over_is_stored(bench: Bench, encoding: str | None) -> None:
    """As the object itself says: it may be older than that such objects are compressed."""
    first = await read_job(bench)
    assert first.result_key is not None
    await bench.tools.bucket.put(first.result_key, b"{}", "application/json", encoding)
    job = await bench.rows.job(
        Stage.QUEUED, JobState.WORKING, reused_job_id=first.id, content_key=first.content_key, options={}
    )
    outcome = await take_over_run(job, Stage.PARSE_VALIDATED, bench.tools)
    await bench.rows.change(job.id, result_key=outcome.changes["result_key"])
    artefact = await stored_result(await bench.rows.find(job.id), bench.tools)
    assert (artefact.key, artefact.content_encoding) == (outcome.changes["result_key"], encoding)


@pytest.mark.parametrize(
    "stage",
    [Stage.CHUNKING, Stage.EMBEDDING, Stage.EMBEDDED, Stage.ENTITIES_EXTRACTED, Stage.ENTITIES_RESOLVED],
)
async def test_a_stage_that_is_run_again_changes_nothing(bench: Bench, stage: Stage) -> None:
    """Thrown back to any stage after its work was written, a job ends with the same rows."""
    job = await run_through(bench, await read_job(bench), until=Stage.RELATIONSHIPS_BUILT)
    before = await all_rows(bench, job)
    await bench.rows.change(job.id, stage=stage)
    job = await run_through(bench, await bench.rows.find(job.id), until=Stage.RELATIONSHIPS_BUILT)
    assert await all_rows(bench, job) == before


async def all_rows(bench: Bench, job: Job) -> dict[str, Any]:
    """What a run has made, without ids that are given anew."""
    return {
        "chunks": sorted((row.id, row.number, row.text) for row in await of_job(bench, DocumentChunk, job)),
        "vectors": sorted((row.chunk_id, row.embedding) for row in await of_job(bench, ChunkVector, job)),
        "mentions": sorted(
            (row.start_char, row.end_char, row.type, row.normal_form, row.entity_id)
            for row in await of_job(bench, EntityMention, job)
        ),
        "merges": sorted((row.normal_form, row.entity_id, row.reason) for row in await of_job(bench, EntityMerge, job)),
        "edges": sorted(
            (row.type, row.source_id, row.target_id, row.role or "", round(row.weight, 6), len(row.evidence))
            for row in await of_job(bench, Relationship, job)
        ),
    }


async def test_a_second_try_writes_over_what_the_first_one_found(bench: Bench) -> None:
    """Also what that took for something else, or found where nothing is: nothing of it is left."""
    job = await run_through(bench, await read_job(bench), until=Stage.ENTITIES_EXTRACTED)
    before = (await all_rows(bench, job))["mentions"]
    mentions = table_of(EntityMention)
    async with bench.tools.sessions.begin() as session:
        of_the_run = update(mentions).where(mentions.c.job_id == job.id)
        await session.execute(of_the_run.values(normal_form="something else"))
        moved = of_the_run.where(mentions.c.start_char == before[0][0])
        await session.execute(moved.values(start_char=100_000, end_char=100_001))
    await bench.rows.change(job.id, stage=Stage.EMBEDDED)
    job = await run_through(bench, await bench.rows.find(job.id), until=Stage.ENTITIES_EXTRACTED)
    assert (await all_rows(bench, job))["mentions"] == before


async def test_stages_in_one_task_make_what_each_by_itself_makes(bench: Bench) -> None:
    """What one has at hand of another is what it would have read."""
    by_itself = await run_through(bench, await read_job(bench))
    job = await read_job(bench)
    await Pipeline(bench.tools, bench.queue, WORKER, list(QueueName)).advance(job.id, job.stage)
    together = await bench.rows.find(job.id)
    assert (together.state, together.published, together.fence) == (JobState.DONE, True, job.fence + 1)
    one, other = await all_rows(bench, by_itself), await all_rows(bench, together)
    assert [each[1:] for each in one["chunks"]] == [each[1:] for each in other["chunks"]]
    assert {row[1] for row in one["vectors"]} == {row[1] for row in other["vectors"]}
    assert (one["mentions"], one["edges"]) == (other["mentions"], other["edges"])


async def test_a_long_document_is_read_in_parts_and_tells_how_far_it_is(bench: Bench) -> None:
    """Mentions of every page are found in their places, and events tell of pages done on the way."""
    texts = [
        f"Page {number} is signed by\nwriter{number}@example.com and nobody else." for number in range(1, LONG + 1)
    ]
    job = await run_through(bench, await read_job(bench, texts), until=Stage.ENTITIES_EXTRACTED)
    found = [each for each in await of_job(bench, EntityMention, job) if each.type == "email"]
    assert sorted(each.page for each in found) == list(range(1, LONG + 1))
    assert {each.text for each in found} == {f"writer{number}@example.com" for number in range(1, LONG + 1)}
    told = [event.payload for event in await bench.rows.events(job.id) if event.type == "progress"]
    assert {each["step"] for each in told} == {"chunking", "entities"}
    assert [each["pages_done"] for each in told if each["step"] == "entities"] == [25, 50]


class Interrupted:
    """An extractor that finds one mention in each passage, and fails at its second call."""

    name = "interrupted"

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def extract(self, passages: list[Passage]) -> list[list[Mention]]:
        """One mention at the beginning of each passage."""
        self.asked += [passage.start for passage in passages]
        if len(self.asked) != len(passages) and self.name == "interrupted":
            self.name = "mended"
            raise EntityModelUnavailable
        return [[_mention(passage)] for passage in passages]

    async def aclose(self) -> None:
        """Hold nothing."""


def _mention(passage: Passage) -> Mention:
    word = passage.text.split()[0]
    return Mention(EntityType.PERSON, word, word.casefold(), 0.9, "test", passage.start, passage.start + len(word))


async def test_extraction_goes_on_where_it_was_cut_off(bench: Bench) -> None:
    """What was read and written before a failure is not read again, and nothing is missing in the end."""
    from dataclasses import replace

    from app.pipeline.runner import Pipeline

    texts = [f"Paragraph {number} stands alone on its page." for number in range(1, LONG + 1)]
    job = await run_through(bench, await read_job(bench, texts), until=Stage.EMBEDDED)
    extractor = Interrupted()
    pipeline = Pipeline(replace(bench.tools, extractor=extractor), bench.queue, "w")  # type: ignore[arg-type]
    await pipeline.advance(job.id, job.stage)
    failed = await bench.rows.find(job.id)
    assert (failed.state, failed.error_code) == (JobState.RETRYABLE, "entity_model_unavailable")
    assert failed.stage_cursor
    before = len(await of_job(bench, EntityMention, job))
    assert before == failed.stage_cursor
    await bench.rows.change(job.id, next_attempt_at=func.now())
    await pipeline.advance(job.id, job.stage)
    after = await of_job(bench, EntityMention, job)
    starts = [mention.start_char for mention in after]
    assert len(starts) == len(set(starts)) == len(set(extractor.asked))
    assert extractor.asked.count(min(extractor.asked)) == 1
    assert (await bench.rows.find(job.id)).stage_cursor is None


async def test_stages_that_are_left_out_leave_nothing(bench: Bench) -> None:
    """For the text alone: no chunk, no mention, and a job that is done all the same."""
    job = await run_through(bench, await read_job(bench, stage=Stage.PARSED, options={"stages": ["ocr"]}))
    assert job.state is JobState.DONE
    assert set(job.stage_timings) == {"parsed", "relationships_built"}
    assert not await of_job(bench, DocumentChunk, job)
    assert not await of_job(bench, EntityMention, job)
    assert job.published


async def test_without_resolution_each_name_is_an_entity(bench: Bench) -> None:
    """Nothing is taken for something else, and what relates still does."""
    job = await run_through(bench, await read_job(bench, options={"entity_resolution": False}))
    assert "entities_extracted" not in job.stage_timings
    assert not await of_job(bench, EntityMerge, job)
    entities = {entity.id: entity for entity in await rows_of(bench, Entity)}
    for mention in await of_job(bench, EntityMention, job):
        assert entities[mention.entity_id].normal_form == mention.normal_form
    assert await of_job(bench, Relationship, job)


async def test_names_that_mean_the_same_are_one_entity_with_the_reason(bench: Bench) -> None:
    """Mr. Goodwin is Charles R. Goodwin, and it is kept why."""
    job = await run_through(bench, await read_job(bench))
    people = [mention for mention in await of_job(bench, EntityMention, job) if mention.type == "person"]
    goodwin = {mention.entity_id for mention in people if "goodwin" in mention.normal_form}
    assert len(goodwin) == 1
    assert len({mention.normal_form for mention in people if "goodwin" in mention.normal_form}) > 1
    (merge,) = [each for each in await of_job(bench, EntityMerge, job) if "goodwin" in each.normal_form]
    assert (merge.entity_id, merge.undone_at) == (goodwin.pop(), None)
    assert 0 < merge.score <= 1
    assert merge.reason


async def test_documents_that_are_resolved_at_once_make_no_doubles(bench: Bench) -> None:
    """However many documents of a project name the same at the same time, it is one entity; in another project, another."""
    jobs = [await run_through(bench, await read_job(bench), until=Stage.EMBEDDED) for _ in range(6)]
    elsewhere = await run_through(bench, await read_job(bench, project="other"), until=Stage.EMBEDDED)
    await asyncio.gather(*(bench.pipeline(f"w{job.id}").advance(job.id, job.stage) for job in [*jobs, elsewhere]))
    meant = [
        {(each.type, each.normal_form): each.entity_id for each in await of_job(bench, EntityMention, job)}
        for job in jobs
    ]
    assert all(each == meant[0] for each in meant)
    entities = await rows_of(bench, Entity, table_of(Entity).c.project_id == jobs[0].project_id)
    assert len(entities) == len({(each.type, each.normal_form) for each in entities}) == len(set(meant[0].values()))
    others = {each.entity_id for each in await of_job(bench, EntityMention, elsewhere)}
    assert not others & set(meant[0].values())


@pytest.mark.parametrize("broken", ["vector", "mention"])
async def test_what_does_not_add_up_is_never_shown(bench: Bench, broken: str) -> None:
    """A chunk without a vector, or a name that means nothing, ends the job loudly, with a code of its own."""
    job = await run_through(bench, await read_job(bench), until=Stage.RELATIONSHIPS_BUILT)
    async with bench.tools.sessions.begin() as session:
        vectors, mentions = table_of(ChunkVector), table_of(EntityMention)
        if broken == "vector":
            await session.execute(delete(vectors).where(vectors.c.job_id == job.id))
        else:
            await session.execute(update(mentions).where(mentions.c.job_id == job.id).values(entity_id=None))
    job = await bench.advance(job)
    assert (job.state, job.error_code, job.published) == (JobState.DEADLETTER, "results_inconsistent", False)
    assert (await bench.rows.events(job.id))[-1].type == "error"


async def test_a_later_run_stands_in_for_the_earlier_one(bench: Bench) -> None:
    """What the earlier run had made is taken away when the later one is whole, and entities that nobody names with it."""
    document = await bench.rows.document()
    first = await run_through(bench, await read_job(bench, ["Write to old@example.com at once."], document=document))
    second = await read_job(bench, ["Write to new@example.com at once."], document=document)
    second = await run_through(bench, second, until=Stage.RELATIONSHIPS_BUILT)
    assert await of_job(bench, DocumentChunk, first)
    second = await run_through(bench, second)
    for model in (DocumentChunk, EntityMention, Relationship, ChunkVector):
        assert not await of_job(bench, model, first)
    assert await of_job(bench, DocumentChunk, second)
    emails = {each.normal_form for each in await rows_of(bench, Entity, table_of(Entity).c.type == "email")}
    assert emails == {"new@example.com"}
    for name in ("text.txt", "manifest.json"):
        assert await bench.tools.bucket.head(f"results/{document.id}/{first.id}/{name}") is None
        assert await bench.tools.bucket.head(f"results/{document.id}/{second.id}/{name}") is not None


async def test_an_empty_document_comes_to_its_end(bench: Bench) -> None:
    """Nothing on any page is no reason to fail."""
    job = await run_through(bench, await read_job(bench, ["", ""]))
    assert (job.state, (await bench.rows.events(job.id))[-1].payload["chunks"]) == (JobState.DONE, 0)
