"""Textract's notices, from its server by SNS and SQS to the worker: documents end at once, and no notice is relied on."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.jobs import textract_jobs
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from tests.bench import Bench, eventually, open_bench
from tests.stack import Stack
from tests.textract_server import admin
from tests.textract_server.announcing import ROLE, Announcements, running_sns, subscribed
from tests.textract_server.running import TextractServer, running_server
from workers.main import serving

SIMULATED = {
    "TEXTRACT_SERVER_ENGINE": "simulated",
    "TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE": "0.2",
    "TEXTRACT_SERVER_SIMULATED_PAGES": "2",
    "TEXTRACT_SERVER_SIMULATED_NO_S3": "true",
    "TEXTRACT_SERVER_ADMIN": "true",
}


@pytest.fixture(scope="module")
def sns() -> Iterator[str]:
    """SNS and SQS."""
    with running_sns() as url:
        yield url


@pytest.fixture(scope="module")
def simulated(stack: Stack, sns: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextractServer]:
    """A Textract-compatible server that makes its results up, and announces them."""
    keys = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    settings = SIMULATED | {f"TEXTRACT_SERVER_{key}": stack.environment[f"AWS_{key}"] for key in keys}
    settings |= {"TEXTRACT_SERVER_SNS_ENDPOINT_URL": sns}
    with running_server("http://127.0.0.1:9", tmp_path_factory.mktemp("simulated"), **settings) as server:
        yield server


@pytest.fixture
def topic(sns: str, simulated: TextractServer) -> Announcements:
    """A topic of a test's own, and a server without faults."""
    return fresh(sns, simulated, raw=True)


def fresh(sns: str, simulated: TextractServer, *, raw: bool) -> Announcements:
    """A topic and its queue, and nothing left of an earlier test."""
    admin.request(simulated, "DELETE", "faults")
    admin.request(simulated, "DELETE", "stats")
    return subscribed(sns, raw=raw)


def hearing(quick: Settings, simulated: TextractServer, sns: str, topic: Announcements) -> Settings:
    """Settings by which jobs are asked about once an hour, and notices are listened to."""
    told: dict[str, Any] = {
        "ocr_engines": "textract",
        "aws_endpoint_url_textract": simulated.url,
        "aws_endpoint_url_sqs": sns,
        "textract_sqs_queue_url": topic.queue_url,
        "textract_sns_topic_arn": topic.topic_arn,
        "textract_sns_role_arn": ROLE,
        "textract_async_initial_delay_seconds": 3600.0,
        "textract_async_polling_interval_seconds": 3600.0,
    }
    return quick.model_copy(update=told)


async def documents(bench: Bench, count: int) -> list[Job]:
    """Documents that are to be read."""
    return [await bench.rows.job(Stage.JOB_VALIDATED, pages_total=2) for _ in range(count)]


async def all_done(bench: Bench, jobs: Sequence[Job]) -> None:
    """Wait until all have ended, and well."""

    async def are_done() -> bool:
        now = [await bench.rows.find(job.id) for job in jobs]
        assert not {job.state for job in now} & {JobState.DEADLETTER, JobState.CANCELLED}
        return all(job.state is JobState.DONE for job in now)

    await eventually(are_done, within_seconds=60)


@pytest.mark.parametrize("raw", [True, False])
async def test_documents_end_when_textract_says_so(
    quick: Settings, simulated: TextractServer, sns: str, extractor: EntityExtractor, *, raw: bool
) -> None:
    """With an hour between polls, documents end within seconds, in either form of notice, and by one Get for each."""
    settings = hearing(quick, simulated, sns, fresh(sns, simulated, raw=raw))
    async with open_bench(settings) as bench:
        jobs = await documents(bench, 5)
        async with serving(settings, extractor=extractor):
            await all_done(bench, jobs)
    counted = admin.statistics(simulated)
    assert (counted["notices"]["published"], counted["jobs_made"]) == (5, {"StartDocumentTextDetection": 5})
    assert counted["gets_per_job"]["most"] <= 2


async def test_doubled_late_and_foreign_notices_do_no_harm(
    quick: Settings, simulated: TextractServer, sns: str, topic: Announcements, extractor: EntityExtractor
) -> None:
    """Each document is read once, whatever else lies in the queue."""
    settings = hearing(quick, simulated, sns, topic)
    unknown = {"JobId": "f" * 64, "Status": "SUCCEEDED", "API": "StartDocumentTextDetection"}
    for body in (json.dumps(unknown), "no notice", json.dumps({"Type": "Notification", "Message": "no JSON"})):
        topic.queue.send_message(QueueUrl=topic.queue_url, MessageBody=body)
    admin.set_fault(simulated, "double_notice")
    admin.set_fault(simulated, "late_notice", seconds=2.0, rate=0.5, seed=1)
    async with open_bench(settings) as bench:
        jobs = await documents(bench, 6)
        async with serving(settings, extractor=extractor):
            await all_done(bench, jobs)
        for job in jobs:
            assert len(await bench.rows.textract_jobs(job.id)) == 1
    counted = admin.statistics(simulated)
    assert counted["notices"]["doubled"] == 6
    assert counted["jobs_made"] == {"StartDocumentTextDetection": 6}


async def test_a_lost_notice_is_made_up_for_by_a_poll(
    quick: Settings, simulated: TextractServer, sns: str, topic: Announcements, extractor: EntityExtractor
) -> None:
    """A document whose notice never comes ends with its poll, late as that is."""
    settings = hearing(quick, simulated, sns, topic)
    admin.set_fault(simulated, "lost_notice", count=1)
    async with open_bench(settings) as bench:
        jobs = await documents(bench, 3)
        async with serving(settings, extractor=extractor):

            async def all_but_one() -> Job | None:
                now = [await bench.rows.find(job.id) for job in jobs]
                left = [job for job in now if job.state is not JobState.DONE]
                return left[0] if len(left) == 1 and left[0].stage is Stage.PARSING else None

            left = await eventually(all_but_one, within_seconds=60)
            assert left is not None
            await bench.rows.change(left.id, next_attempt_at_in=timedelta(0))
            await all_done(bench, jobs)


async def test_a_notice_that_comes_too_early_is_to_come_again(quick: Settings) -> None:
    """While its job is being started, or asked about this very moment, a notice is neither heard nor dropped."""
    async with open_bench(quick) as bench:
        starting = await bench.rows.job(Stage.PARSING, textract_job_id="starting")
        await bench.rows.change(starting.id, stage=Stage.JOB_VALIDATED)
        asked = await bench.rows.job(Stage.PARSING, textract_job_id="asked")
        await bench.rows.change(asked.id, rung_at_in=timedelta(0), next_attempt_at_in=timedelta(minutes=1))
        waiting = await bench.rows.job(Stage.PARSING, textract_job_id="waiting")
        await bench.rows.change(waiting.id, next_attempt_at_in=timedelta(minutes=1))
        given_up = await bench.rows.job(Stage.PARSING, JobState.DEADLETTER, textract_job_id="given up")
        async with bench.tools.sessions.begin() as session:
            heard = await textract_jobs.make_due(session, ["starting", "asked", "waiting", "given up", "unknown"])
        assert heard == {"waiting", "given up"}
        times = [(await bench.rows.find(job.id)).next_attempt_at for job in (asked, waiting, given_up)]
        assert times[1] < times[0]
        assert times[2] == given_up.next_attempt_at
