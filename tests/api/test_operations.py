"""What operators and their tools read: health, metrics, the docs page."""

import re
from html.parser import HTMLParser

from prometheus_client.parser import text_string_to_metric_families

from app.config import Settings
from tests.api.running import client_with
from tests.api.sse import open_stream
from tests.documents import letter
from tests.service import Client


async def metrics_of(client: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, by name and labels."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_metrics_count_what_there_is(client: Client) -> None:
    """Prometheus' own parser reads the page; queues, jobs, streams and requests by route are on it."""
    before = await metrics_of(client)
    job_id = (await client.submit(letter("Hello")))["job"]["id"]
    async with open_stream(client, job_id) as (_, events):
        await anext(events)
        metrics = await metrics_of(client)
    assert metrics["quire_jobs", (("stage", "queued"), ("state", "queued"))] == 1
    assert metrics["quire_queue_depth", (("queue", "ocr"),)] == 1
    assert metrics["quire_workers", ()] == 0
    assert metrics["quire_streams_open", ()] == before["quire_streams_open", ()] + 1
    labels = (("method", "POST"), ("route", "/v1/documents"), ("status", "202"))
    assert metrics["quire_http_request_seconds_count", labels] > before.get(
        ("quire_http_request_seconds_count", labels), 0
    )


async def test_routes_are_counted_by_template(client: Client) -> None:
    """Ids and unknown paths don't become label values, of which there would be no end."""
    job_id = (await client.submit(letter("Hello")))["job"]["id"]
    await client.get(f"/v1/jobs/{job_id}")
    await client.get("/no/such/path")
    routes = {dict(labels).get("route") for _, labels in await metrics_of(client)} - {None}
    assert {"/v1/jobs/{job_id}", "unmatched"} <= routes
    assert not any(job_id in str(route) or route == "/no/such/path" for route in routes)


async def test_ready_means_that_every_part_answers(quick: Settings, client: Client) -> None:
    """Without a worker it is a 503 that says which queues nobody serves, and every other part is fine."""
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "postgres": True, "redis": True, "s3": True, "engine_local": True, "workers": False,
    }  # fmt: skip
    assert "ocr" in checks["workers"]["detail"]
    assert all(0 <= check["latency_seconds"] < 10 for check in checks.values())
    assert (await client.get("/health/live")).json() == {"status": "ok"}


async def test_ready_with_a_worker(client: Client, worker: str) -> None:
    """With a worker on every queue it is a 200."""
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True), answer.text


async def test_ready_names_the_part_that_is_down(quick: Settings) -> None:
    """A part that doesn't answer is named, without its address or its password."""
    nowhere = {
        "redis": {"redis_url": "redis://:secret-word@127.0.0.1:1/0"},
        "s3": {"aws_endpoint_url_s3": "http://127.0.0.1:1"},
        "engine_local": {"local_textract_endpoint_url": "http://127.0.0.1:1"},
    }
    async with client_with(quick, **{name: url for each in nowhere.values() for name, url in each.items()}) as client:
        answer = await client.get("/health/ready")
        assert (await client.get("/health/live")).status_code == 200
    assert answer.status_code == 503
    for part in nowhere:
        assert not answer.json()["checks"][part]["ok"]
    assert "127.0.0.1" not in answer.text
    assert "secret-word" not in answer.text


class Links(HTMLParser):
    """What a page loads or leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"href", "src"} and value]


async def test_the_docs_page_loads_nothing_from_elsewhere(client: Client) -> None:
    """/docs works on a machine that has no way out: every script and style comes from here."""
    assert (await client.get("/", follow_redirects=True)).url.path == "/docs"
    page = await client.get("/docs")
    assert page.status_code == 200
    links = Links()
    links.feed(page.text)
    loaded = [link for link in links.found if not link.startswith("data:")]
    assert len(loaded) >= 2
    for link in loaded:
        assert not re.match(r"(https?:)?//", link), link
        assert (await client.get(link, follow_redirects=True)).status_code == 200, link
    assert not re.search(r"""["'](https?:)?//""", page.text)
