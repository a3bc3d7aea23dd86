"""Notices of ended jobs, through real SNS topics and SQS queues of a server that speaks their protocols."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from moto.server import ThreadedMotoServer
from structlog.testing import capture_logs

from app.config import Settings
from app.errors import DatabaseUnavailable
from app.ocr.notices import CONFIG, Notice, NoticeNotUnderstood, Notices, parse_notice
from app.resources import aws_session
from app.stopping import end
from tests.bench import eventually

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient

ENDED = {
    "JobId": "693dc40ebec4",
    "Status": "SUCCEEDED",
    "API": "StartDocumentTextDetection",
    "JobTag": "part-1",
    "Timestamp": 1756643788910,
    "DocumentLocation": {"S3ObjectName": "dir/a b.pdf", "S3Bucket": "bucket"},
}


def ended(job_id: str, **more: Any) -> str:
    return json.dumps({**ENDED, "JobId": job_id, **more})


def enveloped(message: object) -> str:
    told = {"Type": "Notification", "MessageId": "of-sns", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": message}
    return json.dumps({**told, "Timestamp": "2026-01-01T00:00:00.000Z", "Subject": None})


@pytest.mark.parametrize("body", [json.dumps(ENDED), enveloped(json.dumps(ENDED))], ids=["raw", "enveloped"])
def test_both_forms_say_the_same(body: str) -> None:
    """With and without SNS's envelope."""
    at = datetime(2025, 8, 31, 12, 36, 28, 910_000, UTC)
    assert parse_notice(body) == Notice("693dc40ebec4", "SUCCEEDED", "StartDocumentTextDetection", "part-1", at)


@pytest.mark.parametrize("time", [{}, {"Timestamp": "soon"}, {"Timestamp": 10**30}, {"Timestamp": None}])
def test_what_is_not_needed_may_be_missing(time: dict[str, Any]) -> None:
    """Textract leaves the tag out where none was given; the id and the status are enough."""
    body = json.dumps({"JobId": "a-1_B", "Status": "ERROR", "JobTag": "", **time})
    assert parse_notice(body) == Notice("a-1_B", "ERROR", None, None, None)


JUNK = [
    "",
    "hello",
    "[]",
    "null",
    "{}",
    '"JobId"',
    '{"JobId": "a"}',
    '{"JobId": 3, "Status": "SUCCEEDED"}',
    '{"JobId": "", "Status": "SUCCEEDED"}',
    '{"JobId": "a b", "Status": "SUCCEEDED"}',
    json.dumps({"JobId": "a" * 65, "Status": "SUCCEEDED"}),
    '{"JobId": "a\\n", "Status": "SUCCEEDED"}',
    '{"JobId": "a", "Status": null}',
    enveloped("hello"),
    enveloped(None),
    enveloped({"JobId": "a", "Status": "SUCCEEDED"}),
    enveloped(enveloped(json.dumps(ENDED))),
    json.dumps({"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe."}),
    "[" * 100_000,
]


@pytest.mark.parametrize("body", JUNK)
def test_anything_else_is_not_understood(body: str) -> None:
    """Whatever else lands in the queue."""
    with pytest.raises(NoticeNotUnderstood):
        parse_notice(body)


class Cloud:
    """SNS and SQS at one address, which can go away and come back with what they held."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


@dataclass
class Mail:
    """A topic, the queue that is subscribed to it, and who listens."""

    cloud: Cloud
    sns: "SNSClient"
    sqs: "SQSClient"
    topic_arn: str
    queue_url: str
    known: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """What handing notices on ends with, one for each time."""

    async def publish(self, body: str) -> None:
        await self.sns.publish(TopicArn=self.topic_arn, Message=body)

    async def on_ended(self, notices: Sequence[Notice]) -> set[str]:
        if self.errors:
            raise self.errors.pop(0)
        self.heard += [notice.engine_job_id for notice in notices]
        return self.known & {notice.engine_job_id for notice in notices}

    @asynccontextmanager
    async def listening(self) -> "AsyncIterator[asyncio.Task[None]]":
        listener = Notices(self.sqs, self.queue_url, self.on_ended, wait_seconds=1)
        task = asyncio.create_task(listener.listen())
        try:
            yield task
        finally:
            assert not task.done()
            await end([task])

    async def left(self) -> int:
        """How many messages the queue holds, seen or unseen."""
        told = await self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])
        held = told["Attributes"]
        return int(held["ApproximateNumberOfMessages"]) + int(held["ApproximateNumberOfMessagesNotVisible"])

    async def is_empty(self) -> bool:
        return await self.left() == 0


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    yield cloud
    cloud.stop()


in_both_forms = pytest.mark.parametrize("mail", [False, True], indirect=True, ids=["enveloped", "raw"])
"""With and without SNS's envelope: what is in a message has no part in whether it comes again, so not all tests need it."""


@pytest.fixture
async def mail(cloud: Cloud, request: pytest.FixtureRequest) -> AsyncIterator[Mail]:
    """A queue that shows a message again after two seconds; in SNS's envelope where nothing else is said."""
    session = aws_session(Settings(_env_file=None, aws_access_key_id="key", aws_secret_access_key="secret"))
    async with (
        session.client("sns", endpoint_url=cloud.url) as sns,
        session.client("sqs", endpoint_url=cloud.url, config=CONFIG) as sqs,
    ):
        name = f"q-{secrets.token_hex(4)}"
        topic = (await sns.create_topic(Name=name))["TopicArn"]
        queue = (await sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "2"}))["QueueUrl"]
        arn = (await sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"]))["Attributes"]["QueueArn"]
        raw = {"RawMessageDelivery": str(getattr(request, "param", False)).lower()}
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
        yield Mail(cloud, sns, sqs, topic, queue)


@in_both_forms
async def test_notices_are_handed_on_and_done_with(mail: Mail) -> None:
    """More of them than one answer of the queue holds; doubled ones are handed on twice, and harm nothing."""
    mail.known = {f"job-{number}" for number in range(15)}
    for job_id in [*mail.known, "job-3", "job-4"]:
        await mail.publish(ended(job_id))
    async with mail.listening():
        await eventually(mail.is_empty)
    assert set(mail.heard) == mail.known
    assert len(mail.heard) >= 17


@in_both_forms
async def test_junk_is_dropped_and_told_of(mail: Mail) -> None:
    """Between notices, which it doesn't hold up."""
    mail.known = {"job-1", "job-2"}
    for body in [ended("job-1"), "hello", "[]", '{"JobId": 3}', ended("job-2")]:
        await mail.publish(body)
    with capture_logs() as lines:
        async with mail.listening():
            await eventually(mail.is_empty)
    assert set(mail.heard) == mail.known
    assert [line["event"] for line in lines] == ["notice_not_understood"] * 3
    assert all(line["message_id"] for line in lines)


async def test_a_notice_that_comes_before_its_start_is_written_down_comes_again(mail: Mail) -> None:
    """It stays in the queue until the job is known."""
    await mail.publish(ended("job-1"))
    async with mail.listening():
        await eventually(lambda: _true(mail.heard))
        assert await mail.left() == 1
        mail.known = {"job-1"}
        await eventually(mail.is_empty, 40)
    assert len(mail.heard) >= 2


async def test_a_notice_of_a_job_that_stays_unknown_is_dropped(mail: Mail) -> None:
    """After it came more often than it may; those before it were left to come again."""
    await mail.publish(ended("somebody-elses"))
    for _ in range(5):  # as other processes of the fleet have received it, and left it
        told = await mail.sqs.receive_message(QueueUrl=mail.queue_url, WaitTimeSeconds=1)
        handle = told["Messages"][0]["ReceiptHandle"]
        await mail.sqs.change_message_visibility(QueueUrl=mail.queue_url, ReceiptHandle=handle, VisibilityTimeout=0)
    with capture_logs() as lines:
        async with mail.listening():
            await eventually(mail.is_empty)
    assert mail.heard == ["somebody-elses"]
    assert [(line["event"], line.get("engine_job_id")) for line in lines] == [
        ("notice_of_unknown_job", "somebody-elses")
    ]


async def test_sqs_may_go_away_and_come_back(mail: Mail) -> None:
    """One warning for the outage, and every notice is handed on after it."""
    mail.known = {"before", "after"}
    with capture_logs() as lines:
        async with mail.listening():
            await mail.publish(ended("before"))
            await eventually(mail.is_empty)
            await asyncio.to_thread(mail.cloud.stop)
            await eventually(lambda: _true(lines), 40)
            await asyncio.sleep(3)  # long enough for several tries
            await asyncio.to_thread(mail.cloud.start)
            await mail.publish(ended("after"))
            await eventually(mail.is_empty, 60)
            await eventually(lambda: _true(len(lines) == 2))
    assert set(mail.heard) == mail.known
    assert [line["event"] for line in lines] == ["notices_away", "notices_back"]


@pytest.mark.parametrize("error", [DatabaseUnavailable(), RuntimeError("a defect")], ids=["away", "defect"])
async def test_what_could_not_be_handed_on_comes_again(mail: Mail, error: Exception) -> None:
    """Nothing is deleted before it is handled, and no error ends the listening."""
    mail.known, mail.errors = {"job-1"}, [error]
    await mail.publish(ended("job-1"))
    async with mail.listening():
        await eventually(mail.is_empty, 40)
    assert mail.heard == ["job-1"]
    assert not mail.errors


async def _true(value: object) -> bool:
    return bool(value)
