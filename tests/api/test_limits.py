"""Limits as clients meet them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.config import Settings
from app.errors import KeyNotFound, ProjectNotFound, RequestInvalid
from app.events import Event, EventType
from app.projects.keys import Keys, KeyTerms
from tests.api.running import client_with, problem_of
from tests.bench import Bench
from tests.documents import letter
from tests.service import Client, client_of


async def test_a_key_is_told_how_it_stands(client: Client) -> None:
    """In every answer that needs a key, errors too; health and metrics know no limits."""
    for path in ("/v1/documents/019aa6c1-8f00-7c3e-9d5f-0d7a3c1b2e4f", "/v1/queues"):
        answer = await client.get(path)
        assert answer.headers["RateLimit-Policy"] == '"key";q=1000;w=5'
        assert answer.headers["RateLimit"].startswith('"key";r=99')
    for path in ("/health/live", "/metrics"):
        assert "RateLimit" not in (await client.get(path)).headers


async def test_too_many_requests_are_refused_with_what_to_do(quick: Settings) -> None:
    """429 says when to go on; other keys of the project go on now."""
    settings = quick.model_copy(update={"requests_per_second": 0.1, "request_burst": 3})
    async with client_with(settings) as client:
        answers = [await client.get("/v1/queues") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        refused = answers[-1]
        assert refused.json()["code"] == "rate_limited"
        assert 1 <= int(refused.headers["Retry-After"]) <= 10
        assert refused.headers["RateLimit"].startswith('"key";r=0;t=')
        assert (await client.get("/health/live")).status_code == 200


async def test_no_limit_is_told_of_where_there_is_none(quick: Settings) -> None:
    """0 requests a second are as many as one likes."""
    async with client_with(quick.model_copy(update={"requests_per_second": 0.0})) as client:
        answer = await client.get("/v1/queues")
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


async def test_a_key_may_have_a_limit_of_its_own(bench: Bench, address: str) -> None:
    """It counts instead of the setting's."""
    keys = Keys(bench.tools.sessions)
    key, made = await keys.create(terms=KeyTerms(requests_per_second=0.1, request_burst=1))
    assert made.terms.request_burst == 1
    async with client_of(address, key) as client:
        assert [(await client.get("/v1/queues")).status_code for _ in range(2)] == [200, 429]


async def test_more_documents_than_a_project_may_have_are_refused(quick: Settings) -> None:
    """Before a byte of them is read."""
    async with client_with(quick.model_copy(update={"max_open_documents": 1})) as client:
        await client.submit(letter("One"))
        answer = await client.post("/v1/documents", content=letter("Two"))
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_open_documents")
        assert int(answer.headers["Retry-After"]) > 0


async def test_documents_for_a_full_queue_are_refused(quick: Settings) -> None:
    """503 says when to come back."""
    async with client_with(quick.model_copy(update={"max_queue_depth": 1})) as client:
        await client.submit(letter("One"))
    async with client_with(quick.model_copy(update={"max_queue_depth": 1})) as client:
        answer = await client.post("/v1/documents", content=letter("Two"))
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_full")
        assert int(answer.headers["Retry-After"]) > 0


async def test_keys_are_made_listed_and_revoked_each_with_an_event(bench: Bench, address: str) -> None:
    """What is shown of a key is its beginning, and never more."""
    keys = Keys(bench.tools.sessions)
    key, made = await keys.create(project="archive", name="scanner")
    async with client_of(address, key) as client:
        assert (await client.get("/v1/queues")).status_code == 200
    assert (made.project, made.name, key.startswith(made.prefix), made.revoked_at) == ("archive", "scanner", True, None)
    assert [each.id for each in await keys.list(project="archive")] == [made.id]
    assert key not in repr(await keys.list())
    revoked = await keys.revoke(made.prefix)
    assert revoked.revoked_at is not None
    assert await keys.revoke(str(made.id)) == revoked
    async with bench.tools.sessions() as session:
        query = select(Event.code, Event.project_id.is_not(None)).where(Event.type == EventType.ACTION)
        codes = [tuple(row) for row in await session.execute(query.order_by(Event.id))]
    assert codes == [("api_key_created", True), ("api_key_revoked", True)]
    with pytest.raises(KeyNotFound):
        await keys.revoke("qk_nobod")


async def test_an_expired_key_opens_nothing(bench: Bench, address: str) -> None:
    """Nor did it ever, where it was made so."""
    key, _ = await Keys(bench.tools.sessions).create(terms=KeyTerms(expires_at=datetime.now(UTC) - timedelta(days=1)))
    async with client_of(address, key) as client:
        assert (await client.get("/v1/queues")).status_code == 401


@pytest.mark.parametrize(
    "terms",
    [KeyTerms(requests_per_second=0), KeyTerms(requests_per_second=1, request_burst=0), KeyTerms(request_burst=5)],
)
async def test_terms_that_no_key_can_have_are_refused(bench: Bench, terms: KeyTerms) -> None:
    """Nothing is made."""
    keys = Keys(bench.tools.sessions)
    with pytest.raises(RequestInvalid):
        await keys.create(terms=terms)
    assert await keys.list() == []


async def test_a_project_may_have_limits_of_its_own(bench: Bench, settings: Settings) -> None:
    """They count from the next look at the key on."""
    keys = Keys(bench.tools.sessions)
    with pytest.raises(ProjectNotFound):
        await keys.limit_project("default", weight=2)
    await bench.rows.project()
    with pytest.raises(RequestInvalid):
        await keys.limit_project("default", weight=0)
    await keys.limit_project("default", weight=2, max_open_documents=0)
    async with client_with(settings) as client:
        assert (await client.post("/v1/documents", content=letter("One"))).status_code == 429


async def test_documents_of_a_batch_count_before_they_are_taken(quick: Settings, bench: Bench) -> None:
    """Against the project's limit and the queue's depth, also where nobody takes them; a batch that can never fit is told so."""
    few = quick.model_copy(update={"max_open_documents": 2})
    made = [await bench.rows.document(letter(f"Letter {number}")) for number in range(5)]
    items = [{"document_id": str(document.id)} for document in made]
    async with client_with(few) as client:
        said = {"documents": items[:3], "preflight": "warn"}
        problem_of(await client.post("/v1/batches", json=said), 422, "batch_over_limit")
        said = {"documents": items[:2], "preflight": "warn", "priority": "high"}
        assert (await client.post("/v1/batches", json=said)).status_code == 202
    async with client_with(few) as client:  # which has counted nothing yet
        said = {"documents": items[2:4], "preflight": "warn"}
        problem_of(await client.post("/v1/batches", json=said), 429, "too_many_open_documents")
    async with client_with(quick.model_copy(update={"max_queue_depth": 2})) as client:
        problem = problem_of(await client.post("/v1/documents", content=letter("Two")), 503, "queue_full")
        assert "batch.high" in problem["detail"]
