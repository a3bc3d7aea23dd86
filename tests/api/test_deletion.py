"""Erasing a document: nothing of it is left in Postgres, S3 or Redis but the event that says who did it; others are untouched."""

import asyncio
from datetime import timedelta

from sqlalchemy import func, select, text, update

from app.config import Settings
from app.db import table_of
from app.documents.models import Document, Erasure
from app.entities.mentions import EntityExtractor
from app.events import Event
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.knowledge.erasing import Erasing
from app.pipeline.resuming import take_over_run
from app.resources import open_resources
from app.storage.s3 import Bucket
from tests.api.running import client_with, problem_of
from tests.bench import Bench, open_bench
from tests.pipeline.slow import Slow
from tests.pipeline.texts import read_job, run_through
from tests.service import Client, client_of, make_key

erasures = table_of(Erasure)


def erasing(bench: Bench, *, settles_after: timedelta = timedelta(0)) -> Erasing:
    """What erases documents in a worker."""
    tools = bench.tools
    return Erasing(tools.sessions, tools.bucket, tools.redis, tools.slots, settles_after)


async def rows_of(bench: Bench, document: Document) -> dict[str, int]:
    """How many rows there are of a document, by table, and of its erasure."""
    async with bench.tools.sessions() as session:
        names = await session.scalars(_TABLES)
        told = {"id": document.id}
        counts = {
            name: await session.scalar(text(f"SELECT count(*) FROM {name} WHERE document_id = :id"), told)
            for name in names
        }
        counts["documents"] = await session.scalar(text("SELECT count(*) FROM documents WHERE id = :id"), told)
    return {name: int(count) for name, count in counts.items() if count}


_TABLES = text("""
    SELECT table_name FROM information_schema.columns
    WHERE column_name = 'document_id' AND table_schema = 'public' ORDER BY table_name
""")


async def keys_of(bucket: Bucket, document: Document) -> list[str]:
    """The objects of a document."""
    pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return [each["Key"] async for page in pages for each in page.get("Contents", ()) if str(document.id) in each["Key"]]


async def store_more(bench: Bench, document: Document, job: Job) -> None:
    """What is stored and cached of a document beside its rows."""
    for key in (f"formats/{document.id}/x/searchable.pdf", f"parts/{document.id}/{job.id}/1.pdf"):
        await bench.tools.bucket.put(key, b"x", "application/pdf")
    for key in (f"doc:state:{document.id}", f"doc:ocr:{document.id}"):
        await bench.tools.redis.set(key, "x")


async def cached(bench: Bench, document: Document) -> list[bytes]:
    """What Redis has of a document."""
    return [key async for key in bench.tools.redis.scan_iter(match=f"*{document.id}*")]


async def document_of(bench: Bench, job: Job) -> Document:
    """A job's document."""
    async with bench.tools.sessions() as session:
        return (await session.scalars(select(Document).where(Document.id == job.document_id))).one()


async def names(client: Client) -> set[str]:
    """The names of all entities of the project."""
    found = (await client.get("/v1/entities", params={"limit": 200})).json()["items"]
    return {entity["name"] for entity in found}


async def test_nothing_is_left(bench: Bench, client: Client) -> None:
    """204, then 404 for everything of it; no row, object or cache remains; the event names it, the key and the request."""
    job = await run_through(bench, await read_job(bench))
    document = await document_of(bench, job)
    await store_more(bench, document, job)
    assert await names(client)
    assert len(await keys_of(bench.tools.bucket, document)) == 6
    answer = await client.delete(f"/v1/documents/{document.id}")
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    for path in ("", "/text", "/pages", "/chunks", "/entities", "/trace"):
        problem_of(await client.get(f"/v1/documents/{document.id}{path}"), 404, "document_not_found")
    problem_of(await client.get(f"/v1/jobs/{job.id}"), 404, "job_not_found")
    problem_of(await client.delete(f"/v1/documents/{document.id}"), 404, "document_not_found")
    assert await rows_of(bench, document) == {"erasures": 1}
    assert await keys_of(bench.tools.bucket, document) == []
    assert await cached(bench, document) == []
    assert await names(client) == set()
    async with bench.tools.sessions() as session:
        [event] = (await session.scalars(select(Event).where(Event.code == "document_erased"))).all()
    assert event.payload == {"document_id": str(document.id), "job_ids": [str(job.id)]}
    assert (event.request_id, event.project_id) == (answer.headers["x-request-id"], document.project_id)
    assert event.api_key_id is not None
    assert (await client.get("/v1/documents")).json()["items"] == []


async def test_what_others_say_stays(bench: Bench, client: Client) -> None:
    """Entities that another document names stay, with its mentions and relationships; those of the erased one alone go."""
    kept = await run_through(
        bench, await read_job(bench, ("Acme Widgets, Inc. denies it. Write to clerk@example.com.",))
    )
    erased = await run_through(bench, await read_job(bench))
    before = await names(client)
    assert (await client.delete(f"/v1/documents/{erased.document_id}")).status_code == 204
    after = await names(client)
    assert after < before
    assert any("Acme" in name for name in after)
    assert not any("Goodwin" in name for name in after)
    mentions = (await client.get(f"/v1/documents/{kept.document_id}/entities")).json()["items"]
    assert {entity["name"] for entity in mentions} == after
    found = (await client.post("/v1/search", json={"query": "Goodwin San Francisco"})).json()["items"]
    assert all(hit["document_id"] == str(kept.document_id) for hit in found)


async def test_entities_that_were_merged_go_too(bench: Bench, client: Client) -> None:
    """One that was merged into another by hand is forgotten with the only document that names it."""
    await run_through(bench, await read_job(bench, ("Charles R. Goodwin lives in San Francisco.",)))
    erased = await run_through(bench, await read_job(bench, ("Margaret Thornbury lives in San Francisco.",)))
    found = {each["name"]: each["id"] for each in (await client.get("/v1/entities")).json()["items"]}
    one, other = found["Charles R. Goodwin"], found["Margaret Thornbury"]
    merged = await client.post(f"/v1/entities/{one}/merge", json={"entity_ids": [other]})
    assert merged.is_success, merged.text
    assert (await client.delete(f"/v1/documents/{erased.document_id}")).status_code == 204
    async with bench.tools.sessions() as session:
        left = set(await session.scalars(text("SELECT name FROM entities")))
    assert "Margaret Thornbury" not in left
    assert {"Charles R. Goodwin", "San Francisco"} <= left


async def test_its_jobs_are_cancelled(quick: Settings) -> None:
    """One that waits is, with its event; a worker that has one finds it gone, stops, and brings nothing back."""
    extractor = Slow()
    async with open_bench(quick, extractor) as bench, client_with(quick) as client:
        waiting, working, pipeline = (
            await bench.rows.job(),
            await read_job(bench, stage=Stage.EMBEDDED),
            bench.pipeline(),
        )
        at_work = asyncio.create_task(pipeline.advance(working.id, working.stage))
        await extractor.begun.wait()
        for job in (waiting, working):
            assert (await client.delete(f"/v1/documents/{job.document_id}")).status_code == 204
        await pipeline.stop_cancelled()
        await at_work
        assert extractor.cut_off.is_set()
        async with bench.tools.sessions() as session:
            assert await session.scalar(select(func.count()).select_from(table_of(Job))) == 0
            ended = (await session.scalars(select(Event).where(Event.type == "done"))).all()
        assert [event.payload["message"] for event in ended] == ["The job was cancelled."]


async def test_a_result_that_others_have_taken_over_stays_theirs(bench: Bench, client: Client) -> None:
    """A job that reuses what another document's job has read has a copy of its own."""
    first = await read_job(bench)
    second = await bench.rows.job(
        Stage.QUEUED, JobState.WORKING, reused_job_id=first.id, content_key=first.content_key, options={}
    )
    outcome = await take_over_run(second, Stage.PARSE_VALIDATED, bench.tools)
    await bench.rows.change(
        second.id, stage=Stage.PARSE_VALIDATED, result_key=outcome.changes["result_key"], pages_done=2, pages_total=2
    )
    assert (await client.delete(f"/v1/documents/{first.document_id}")).status_code == 204
    read = (await client.get(f"/v1/documents/{second.document_id}/text")).text
    assert "Ashcroft" in read
    assert (await client.get(f"/v1/documents/{second.document_id}/textract")).json() == {"Blocks": []}


async def test_who_dies_over_it_is_gone_on_for(bench: Bench, client: Client) -> None:
    """With the first commit it is gone for everybody; a worker takes away what is left, and looks once more in the end."""
    job = await run_through(bench, await read_job(bench))
    document = await document_of(bench, job)
    await store_more(bench, document, job)
    async with bench.tools.sessions.begin() as session:  # as far as one came that died after its first commit
        await session.execute(update(table_of(Document)).where(Document.id == document.id).values(erased_at=func.now()))
        session.add(Erasure(document_id=document.id, project_id=document.project_id, s3_key=document.s3_key))
    problem_of(await client.get(f"/v1/documents/{document.id}"), 404, "document_not_found")
    assert (await client.get("/v1/documents")).json()["items"] == []
    worker = erasing(bench, settles_after=timedelta(hours=1))
    await worker.finish_erasures()
    assert await rows_of(bench, document) == {"erasures": 1}
    assert await keys_of(bench.tools.bucket, document) == []
    # What a stage stores that was at work then is found by the last look, after which nothing is known of it any more.
    await bench.tools.bucket.put(f"results/{document.id}/late", b"x", "text/plain")
    await worker.finish_erasures()
    assert await rows_of(bench, document) == {"erasures": 1}
    async with bench.tools.sessions.begin() as session:
        await session.execute(update(erasures).values(due_at=func.now()))
    await erasing(bench).finish_erasures()
    assert await rows_of(bench, document) == {}
    assert await keys_of(bench.tools.bucket, document) == []


async def test_a_bucket_that_is_away_is_no_reason_to_keep_it(bench: Bench, quick: Settings, client: Client) -> None:
    """It is gone for everybody all the same; its objects are taken away once the bucket is back."""
    job = await read_job(bench)
    document = await document_of(bench, job)
    async with client_with(quick, aws_endpoint_url_s3="http://127.0.0.1:9") as cut_off:
        assert (await cut_off.delete(f"/v1/documents/{document.id}")).status_code == 204
    problem_of(await client.get(f"/v1/documents/{document.id}"), 404, "document_not_found")
    assert await keys_of(bench.tools.bucket, document)
    async with bench.tools.sessions.begin() as session:
        await session.execute(update(erasures).values(due_at=func.now()))
    await erasing(bench).finish_erasures()
    assert await keys_of(bench.tools.bucket, document) == []


async def test_of_many_who_erase_it_one_does(bench: Bench, quick: Settings, address: str, client: Client) -> None:
    """The others, and other projects, are told that there is no such document; it is erased once."""
    job = await read_job(bench)
    async with client_of(address, await make_key(quick, "another")) as stranger:
        problem_of(await stranger.delete(f"/v1/documents/{job.document_id}"), 404, "document_not_found")
    answers = await asyncio.gather(*(client.delete(f"/v1/documents/{job.document_id}") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404, 404]
    async with bench.tools.sessions() as session:
        assert len((await session.scalars(select(Event).where(Event.code == "document_erased"))).all()) == 1


async def test_results_that_textract_has_stored_go_too(quick: Settings, extractor: EntityExtractor) -> None:
    """Where Textract writes to a bucket, the folders of the document's OCR jobs are emptied, and no others."""
    told = quick.model_copy(update={"textract_output_bucket": quick.s3_bucket, "textract_output_prefix": "/out/"})
    async with open_resources(told, extractor=extractor) as resources, client_with(told) as client:
        submitted = await client.submit(b"%PDF-1.4 text")
        for folder in ("theirs", "others"):
            await resources.bucket.put(f"out/{folder}/1", b"{}", "application/json")
        async with resources.sessions.begin() as session:
            said = {"document": submitted["document"]["id"], "job": submitted["job"]["id"]}
            await session.execute(_OCR_JOB, said)
        assert (await client.delete(f"/v1/documents/{submitted['document']['id']}")).status_code == 204
        assert await resources.bucket.head("out/theirs/1") is None
        assert await resources.bucket.head("out/others/1") is not None


_OCR_JOB = text("""
    INSERT INTO textract_jobs (id, project_id, document_id, job_id, part, first_page, generation, engine, operation, token,
        textract_job_id, status, started_at)
    SELECT id, project_id, document_id, id, 1, 1, 0, 'textract', 'detection', 'token', 'theirs', 'SUCCEEDED', now()
    FROM jobs WHERE id = CAST(:job AS uuid) AND document_id = CAST(:document AS uuid)
""")
