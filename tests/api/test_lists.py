"""Lists of jobs and documents: newest first, page by page, filtered, and of the caller's project only."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.config import Settings
from app.jobs.states import JobState, Priority, Stage
from tests.api.running import problem_of
from tests.bench import Bench
from tests.service import Client, client_of, make_key


async def listed(client: Client, path: str, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page, by its links as well as by its cursors."""
    items, answer = list[dict[str, Any]](), await client.get(path, params=params)
    while True:
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        assert ("link" in answer.headers) == (page["next"] is not None)
        if page["next"] is None:
            return items
        assert answer.links["next"]["url"].endswith(f"cursor={page['next']}")
        answer = await client.get(answer.links["next"]["url"])


async def test_jobs_are_listed_newest_first(bench: Bench, client: Client) -> None:
    """However long the pages are, each job comes once; the last page says that it is the last."""
    made = [str((await bench.rows.job()).id) for _ in range(7)]
    for limit in (1, 3, 7, 200):
        assert [job["id"] for job in await listed(client, "/v1/jobs", limit=limit)] == made[::-1]


async def test_what_comes_meanwhile_disturbs_no_list(bench: Bench, client: Client) -> None:
    """A cursor goes on where its page ended, though newer jobs have come and one of the list has gone on."""
    made = [await bench.rows.job() for _ in range(4)]
    first = (await client.get("/v1/jobs", params={"limit": 2})).json()
    await bench.rows.job()
    await bench.rows.change(made[1].id, priority=Priority.HIGH)
    rest = (await client.get("/v1/jobs", params={"limit": 2, "cursor": first["next"]})).json()
    assert [job["id"] for job in rest["items"]] == [str(made[1].id), str(made[0].id)]
    assert rest["next"] is None


async def test_jobs_are_filtered(bench: Bench, client: Client) -> None:
    """By state, stage, code, priority, document and moments, alone and together; of several values any."""
    failed = await bench.rows.job(Stage.PARSED, JobState.DEADLETTER, error_code="ocr_failed")
    other = await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER, error_code="document_corrupt")
    urgent = await bench.rows.job(priority=Priority.HIGH)
    done = await bench.rows.job(state=JobState.DONE)
    now = datetime.now(UTC)
    for params, jobs in (
        ({"state": "deadletter"}, [other, failed]),
        ({"state": ["deadletter", "done", "done"]}, [done, other, failed]),
        ({"stage": "parsed"}, [failed]),
        ({"state": "queued", "stage": "parsed"}, []),
        ({"code": "ocr_failed"}, [failed]),
        ({"code": ["ocr_failed", "document_corrupt"], "state": "deadletter"}, [other, failed]),
        ({"priority": "high"}, [urgent]),
        ({"priority": ["high", "normal"], "state": ["queued", "done"]}, [done, urgent]),
        ({"document_id": str(failed.document_id)}, [failed]),
        ({"document_id": str(uuid4())}, []),
        ({"batch_id": str(uuid4())}, []),
        ({"created_from": urgent.created_at.isoformat()}, [done, urgent]),
        ({"created_to": urgent.created_at.isoformat(), "state": "deadletter"}, [other, failed]),
        ({"finished_from": (now - timedelta(hours=1)).isoformat(), "state": "done"}, [done]),
        ({"finished_to": (now - timedelta(hours=1)).isoformat()}, []),
    ):
        assert [job["id"] for job in await listed(client, "/v1/jobs", **params)] == [str(job.id) for job in jobs], (
            params
        )
        assert len(await listed(client, "/v1/jobs", limit=1, **params)) == len(jobs), params


async def test_dead_letters_have_reasons(bench: Bench, client: Client) -> None:
    """Each says why it was given up; the summary counts them by code, the most frequent first."""
    said: dict[str, Any] = {
        "error_message": "It needs a password.",
        "error_retryable": False,
        "error_stage": Stage.QUEUED,
    }
    for _ in range(2):
        await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER, error_code="document_encrypted", **said)
    await bench.rows.job(Stage.PARSED, JobState.DEADLETTER, error_code="ocr_timeout", error_retryable=True)
    [_, job, _] = await listed(client, "/v1/jobs", state="deadletter")
    assert job["error"] == {
        "code": "document_encrypted",
        "message": "It needs a password.",
        "retryable": False,
        "stage": "queued",
    }
    summary = (await client.get("/v1/dead-letters")).json()
    assert summary["total"] == 3
    [first, second] = summary["items"]
    assert (first["code"], first["count"], first["retryable"]) == ("document_encrypted", 2, False)
    assert first["message"] == "It needs a password."
    assert first["first_at"] < first["last_at"]
    assert (second["code"], second["count"], second["retryable"]) == ("ocr_timeout", 1, True)


async def test_documents_are_listed_with_their_newest_jobs(bench: Bench, client: Client) -> None:
    """Newest first, each with its state and what it has cost; a document that was worked on again is listed once."""
    documents = [await bench.rows.document() for _ in range(3)]
    for document in documents:
        await bench.rows.job(state=JobState.DONE, document=document, cost_microdollars=1500)
    again = await bench.rows.job(document=documents[0], cost_microdollars=500)
    items = await listed(client, "/v1/documents", limit=2)
    assert [item["id"] for item in items] == [str(each.id) for each in documents[::-1]]
    assert (items[2]["job"]["id"], items[2]["cost_microdollars"]) == (str(again.id), 2000)
    assert items[2]["state"]["last_update"]["status"] == "queued"
    one = (await client.get(f"/v1/documents/{documents[0].id}")).json()
    assert items[2] == one | {"job": one["job"] | {"queue_position": None}}
    assert [item["id"] for item in await listed(client, "/v1/documents", state="done", limit=1)] == [
        str(documents[2].id),
        str(documents[1].id),
    ]


async def test_documents_are_filtered(client: Client) -> None:
    """By their own names, bytes and type, and by the state of their newest job, alone and together."""
    first = (await client.submit(b"%PDF-1.4 one", filename="Filing_1.pdf", external_id="case/1"))["document"]
    second = (await client.submit(b"%PDF-1.4 two", filename="exhibit.pdf", external_id="case/1"))["document"]
    picture = (await client.submit(b"\x89PNG\r\n\x1a\nthree", filename="filing_2.png"))["document"]
    for params, documents in (
        ({"external_id": "case/1"}, [second, first]),
        ({"sha256": first["sha256"]}, [first]),
        ({"filename": "filing_"}, [picture, first]),
        ({"filename": "filing%"}, []),
        ({"media_type": "image/png"}, [picture]),
        ({"media_type": "image/png", "state": "queued"}, [picture]),
        ({"external_id": "case/1", "state": "queued"}, [second, first]),
        ({"external_id": "case/1", "state": ["done", "cancelled"]}, []),
        ({"state": "done"}, []),
        ({"created_from": second["created_at"]}, [picture, second]),
        ({"created_to": second["created_at"]}, [first]),
    ):
        found = [item["id"] for item in await listed(client, "/v1/documents", limit=1, **params)]
        assert found == [document["id"] for document in documents], params


async def test_lists_are_of_the_project_alone(bench: Bench, quick: Settings, address: str, client: Client) -> None:
    """Another project's key sees none of it, whatever it asks for."""
    job = await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER)
    async with client_of(address, await make_key(quick, "another")) as stranger:
        for path in (
            "/v1/jobs",
            "/v1/documents",
            f"/v1/jobs?document_id={job.document_id}",
            "/v1/jobs?state=deadletter",
        ):
            assert (await stranger.get(path)).json() == {"items": [], "next": None}
        assert (await stranger.get("/v1/dead-letters")).json() == {"items": [], "total": 0}
    assert len(await listed(client, "/v1/jobs")) == 1


@pytest.mark.parametrize(
    "query",
    [
        "state=lost", "stage=x", "priority=urgent", "limit=0", "limit=201", "batch_id=7", "created_from=yesterday",
        "created_from=2026-01-01T00:00:00", "cursor=%00", "cursor=x", "cursor=AAAA", "cursor=" + "A" * 32,
        "cursor=" + "_" * 32,
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(client: Client, query: str) -> None:
    """Unknown values, moments without a zone and cursors of others are 422s; a cursor of ours from elsewhere is none."""
    answer = await client.get(f"/v1/jobs?{query}")
    if query == "cursor=" + "A" * 32:
        assert answer.json() == {"items": [], "next": None}
    else:
        problem_of(answer, 422, "request_invalid")
