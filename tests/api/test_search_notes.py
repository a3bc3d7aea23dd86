"""What a search leaves out, and what its notes say about it."""

import pytest
from sqlalchemy import text

from tests.api.searching import FILING, search, texts
from tests.bench import Bench
from tests.knowledge.filed import Filed, file_document
from tests.service import Client


async def test_what_is_not_to_be_there_is_left_out_by_meaning_too(client: Client, bench: Bench) -> None:
    """In every mode, be it a word in another form or a phrase; the rest of the query is what hits are near to."""
    await file_document(bench, FILING)
    first, second, third = FILING
    for mode in ("vector", "hybrid"):
        assert set(await texts(client, "dismissal -plaintiffs", mode=mode)) == {first, third}
        assert set(await texts(client, 'dismissal -"northern region" -appealing', mode=mode)) == {first}
        assert set(await texts(client, "dismissal -the", mode=mode)) == {first, second, third}
    sought = (await search(client, "company earnings", mode="vector", limit=1))["items"][0]
    found = (await search(client, "company earnings -plaintiff", mode="vector", limit=1))["items"][0]
    assert found["similarity"] == pytest.approx(sought["similarity"])
    for mode, expected in (("text", [third]), ("hybrid", [third]), ("vector", [])):
        found = await search(client, "-court -plaintiff", mode=mode)
        assert [hit["text"] for hit in found["items"]] == expected
        assert [note["code"] for note in found["notes"]] == ([] if mode == "text" else ["negations_alone"])


async def test_a_query_of_stop_words_says_so(client: Client, bench: Bench) -> None:
    """Words find nothing then, and the notes say why; what is merely not there is no stop word."""
    await file_document(bench, FILING)
    for query, mode, notes in (
        ("the", "text", ["stop_words_alone"]),
        ("the of", "hybrid", ["stop_words_alone"]),
        ("the", "vector", []),
        ("zzxqy", "text", []),
        ("zzxqy", "hybrid", ["words_not_found"]),
        ("the court", "hybrid", []),
    ):
        found = await search(client, query, mode=mode)
        assert [note["code"] for note in found["notes"]] == notes, (query, mode)


async def test_what_is_far_in_meaning_can_be_kept_out(client: Client, bench: Bench) -> None:
    """A least similarity bounds what meaning finds, and nothing that the words do."""
    await file_document(bench, FILING)
    assert len(await texts(client, "zzxqy")) == 3
    assert await texts(client, "zzxqy", min_similarity=0.5) == []
    near = (await search(client, "dismissal of the suit", mode="vector"))["items"]
    bound = (near[0]["similarity"] + near[1]["similarity"]) / 2
    assert await texts(client, "dismissal of the suit", mode="vector", min_similarity=bound) == [near[0]["text"]]
    (hit,) = (await search(client, "revenue", min_similarity=1))["items"]
    assert (hit["text"], hit["text_rank"], hit["similarity"]) == (FILING[2], 1, None)


MANY = 2600
"""More chunks than are ranked."""


async def file_many(bench: Bench, first: str, text_of: str) -> Filed:
    """A document of a chunk that has its vector, and of very many after it that have none; `text_of` is SQL, of number `n`."""
    filed = await file_document(bench, [first])
    async with bench.tools.sessions.begin() as session:
        await session.execute(
            text(f"""
                INSERT INTO document_chunks (id, project_id, document_id, job_id, number, text, token_count,
                    first_page, last_page, start_char, end_char)
                SELECT gen_random_uuid(), project_id, document_id, job_id, n, {text_of}, 3, 1, 1, n, n + 1
                FROM document_chunks, generate_series(2, {MANY}) AS n WHERE job_id = :job
            """),
            {"job": filed.job.id},
        )
    return filed


async def test_words_that_are_everywhere_are_ranked_in_part(client: Client, bench: Bench) -> None:
    """More matches than are ranked are noted, and what is found still matches."""
    await file_many(bench, "text", "'a motion ' || n")
    found = await search(client, "motion", mode="text", limit=100)
    assert [note["code"] for note in found["notes"]] == ["matches_not_all_ranked"]
    assert all("motion" in hit["text"] for hit in found["items"])
    assert len(found["items"]) == 100


async def test_what_is_near_in_meaning_is_ranked_by_words_however_many_match(client: Client, bench: Bench) -> None:
    """The best of both is not lost among matches that are not ranked: it is the last that was filed."""
    await file_many(bench, "the weather in the north", "'a motion ' || n")
    best = await file_document(bench, ["motion to dismiss, motion to strike: a motion"])
    found = await search(client, "motion")
    assert [note["code"] for note in found["notes"]] == ["matches_not_all_ranked"]
    first = found["items"][0]
    assert (first["document_id"], first["text_rank"], first["vector_rank"]) == (str(best.document_id), 1, 1)


async def test_a_rare_word_beside_one_that_is_everywhere_has_all_its_matches_ranked(
    client: Client, bench: Bench
) -> None:
    """The best of them is the last of the table, and comes first; nothing is noted."""
    await file_many(
        bench, "text", "'a motion ' || CASE WHEN n % 50 = 0 THEN 'to all who are there to quash ' ELSE '' END || n"
    )
    best = await file_document(bench, ["motion to quash"])
    found = await search(client, "motion quash", mode="text", limit=100)
    assert (found["notes"], len(found["items"])) == ([], MANY // 50 + 1)
    assert found["items"][0]["document_id"] == str(best.document_id)
