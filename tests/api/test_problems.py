"""Errors: one form for all of them, and request ids that lead from an answer to its logs and events."""

import re
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from app.config import Settings
from app.main import create_app
from tests.api.proxy import proxy_to
from tests.api.running import client_with, problem_of, server_process
from tests.api.sse import read_stream
from tests.documents import letter
from tests.service import Client, client_of, make_key


async def test_an_unknown_address_is_a_problem(client: Client) -> None:
    """404 for a path that nothing lives at, with a type that leads to what it means."""
    problem = problem_of(await client.get("/v1/nothing"), 404, "not_found")
    explained = await client.get(problem["type"])
    assert 'id="not_found"' in explained.text
    problem_of(await client.get("/v1/documents/a/b/c"), 404, "not_found")


async def test_a_wrong_method_says_which_are_right(client: Client) -> None:
    """405 comes with `Allow`."""
    for method, path, allowed in (
        ("PUT", "/v1/documents", "POST"),
        ("DELETE", f"/v1/jobs/{uuid4()}", "GET"),
        ("GET", f"/v1/jobs/{uuid4()}/cancel", "POST"),
    ):
        answer = await client.request(method, path)
        problem_of(answer, 405, "method_not_allowed")
        assert allowed in answer.headers["allow"]


async def test_wrong_parameters_are_each_pointed_at(client: Client) -> None:
    """422 lists every field that is wrong, by where it stands."""
    problem = problem_of(await client.get("/v1/jobs/17?wait=61"), 422, "request_invalid")
    assert {each["pointer"] for each in problem["errors"]} == {"/path/job_id", "/query/wait"}
    assert all(each["detail"] for each in problem["errors"])
    problem = problem_of(await client.get(f"/v1/documents/{uuid4()}/pages?limit=0"), 422, "request_invalid")
    assert [each["pointer"] for each in problem["errors"]] == ["/query/limit"]
    problem = problem_of(await client.get(f"/v1/documents/{uuid4()}/pages/0"), 422, "request_invalid")
    assert [each["pointer"] for each in problem["errors"]] == ["/path/number"]


async def test_parameters_that_an_operation_has_not_are_refused(client: Client, address: str) -> None:
    """A filter that is misspelt, or another list's, doesn't return everything; the error says which parameters there are."""
    problem = problem_of(await client.get("/v1/entities?nmae=x&type=person&foo=1"), 422, "request_invalid")
    assert [each["pointer"] for each in problem["errors"]] == ["/query/nmae", "/query/foo"]
    assert problem["errors"][0]["detail"].endswith("those that there are: cursor, document_id, limit, name, type.")
    for method, path in (
        ("GET", "/v1/entities?min_weight=2"),
        ("GET", "/v1/queues?x"),
        ("GET", f"/v1/jobs/{uuid4()}?limit=1"),
        ("GET", "/v1/events/stream?kind=x"),
        ("POST", "/v1/search?limit=3"),
        ("POST", "/v1/documents?filename=a.pdf&option={}"),
        ("DELETE", f"/v1/documents/{uuid4()}?force=true"),
    ):
        problem_of(await client.request(method, path, json={"query": "x"}), 422, "request_invalid")
    async with httpx.AsyncClient(base_url=address) as nobody:
        problem_of(await nobody.get("/v1/entities?foo=1"), 401, "unauthorized")
        assert (await nobody.get("/health/live?foo=1")).status_code == 200


async def test_each_parameter_that_is_documented_is_known(client: Client) -> None:
    """Of every operation: none that the document names is refused as one that there isn't."""
    document = (await client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            if names and method == "get":
                answer = await client.get(path, params={**dict.fromkeys(names, "\0"), "nonsense": ""})
                problem = problem_of(answer, 422, "request_invalid")
                assert [each["pointer"] for each in problem["errors"]] == ["/query/nonsense"], path


async def test_a_defect_says_nothing_internal() -> None:
    """An unforeseen error is a 500 with a request id and nothing of what happened."""
    app = create_app(Settings(_env_file=None))

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("password=hunter2")

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://quire") as client:
        answer = await client.get("/defect", headers={"X-Request-ID": "defect-1"})
    problem = problem_of(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    assert problem["request_id"] == "defect-1"


@pytest.mark.parametrize("cached", [True, False])
async def test_without_postgres_there_is_a_503(quick: Settings, cached: bool) -> None:
    """While the database is away, every call says so, whether or not the key was seen lately; then it works again."""
    async with proxy_to(quick.database_url) as postgres, client_with(quick, database_url=postgres.url) as client:
        if cached:
            problem_of(await client.get(f"/v1/jobs/{uuid4()}"), 404, "job_not_found")
        postgres.cut()
        for answer in (
            await client.get(f"/v1/jobs/{uuid4()}"),
            await client.get(f"/v1/jobs/{uuid4()}/events"),
            await client.post("/v1/documents", content=letter("Hello")),
            await client.post(f"/v1/jobs/{uuid4()}/cancel"),
        ):
            problem_of(answer, 503, "database_unavailable")
            assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["postgres"]["ok"]) == (503, False)
        postgres.mend()
        problem_of(await client.get(f"/v1/jobs/{uuid4()}"), 404, "job_not_found")


async def test_a_database_that_refuses_us_is_no_defect(quick: Settings) -> None:
    """A database that isn't there, or not yet, is a 503 too."""
    url = re.sub(r"/[^/]*$", "/not_there", quick.database_url)
    async with client_with(quick, database_url=url) as client:
        answer = await client.get(f"/v1/jobs/{uuid4()}")
    problem_of(answer, 503, "database_unavailable")
    assert "not_there" not in answer.text


async def test_a_request_id_is_taken_over_when_it_is_well_formed(client: Client) -> None:
    """A client's own id comes back; one that could spoil a log is replaced; without one there is a new one."""
    for given in ("abc-123", "a.b:c_D", "x" * 128):
        answer = await client.get("/health/live", headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == given
    ill_formed: tuple[str | bytes, ...] = ("", "a b", "x" * 129, "a\tb", '{"a":1}', "é".encode("latin-1"))
    for ill in ill_formed:
        answer = await client.get(
            "/v1/nothing", headers=[(b"X-Request-ID", ill if isinstance(ill, bytes) else ill.encode())]
        )
        assert UUID(answer.headers["x-request-id"])
        problem_of(answer, 404, "not_found")


async def test_a_request_id_leads_to_events_and_logs(quick: Settings, tmp_path: Path) -> None:
    """What a request caused carries its id: the job's events, and the server's log lines."""
    key = await make_key(quick)
    async with server_process(quick, tmp_path / "log") as server, client_of(server.address, key) as client:
        answer = await client.post("/v1/documents", content=letter("Hello"), headers={"X-Request-ID": "trace-me-1"})
        job_id = answer.json()["job"]["id"]
        await client.post(f"/v1/jobs/{job_id}/cancel", headers={"X-Request-ID": "trace-me-2"})
        events = await read_stream(client, job_id)
    assert [event.data["request_id"] for event in events[1:]] == ["trace-me-1", "trace-me-2"]
    lines = server.log.read_text().splitlines()
    for request_id in ("trace-me-1", "trace-me-2"):
        assert any('"event": "request"' in line and request_id in line for line in lines)
