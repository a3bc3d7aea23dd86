"""An SNS with a topic and a queue that hears it, as a client of Textract sets them up."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from moto.server import ThreadedMotoServer

from tests.textract_server.running import client

ROLE = "arn:aws:iam::123456789012:role/TextractPublishes"


@dataclass
class Announcements:
    """A topic, and what its queue has received."""

    topic_arn: str
    queue_url: str
    queue: Any

    @property
    def channel(self) -> dict[str, str]:
        return {"SNSTopicArn": self.topic_arn, "RoleArn": ROLE}

    def received(self, count: int, seconds: float = 30) -> list[str]:
        """Wait for so many messages; return their texts."""
        deadline = time.monotonic() + seconds
        texts: list[str] = []
        while len(texts) < count and time.monotonic() < deadline:
            texts += self._receive()
        return texts

    def nothing_more(self) -> bool:
        """Whether nothing else comes within a second."""
        time.sleep(1)
        return not self._receive()

    def _receive(self) -> list[str]:
        answer = self.queue.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        for message in messages:
            self.queue.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]


@contextmanager
def running_sns(port: int = 0) -> Iterator[str]:
    """Run moto's server and yield its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def subscribed(sns_url: str, *, raw: bool = True) -> Announcements:
    """Make a topic and a queue that is subscribed to it."""
    sns, sqs = client("sns", sns_url), client("sqs", sns_url)
    name = f"AmazonTextract-{uuid4().hex}"
    topic_arn = sns.create_topic(Name=name)["TopicArn"]
    queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    attributes = {"RawMessageDelivery": json.dumps(raw)}
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
    return Announcements(topic_arn, queue_url, sqs)
