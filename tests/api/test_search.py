"""Searching, as users do: by words, by meaning, by both, and with filters."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.api.search_schemas import marked
from app.batches.models import Batch
from app.config import Settings
from app.knowledge import search_sql
from app.knowledge.search_sql import Shape
from app.knowledge.vectors import as_text
from tests.api.running import problem_of
from tests.api.searching import FILING, search, texts
from tests.batches.batching import BatchBench
from tests.bench import Bench, open_bench
from tests.embeddings.endpoint import DIMENSIONS, running_endpoint
from tests.knowledge.filed import file_document, name_entity
from tests.service import Client, client_of, make_key, running_api


async def test_a_hit_says_what_it_is_and_where(client: Client, bench: Bench) -> None:
    """Document, pages, boxes and character range, the words marked, and why it stands where it does."""
    filed = await file_document(bench, FILING)
    (hit,) = (await search(client, "revenue region", mode="text"))["items"]
    assert (hit["document_id"], hit["number"], hit["text"]) == (str(filed.document_id), 3, FILING[2])
    assert (hit["first_page"], hit["last_page"], hit["start"], hit["end"]) == (3, 3, 2000, 3000)
    assert hit["boxes"] == [{"page": 3, "left": 0.1, "top": 0.2, "width": 0.5, "height": 0.02}]
    assert (hit["text_rank"], hit["vector_rank"], hit["similarity"]) == (1, None, None)
    assert hit["score"] == pytest.approx(1 / 61)
    assert "<mark>revenue</mark> grew" in hit["highlight"]
    assert "northern <mark>region</mark>" in hit["highlight"]
    assert "<b>" not in hit["highlight"]


async def test_words_are_searched_as_search_engines_do(client: Client, bench: Bench) -> None:
    """All words, a phrase, one or the other, and not: in any form that the words may have."""
    await file_document(bench, FILING)
    first, second, third = FILING
    assert await texts(client, "dismiss court", mode="text") == [first]
    assert await texts(client, '"lack of subject-matter jurisdiction"', mode="text") == [first]
    assert await texts(client, '"jurisdiction of lack"', mode="text") == []
    assert set(await texts(client, "revenue or plaintiff", mode="text")) == {second, third}
    assert await texts(client, "dismissal -plaintiff", mode="text") == [first]
    assert await texts(client, "the of and", mode="text") == []
    assert await texts(client, '") OR (" & | ! <-> :* \\', mode="text") == []


DOCKET = (
    "Case 8:16-cv-01261-FLA was closed; see No. 21-50498.",
    "In 3:20-CV-257 the clerk sent form 21-800 for loan 00516242060.",
    "Of 2020-05-12, at http://courts.example/'12' it was -5 degrees.",
)


@pytest.mark.parametrize(
    ("query", "found", "mark"),
    [
        ("50498", [0], "21-<mark>50498</mark>"),
        ("21-50498", [0], "No. <mark>21</mark>-<mark>50498</mark>"),
        ('"no. 21-50498"', [0], "<mark>21</mark>-<mark>50498</mark>"),
        ("01261", [0], "cv-<mark>01261</mark>-FLA"),
        ("1261", [0], "cv-<mark>01261</mark>-FLA"),
        ("8:16-cv-01261", [0], "<mark>16</mark>-<mark>cv</mark>-<mark>01261</mark>-FLA"),
        ("16-cv-1261", [0], "<mark>16</mark>-<mark>cv</mark>-<mark>01261</mark>-FLA"),
        ('"cv 1261"', [0], "<mark>cv</mark>-<mark>01261</mark>"),
        ("257", [1], "-<mark>257</mark> the clerk"),
        ("20-CV-257", [1], "<mark>20</mark>-<mark>CV</mark>-<mark>257</mark>"),
        ("800", [1], "21-<mark>800</mark>"),
        ("00516242060", [1], "<mark>00516242060</mark>"),
        ("05", [2], "-<mark>05</mark>-12"),
        ("5", [2], "-<mark>5</mark>"),
        ("courts.example/'12'", [2], "</mark>"),
        ("clerk -1261", [1], "<mark>clerk</mark>"),
        ("clerk -800", [], ""),
        ('"50498 21"', [], ""),
        ('"16 01261"', [], ""),
        ("0498", [], ""),
    ],
)
async def test_numbers_are_found_however_they_are_written(
    client: Client, bench: Bench, query: str, found: list[int], mark: str
) -> None:
    """After a hyphen as well, and with zeros in front or without; in phrases, and where they are not to be there."""
    await file_document(bench, DOCKET, embedded=False)
    hits = (await search(client, query, mode="text"))["items"]
    assert [hit["text"] for hit in hits] == [DOCKET[number] for number in found]
    assert all(mark in hit["highlight"] for hit in hits), hits


async def test_meaning_leaves_out_what_has_a_number_after_a_hyphen(client: Client, bench: Bench) -> None:
    """As words do."""
    await file_document(bench, DOCKET)
    assert set(await texts(client, "court -257", mode="vector")) == {DOCKET[0], DOCKET[2]}


async def test_meaning_finds_what_words_do_not(client: Client, bench: Bench) -> None:
    """The nearest comes first, though it has no word of the query's; a hybrid search finds both kinds."""
    await file_document(bench, FILING)
    assert await texts(client, "lawsuit thrown out by judge", mode="text") == []
    nearest = (await search(client, "company earnings increased", mode="vector"))["items"]
    assert nearest[0]["text"] == FILING[2]
    assert [hit["vector_rank"] for hit in nearest] == [1, 2, 3]
    assert nearest[0]["similarity"] > nearest[1]["similarity"] > nearest[2]["similarity"]
    both = (await search(client, "plaintiff appeals"))["items"]
    assert (both[0]["text"], both[0]["text_rank"], both[0]["vector_rank"]) == (FILING[1], 1, 1)
    assert len(both) == 3


async def batch_of(bench: Bench, document_id: UUID) -> Batch:
    """A batch that a document was taken with."""
    batching = BatchBench(bench, await bench.rows.project())
    batch = (await batching.submit(document_id)).batch
    await batching.taking().take(batch.id)
    return batch


async def test_filters_narrow_what_is_found(client: Client, bench: Bench) -> None:
    """By document, by when it came in, by who is named; and by all of them together."""
    long_ago = datetime.now(UTC) - timedelta(days=400)
    old = await file_document(bench, ["the motion of old", "the motion of yore"], created_at=long_ago)
    new = await file_document(bench, ["the motion of today"])
    batch = await batch_of(bench, new.document_id)
    person = await name_entity(bench, old, 2)
    alias = await name_entity(bench, new, 1, merged_into=person)
    year_ago = (datetime.now(UTC) - timedelta(days=365)).isoformat()
    for mode in ("text", "vector", "hybrid"):
        for filters, expected in (
            ({}, {"the motion of old", "the motion of yore", "the motion of today"}),
            ({"document_ids": [str(old.document_id)]}, {"the motion of old", "the motion of yore"}),
            ({"document_ids": [str(uuid4())]}, set()),
            ({"batch_ids": [str(batch.id)]}, {"the motion of today"}),
            ({"batch_ids": [str(uuid4())]}, set()),
            ({"created_after": year_ago}, {"the motion of today"}),
            ({"created_before": year_ago}, {"the motion of old", "the motion of yore"}),
            ({"entity_ids": [str(person)]}, {"the motion of yore", "the motion of today"}),
            ({"entity_ids": [str(alias)]}, {"the motion of today"}),
            ({"entity_ids": [str(person)], "created_before": year_ago}, {"the motion of yore"}),
            ({"entity_ids": [str(person)], "document_ids": [str(new.document_id)]}, {"the motion of today"}),
        ):
            assert set(await texts(client, "motion", mode=mode, filters=filters)) == expected, (mode, filters)


def shapes_of(flags: dict[str, bool]) -> list[Shape]:
    """The ways that lead to the same chunks."""
    narrow = Shape(**flags, narrow=True)
    return [narrow, replace(narrow, named_rarely=True), Shape(**flags)]


async def test_many_chunks_are_found_by_the_same_rules_as_few(bench: Bench) -> None:
    """What a wide search finds, by way of the indexes, is what a narrow one finds."""
    long_ago = datetime.now(UTC) - timedelta(days=400)
    old = await file_document(bench, ["motion one", "motion two"], created_at=long_ago)
    await file_document(bench, ["motion three"])
    await file_document(bench, ["motion of a run that is under way"], published=False)
    await file_document(bench, ["motion of others"], project="another")
    embedder = bench.tools.embedding.embedders.current
    told = {
        "project": old.job.project_id,
        "documents": [old.document_id],
        "batches": [(await batch_of(bench, old.document_id)).id],
        "entities": [await name_entity(bench, old, 2)],
        "after": None,
        "before": datetime.now(UTC) - timedelta(days=365),
        "unwanted": "three",
        "vector": as_text((await embedder.embed(["motion"]))[0]),
        "most": 10,
    }
    filters: list[tuple[dict[str, bool], int]] = [
        ({}, 3),
        ({"documents": True}, 2),
        ({"batches": True}, 2),
        ({"dates": True}, 2),
        ({"entities": True}, 1),
        ({"unwanted": True}, 2),
    ]
    for flags, count in filters:
        found: list[set[Any]] = []
        for shape in shapes_of(flags):
            async with bench.tools.sessions.begin() as session:
                await session.execute(search_sql.SETTINGS)
                by_vector = await session.execute(search_sql.by_vector(shape, embedder.name, embedder.dimensions), told)
                told["query"] = "'motion' & !'three'" if shape.unwanted else "'motion'"
                by_text = await session.execute(search_sql.by_text(shape), told)
                found += [{row.id for row in by_text}, {row.id for row in by_vector}]
        assert [len(each) for each in found] == [count] * len(found), flags
        assert all(each == found[0] for each in found), flags


async def test_a_search_sees_its_own_project_and_what_is_whole(client: Client, bench: Bench) -> None:
    """Neither another project's documents nor a run that is still under way, whatever the filters name."""
    other = await file_document(bench, ["the motion of others"], project="another")
    await file_document(bench, ["the motion under way"], published=False)
    assert await texts(client, "motion") == []
    assert await texts(client, "motion", filters={"document_ids": [str(other.document_id)]}) == []
    entity = await name_entity(bench, other, 1)
    assert await texts(client, "motion", filters={"entity_ids": [str(entity)]}) == []


async def test_hits_are_paged(client: Client, bench: Bench) -> None:
    """Each hit comes once, in the order of a search without pages."""
    await file_document(bench, [f"motion number {number} " + "word " * number for number in range(25)])
    whole = await search(client, "motion", limit=100)
    assert (len(whole["items"]), whole["next"]) == (25, None)
    paged, cursor = [], None
    while True:
        page = await search(client, "motion", limit=10, cursor=cursor)
        paged += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["items"]) == 10
    assert [hit["chunk_id"] for hit in paged] == [hit["chunk_id"] for hit in whole["items"]]


async def test_nothing_has_been_filed_yet(client: Client) -> None:
    """No documents, no hits, no error."""
    for mode in ("text", "vector", "hybrid"):
        assert await search(client, "motion", mode=mode) == {"items": [], "next": None, "notes": []}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/body/query"),
        ({"query": ""}, "/body/query"),
        ({"query": "  \n"}, "/body/query"),
        ({"query": "x" * 1001}, "/body/query"),
        ({"query": "a\x00b"}, "/body/query"),
        ({"query": 7}, "/body/query"),
        ({"query": "a", "mode": "magic"}, "/body/mode"),
        ({"query": "a", "limit": 0}, "/body/limit"),
        ({"query": "a", "limit": 101}, "/body/limit"),
        ({"query": "a", "more": 1}, "/body/more"),
        ({"query": "a", "min_similarity": 1.5}, "/body/min_similarity"),
        ({"query": "a", "filters": {"document_ids": ["x"]}}, "/body/filters/document_ids/0"),
        ({"query": "a", "filters": {"document_ids": []}}, "/body/filters/document_ids"),
        ({"query": "a", "filters": {"entity_ids": [str(uuid4())] * 101}}, "/body/filters/entity_ids"),
        ({"query": "a", "filters": {"created_after": "2026-01-01T00:00:00"}}, "/body/filters/created_after"),
        ({"query": "a", "filters": {"batch_id": str(uuid4())}}, "/body/filters/batch_id"),
        (
            {
                "query": "a",
                "filters": {"created_after": "2026-01-02T00:00:00Z", "created_before": "2026-01-01T00:00:00Z"},
            },
            "/body/filters",
        ),
    ],
)
async def test_a_search_that_can_not_be_made_says_why(client: Client, body: dict[str, Any], pointer: str) -> None:
    """The field that is wrong is named."""
    problem = problem_of(await client.post("/v1/search", json=body), 422, "request_invalid")
    assert pointer in [each["pointer"] for each in problem["errors"]]


async def test_a_cursor_of_nobody_is_refused(client: Client) -> None:
    """One that no search gave, be it past the end of all of them."""
    for cursor in ("!!", "bjUwMA", "eDE"):
        answer = await client.post("/v1/search", json={"query": "a", "cursor": cursor})
        problem_of(answer, 422, "request_invalid")


async def test_searches_need_a_key(client: Client) -> None:
    """As all calls do."""
    answer = await client.post("/v1/search", json={"query": "a"}, headers={"Authorization": "Bearer none"})
    problem_of(answer, 401, "unauthorized")


async def test_words_answer_while_the_model_is_away(quick: Settings) -> None:
    """A hybrid search goes on by words, and says so; one by meaning alone is a 503 to be tried again."""
    async with running_endpoint() as endpoint:
        changes = {
            "embedding_url": endpoint.address,
            "embedding_model": "remote",
            "embedding_dimensions": DIMENSIONS,
            "embedding_tries": 1,
        }
        settings = quick.model_copy(update=changes)
        async with open_bench(settings) as bench, running_api(settings) as address:
            await file_document(bench, FILING)
            async with client_of(address, await make_key(settings)) as client:
                assert len(await texts(client, "revenue")) == 3
                endpoint.refuse(503, times=2)
                found = await search(client, "revenue")
                assert [hit["text"] for hit in found["items"]] == [FILING[2]]
                assert [note["code"] for note in found["notes"]] == ["embedding_unavailable"]
                answer = await client.post("/v1/search", json={"query": "revenue", "mode": "vector"})
                problem_of(answer, 503, "embedding_unavailable")
                assert int(answer.headers["retry-after"]) > 0
                assert len(await texts(client, "revenue", mode="vector")) == 3


async def test_searches_go_on_side_by_side(client: Client, bench: Bench) -> None:
    """Many at once all get their answers."""
    await file_document(bench, FILING)
    found = await asyncio.gather(*(texts(client, word) for word in ("revenue", "appeals", "court") * 10))
    assert [each[0] for each in found] == [FILING[2], FILING[1], FILING[0]] * 10


def test_a_highlight_is_safe_to_show() -> None:
    """What looks like markup in the text is text, and only the marks are markup."""
    assert marked("<i>a</i> \ue000b & c\ue001") == "&lt;i&gt;a&lt;/i&gt; <mark>b &amp; c</mark>"


async def test_half_a_character_is_refused(client: Client) -> None:
    """JSON can name one half of a pair that means nothing alone."""
    body = b'{"query": "\\ud800"}'
    answer = await client.post("/v1/search", content=body, headers={"Content-Type": "application/json"})
    problem_of(answer, 422, "request_invalid")
