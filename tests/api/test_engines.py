"""What clients and operators see of OCR engines: whether they are away, what they did, what it cost, and what was reused."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.errors import OcrUnavailable
from app.ocr.engine import EngineName
from app.resources import open_resources
from tests.api.running import client_with, problem_of, until
from tests.api.test_operations import metrics_of
from tests.documents import letter
from tests.ocr.textract import FakeTextract, running_fake
from tests.service import Client
from workers.main import serving

NOWHERE = "http://127.0.0.1:1"
DETECTION = (("engine", "local"), ("operation", "detection"))
SUCCEEDED = (*DETECTION, ("status", "SUCCEEDED"))


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def both(quick: Settings, fake: FakeTextract) -> Settings:
    """Settings with Textract before the engine of one's own."""
    changes = {
        "ocr_engines": "textract,local",
        "aws_endpoint_url_textract": fake.url,
        "ocr_breaker_open_seconds": 300.0,
    }
    return quick.model_copy(update=changes)


async def take_away(settings: Settings, engine: EngineName) -> None:
    """Have the fleet find an engine away."""
    async with open_resources(settings) as resources:
        for _ in range(settings.ocr_breaker_failures):
            await resources.ocr.router.report(engine, OcrUnavailable())


async def test_ready_while_one_engine_of_two_answers(quick: Settings, worker: str) -> None:
    """Documents can be read while one engine answers, and the check of the other says that it doesn't."""
    async with client_with(quick, ocr_engines="textract,local", aws_endpoint_url_textract=NOWHERE) as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True), answer.text
    checks = answer.json()["checks"]
    assert (checks["engine_textract"]["ok"], checks["engine_local"]["ok"]) == (False, True)


async def test_an_engine_that_is_left_alone_is_not_ready(both: Settings, worker: str) -> None:
    """An engine whose breaker is open is away, though its server answers; with all of them away, nothing is ready."""
    async with client_with(both) as client:
        await take_away(both, EngineName.TEXTRACT)
        answer = await client.get("/health/ready")
        assert answer.status_code == 200, answer.text
        check = answer.json()["checks"]["engine_textract"]
        assert not check["ok"]
        assert "ocr_unavailable" in check["detail"]
        metrics = await metrics_of(client)
        assert metrics["quire_ocr_engine_away", (("engine", "textract"),)] == 1
        assert metrics["quire_ocr_engine_away", (("engine", "local"),)] == 0
        await take_away(both, EngineName.LOCAL)
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert [name for name, check in answer.json()["checks"].items() if not check["ok"]] == [
        "engine_textract",
        "engine_local",
    ]


async def test_metrics_count_what_engines_did(client: Client, worker: str) -> None:
    """After a document was read there is one OCR job, its page and its calls, and its slot is free again."""
    await client.ended((await client.submit(letter("Hello")))["job"]["id"])
    metrics = await metrics_of(client)
    assert metrics["quire_textract_jobs", SUCCEEDED] == 1
    assert metrics["quire_textract_pages", SUCCEEDED] == 1
    assert 1 <= metrics["quire_textract_gets", SUCCEEDED] < 20
    assert 0 < metrics["quire_textract_seconds", SUCCEEDED] < 60
    assert metrics["quire_textract_cost_microdollars", SUCCEEDED] == 0
    assert metrics["quire_textract_oldest_seconds", SUCCEEDED] == 0
    assert metrics["quire_ocr_slots", DETECTION] == 600
    assert metrics["quire_ocr_slots_taken", DETECTION] == 0
    assert metrics["quire_ocr_in_line", DETECTION] == 0
    assert metrics["quire_ocr_calls_per_second", (("call", "start"), *DETECTION)] == 100
    # The worker of this test is in the same process; elsewhere these are on its own port.
    assert metrics["quire_ocr_jobs_started_total", DETECTION] >= 1
    assert metrics["quire_ocr_calls_total", (("call", "local.detection.start"), ("code", "ok"))] >= 1


async def test_metrics_show_what_runs(both: Settings, fake: FakeTextract, extractor: EntityExtractor) -> None:
    """A running OCR job holds a slot, has an age, and is counted at its price."""
    fake.status = "IN_PROGRESS"
    running = (("engine", "textract"), ("operation", "detection"), ("status", "IN_PROGRESS"))
    async with client_with(both) as client, serving(both, extractor=extractor):
        await client.submit(letter("one", "two"))

        async def runs() -> bool:
            return ("quire_textract_jobs", running) in await metrics_of(client)

        await until(runs, within_seconds=30)
        metrics = await metrics_of(client)
    assert metrics["quire_textract_jobs", running] == 1
    assert metrics["quire_textract_oldest_seconds", running] > 0
    assert metrics["quire_textract_cost_microdollars", running] == 2 * 1500
    assert metrics["quire_ocr_slots_taken", running[:2]] == 1


async def test_metrics_without_redis(quick: Settings) -> None:
    """While Redis is away the page is there all the same, with what Postgres and this process know."""
    async with client_with(quick, redis_url=NOWHERE.replace("http", "redis")) as client:
        metrics = await metrics_of(client)
    assert metrics["quire_workers", ()] == 0
    assert metrics["quire_ocr_engine_away", (("engine", "local"),)] == 0
    assert metrics["quire_ocr_slots_taken", DETECTION] == 0


async def test_a_job_says_what_read_it_and_what_it_cost(both: Settings, extractor: EntityExtractor) -> None:
    """Textract's pages have their price, on the job and on the document."""
    async with client_with(both) as client, serving(both, extractor=extractor):
        submitted = await client.submit(letter("Hello"))
        job = await client.ended(submitted["job"]["id"])
        document = (await client.get(f"/v1/documents/{submitted['document']['id']}")).json()
    assert (job["state"], job["engine"], job["fallback_reason"], job["reused_job_id"]) == (
        "done",
        "textract",
        None,
        None,
    )
    assert (job["cost_microdollars"], document["cost_microdollars"]) == (1500, 1500)
    assert document["job"]["engine"] == "textract"


async def test_a_job_that_fell_back_says_why(both: Settings, fake: FakeTextract, extractor: EntityExtractor) -> None:
    """While Textract is left alone, the next engine reads; it costs nothing, and Textract is not asked."""
    async with client_with(both) as client, serving(both, extractor=extractor):
        await take_away(both, EngineName.TEXTRACT)
        job = await client.ended((await client.submit(letter("Hello")))["job"]["id"])
    assert (job["state"], job["engine"], job["cost_microdollars"]) == ("done", "local", 0)
    assert job["fallback_reason"] == "textract is away: ocr_unavailable"
    assert fake.asked == []


async def test_the_same_bytes_are_read_once(both: Settings, fake: FakeTextract, extractor: EntityExtractor) -> None:
    """A second submission takes over the first one's result, at no cost, unless it is told to read anew."""
    content = letter("Hello")
    async with client_with(both) as client, serving(both, extractor=extractor):
        first, second = [await client.submit(content) for _ in range(2)]
        ended = [await client.ended(each["job"]["id"]) for each in (first, second)]
        read, reused = sorted(ended, key=lambda job: job["reused_job_id"] is not None)  # either may have been quicker
        texts = [await client.get(f"/v1/documents/{each['document']['id']}/text") for each in (first, second)]
        assert len(fake.starts) == 1
        anew = await client.ended((await client.submit(content, options='{"force_reprocess": true}'))["job"]["id"])
    assert (read["state"], reused["state"], anew["state"]) == ("done", "done", "done")
    assert (reused["reused_job_id"], reused["cost_microdollars"]) == (read["id"], 0)
    assert (reused["engine"], reused["progress"]) == (read["engine"], read["progress"])
    assert texts[0].text == texts[1].text != ""
    assert (anew["reused_job_id"], anew["cost_microdollars"], len(fake.starts)) == (None, 1500, 2)


UNSERVED = [
    ({"engine": "textract"}, "OCR_ENGINES has local"),
    ({"features": ["LAYOUT"]}, "local doesn't find LAYOUT"),
    ({"features": ["QUERIES"], "queries": [{"text": "Who?"}]}, "local doesn't find QUERIES"),
]


@pytest.mark.parametrize(("options", "reason"), UNSERVED, ids=["engine", "layout", "queries"])
async def test_what_no_engine_here_can_do_is_not_taken(client: Client, options: dict[str, Any], reason: str) -> None:
    """However it is submitted, it is refused at once with the reason: nobody waits for a job that can only fail."""
    document = (await client.submit(letter("Hello")))["document"]["id"]
    said = json.dumps(options)
    bodies: dict[str, dict[str, Any]] = {
        "/v1/documents/import": {"source": "s3://elsewhere/a.pdf"},
        "/v1/uploads": {"size_bytes": 100},
        "/v1/batches": {"documents": [{"document_id": document}], "preflight": "warn"},
        f"/v1/documents/{document}/reprocess": {},
    }
    answers = [
        await client.post("/v1/documents", params={"options": said}, content=letter("Hello")),
        await client.post("/v1/documents", files={"file": letter("Hello")}, data={"options": said}),
        *[await client.post(path, json={**body, "options": options}) for path, body in bodies.items()],
    ]
    for answer in answers:
        assert reason in problem_of(answer, 422, "ocr_request_invalid")["detail"]
    assert [each["id"] for each in (await client.get("/v1/documents")).json()["items"]] == [document]
    assert (await client.get("/v1/batches")).json()["items"] == []


async def test_what_one_of_the_engines_can_do_is_taken(both: Settings) -> None:
    """Though the preferred one doesn't find it, or is away."""
    async with client_with(both, ocr_engines="local,textract") as client:
        await take_away(both, EngineName.TEXTRACT)
        for options, _ in UNSERVED:
            await client.submit(letter("Hello"), options=json.dumps(options))
