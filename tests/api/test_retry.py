"""Retrying a job that was given up: it goes on from the stage that failed, and pays for nothing twice."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from app.config import Settings
from app.entities.mentions import EntityExtractor
from tests.api.running import client_with, problem_of, until
from tests.documents import letter
from tests.ocr.textract import FakeTextract, document_of, running_fake
from tests.service import Client, client_of, make_key
from workers.main import serving


@pytest.fixture
async def fake() -> AsyncIterator[FakeTextract]:
    """A Textract account of the test's own."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def told(quick: Settings, fake: FakeTextract) -> Settings:
    """Settings that lead to it."""
    return quick.model_copy(update={"ocr_engines": "textract", "aws_endpoint_url_textract": fake.url})


async def test_what_cannot_be_retried(quick: Settings, address: str, client: Client) -> None:
    """A job that isn't there, or is another project's, is a 404; one that isn't over is a 409 that says its state."""
    problem_of(await client.post(f"/v1/jobs/{uuid4()}/retry"), 404, "job_not_found")
    problem_of(await client.post("/v1/jobs/x/retry"), 422, "request_invalid")
    job_id = (await client.submit(letter("Hello")))["job"]["id"]
    problem = problem_of(await client.post(f"/v1/jobs/{job_id}/retry"), 409, "state_conflict")
    assert "queued" in problem["detail"]
    async with client_of(address, await make_key(quick, "another")) as stranger:
        problem_of(await stranger.post(f"/v1/jobs/{job_id}/retry"), 404, "job_not_found")


async def test_a_document_that_could_not_be_read_is_read_anew(
    told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """After a failed OCR job a retry starts another, under a new token, and the job ends well; a second retry is a 409.

    Of two pages: one may be read by a synchronous call, where the job is counted among those that wait before it is taken.
    """
    fake.blocks = document_of(2)
    fake.status, fake.extra = "FAILED", {"StatusMessage": "INTERNAL"}
    async with client_with(told) as client, serving(told, extractor=extractor):
        job_id = (await client.submit(letter("one", "two")))["job"]["id"]
        failed = await client.ended(job_id)
        assert (failed["state"], failed["error"]["code"]) == ("deadletter", "ocr_failed")
        fake.status, fake.extra = "SUCCEEDED", {}
        answer = await client.post(f"/v1/jobs/{job_id}/retry")
        assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/jobs/{job_id}"), answer.text
        retried = answer.json()
        assert (retried["state"], retried["attempts"], retried["error"]) == ("queued", 0, None)
        job = await client.ended(job_id)
        assert (job["state"], job["stage"], job["finished_at"] is None) == ("done", "finalized", False)
        problem_of(await client.post(f"/v1/jobs/{job_id}/retry"), 409, "state_conflict")
    assert list(fake.starts.values()) == [1, 1]


async def test_a_job_that_took_too_long_is_asked_for_again(
    told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """A retry after a timeout asks for the same OCR job, which has ended meanwhile: nothing is started again."""
    fake.status = "IN_PROGRESS"
    hasty = told.model_copy(
        update={"textract_async_max_polling_time_seconds": 0.5, "textract_polling_seconds_per_page": 0.0}
    )
    async with client_with(hasty) as client, serving(hasty, extractor=extractor):
        job_id = (await client.submit(letter("Hello")))["job"]["id"]
        late = await client.ended(job_id)
        assert (late["state"], late["error"]["code"]) == ("deadletter", "ocr_timeout")
        assert late["textract"]["job_id"]
        fake.status = "SUCCEEDED"
        assert (await client.post(f"/v1/jobs/{job_id}/retry")).status_code == 202
        job = await client.ended(job_id)
    assert (job["state"], job["textract"]["job_id"]) == ("done", late["textract"]["job_id"])
    assert list(fake.starts.values()) == [1]


async def test_a_document_that_cost_too_much_is_read_when_it_may_cost_more(
    told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """Over the limit nothing is started; with the limit raised, a retry reads the document."""
    poor = told.model_copy(update={"max_cost_per_document": 1499})
    async with client_with(told) as client:
        async with serving(poor, extractor=extractor):
            job_id = (await client.submit(letter("Hello")))["job"]["id"]
            refused = await client.ended(job_id)
        assert (refused["state"], refused["error"]["code"]) == ("deadletter", "cost_limit_exceeded")
        assert "1500" in refused["error"]["message"]
        assert "1499" in refused["error"]["message"]
        assert (refused["cost_microdollars"], fake.asked) == (0, [])
        async with serving(told, extractor=extractor):
            await client.post(f"/v1/jobs/{job_id}/retry")
            job = await client.ended(job_id)
    assert (job["state"], job["cost_microdollars"]) == ("done", 1500)


async def test_a_spent_day_parks_documents(told: Settings, fake: FakeTextract, extractor: EntityExtractor) -> None:
    """Past the day's limit of a project a document waits, untried and unpaid, and says for what; other projects go on."""
    thrifty = told.model_copy(update={"max_cost_per_project_per_day": 2000})
    async with client_with(thrifty) as client, serving(thrifty, extractor=extractor):
        assert (await client.ended((await client.submit(letter("one")))["job"]["id"]))["state"] == "done"
        job_id = (await client.submit(letter("another")))["job"]["id"]

        async def is_parked() -> bool:
            job = (await client.get(f"/v1/jobs/{job_id}")).json()
            return bool(job["stage"] == "job_validated" and job["next_attempt_at"][:10] > job["created_at"][:10])

        await until(is_parked, within_seconds=30)
        job = (await client.get(f"/v1/jobs/{job_id}")).json()
        assert (job["state"], job["attempts"], job["error"], job["cost_microdollars"]) == ("queued", 0, None, 0)
        address = str(client.base_url)
        async with client_of(address, await make_key(told, "another")) as other:
            assert (await other.ended((await other.submit(letter("another")))["job"]["id"]))["state"] == "done"
    assert len(fake.starts) == 2
