"""Notices of ended jobs: Textract's own message, once, whatever happens to the topic's service or to the server."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.textract_server import admin, sheets
from tests.textract_server.announcing import ROLE, Announcements, running_sns, subscribed
from tests.textract_server.running import TextractServer, free_port, running_server, wait_until

LOCATION = {"S3Object": {"Bucket": "anything", "Name": "a folder/ä.pdf"}}
SIMULATED = {
    "TEXTRACT_SERVER_ENGINE": "simulated",
    "TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE": "0.1",
    "TEXTRACT_SERVER_SIMULATED_PAGES": "2",
    "TEXTRACT_SERVER_SIMULATED_NO_S3": "true",
    "TEXTRACT_SERVER_ADMIN": "true",
}


@pytest.fixture(scope="module")
def sns() -> Iterator[str]:
    with running_sns() as url:
        yield url


@pytest.fixture(scope="module")
def simulated(sns: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextractServer]:
    settings = SIMULATED | {"TEXTRACT_SERVER_SNS_ENDPOINT_URL": sns}
    with running_server("http://127.0.0.1:9", tmp_path_factory.mktemp("simulated"), **settings) as server:
        yield server


@pytest.fixture
def topic(sns: str, simulated: TextractServer) -> Announcements:
    """A topic of a test's own, and a server without faults."""
    admin.request(simulated, "DELETE", "faults")
    admin.request(simulated, "DELETE", "stats")
    return subscribed(sns)


def started(server: TextractServer, topic: Announcements, **parameters: Any) -> str:
    start = server.textract().start_document_text_detection
    return str(start(DocumentLocation=LOCATION, NotificationChannel=topic.channel, **parameters)["JobId"])


def test_a_notice_is_what_textract_sends(simulated: TextractServer, topic: Announcements) -> None:
    """Compact JSON in Textract's order, the name as it is, the time in milliseconds."""
    before = time.time()
    job_id = started(simulated, topic, JobTag="a-tag")
    (text,) = topic.received(1)
    message = json.loads(text)
    assert text == json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    assert before * 1000 < message.pop("Timestamp") < time.time() * 1000
    assert message == {
        "JobId": job_id,
        "Status": "SUCCEEDED",
        "API": "StartDocumentTextDetection",
        "JobTag": "a-tag",
        "DocumentLocation": {"S3ObjectName": "a folder/ä.pdf", "S3Bucket": "anything"},
    }
    assert simulated.textract().get_document_text_detection(JobId=job_id)["JobStatus"] == "SUCCEEDED"


def test_without_a_tag_there_is_no_such_key(simulated: TextractServer, topic: Announcements) -> None:
    """Absent, neither empty nor null; an analysis names its own operation, and a failed job its end."""
    admin.set_fault(simulated, "fail_jobs", count=1)
    simulated.textract().start_document_analysis(
        DocumentLocation=LOCATION, FeatureTypes=["FORMS"], NotificationChannel=topic.channel
    )
    message = json.loads(topic.received(1)[0])
    assert message["API"] == "StartDocumentAnalysis"
    assert message["Status"] == "FAILED"
    assert "JobTag" not in message


def test_a_queue_that_does_not_ask_for_raw_messages_gets_an_envelope(simulated: TextractServer, sns: str) -> None:
    """SNS wraps the message: it is a string in JSON in JSON."""
    topic = subscribed(sns, raw=False)
    job_id = started(simulated, topic)
    envelope = json.loads(topic.received(1)[0])
    assert envelope["TopicArn"] == topic.topic_arn
    assert json.loads(envelope["Message"])["JobId"] == job_id


def test_a_repeated_token_gives_no_second_notice(simulated: TextractServer, topic: Announcements) -> None:
    """One job, one message."""
    token = uuid4().hex
    job_id = started(simulated, topic, ClientRequestToken=token)
    assert started(simulated, topic, ClientRequestToken=token) == job_id
    assert len(topic.received(1)) == 1
    assert started(simulated, topic, ClientRequestToken=token) == job_id
    assert topic.nothing_more()


def test_notices_can_be_lost_doubled_and_late(simulated: TextractServer, topic: Announcements) -> None:
    """Of four jobs' notices one is lost, one comes twice and one after the others."""
    admin.set_fault(simulated, "lost_notice", count=1)
    started(simulated, topic)
    wait_until(lambda: admin.statistics(simulated)["notices"].get("lost"))
    admin.set_fault(simulated, "double_notice", count=1)
    doubled = started(simulated, topic)
    assert [json.loads(text)["JobId"] for text in topic.received(2)] == [doubled, doubled]
    admin.set_fault(simulated, "late_notice", seconds=2, count=1)
    late = started(simulated, topic)
    wait_until(lambda: admin.statistics(simulated)["notices"].get("late"))
    punctual = started(simulated, topic)
    assert [json.loads(text)["JobId"] for text in topic.received(2)] == [punctual, late]
    assert admin.statistics(simulated)["notices"] == {"lost": 1, "published": 4, "doubled": 1, "late": 1}


def test_a_topic_that_is_not_there_costs_its_notice_only(simulated: TextractServer, topic: Announcements) -> None:
    """The job ends as if nothing were, and the next notice goes out."""
    channel = {"SNSTopicArn": f"{topic.topic_arn}-of-nobody", "RoleArn": ROLE}
    start = simulated.textract().start_document_text_detection
    job_id = start(DocumentLocation=LOCATION, NotificationChannel=channel)["JobId"]
    assert simulated.finished(job_id)["JobStatus"] == "SUCCEEDED"
    wait_until(lambda: admin.statistics(simulated)["notices"].get("refused"))
    started(simulated, topic)
    assert len(topic.received(1)) == 1


def test_a_notice_waits_for_its_service_and_survives_a_kill(own_server: Any, topic: Announcements) -> None:
    """SNS is away when a job ends, the server is killed meanwhile, and the notice comes when both are back; once."""
    port = free_port()
    server = own_server(TEXTRACT_SERVER_SNS_ENDPOINT_URL=f"http://127.0.0.1:{port}", OCR_WORKERS="1")
    job_id = server.start_job(sheets.pdf(["One line"]), NotificationChannel=topic.channel)
    assert server.finished(job_id)["JobStatus"] == "SUCCEEDED"
    server.stop(signal.SIGKILL)
    server.start()
    wait_until(lambda: b"notice waits" in (server.data_dir / "log").read_bytes())
    with running_sns(port):  # All of moto's servers in a process share their topics.
        assert json.loads(topic.received(1)[0])["JobId"] == job_id
        server.stop()
        server.start()
        assert topic.nothing_more()
