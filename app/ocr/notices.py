"""Textract's notices of ended jobs, which come by SNS to an SQS queue: results are collected at once, not at the next poll.

A notice may come twice, late, or not at all, and before the Start that it answers is written down; so it is a hint, never
the truth: whoever hears of a job asks the engine about it.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import SQLAlchemyError

from app.errors import QuireError

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

log = structlog.get_logger(__name__)

BATCH = 10
"""Messages in one answer: SQS gives no more."""

WAIT_SECONDS = 20
"""How long SQS holds a question open until there is something to tell: the longest that it allows."""

AGAIN_SECONDS = 5
"""How soon a notice of an unknown job comes again: the Start that it answers may be on its way to the database."""

UNKNOWN_AT_MOST = 5
"""How often a notice of an unknown job may come before it is dropped."""

LONGEST_PAUSE_SECONDS = 30.0

JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""As Textract's API model has it."""

CONFIG = Config(
    retries={"total_max_attempts": 2, "mode": "standard"},
    connect_timeout=5,
    read_timeout=WAIT_SECONDS + 10,
    max_pool_connections=4,
)
"""For the SQS client: an answer may take as long as it waits for messages, and the pauses between retries are ours."""


class NoticeNotUnderstood(ValueError):
    """A message that is no notice of Textract's."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says of a job that has ended. It has neither text nor reason: the engine is to be asked for those."""

    engine_job_id: str
    status: str
    """`SUCCEEDED`, `FAILED` or `ERROR`, and whatever else may be said one day."""
    api: str | None
    """The operation that began the job, such as `StartDocumentTextDetection`."""
    job_tag: str | None
    at: datetime | None


def parse_notice(body: str) -> Notice:
    """The notice in an SQS message, delivered raw or in SNS's envelope; raises NoticeNotUnderstood for anything else."""
    told = _object(body)
    if told.get("Type") == "Notification" or (isinstance(told.get("Message"), str) and "JobId" not in told):
        told = _object(told.get("Message"))
    job_id, status = told.get("JobId"), told.get("Status")
    if not isinstance(job_id, str) or not JOB_ID.fullmatch(job_id):
        raise NoticeNotUnderstood("It names no job.")
    if not isinstance(status, str):
        raise NoticeNotUnderstood("It names no status.")
    return Notice(job_id, status, _text(told.get("API")), _text(told.get("JobTag")), _time(told.get("Timestamp")))


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, and the notice in it."""

    message: "MessageTypeDef"
    notice: Notice


@dataclass(frozen=True, slots=True)
class Notices:
    """Listens to a queue of notices and hands them on."""

    client: "SQSClient"
    queue_url: str
    on_ended: Callable[[Sequence[Notice]], Awaitable[set[str]]]
    """Told of ended jobs, often of the same one twice; returns the ids of those jobs that it knows."""
    wait_seconds: int = WAIT_SECONDS

    async def listen(self) -> None:
        """Hand on what comes until cancelled. While SQS or the database is away, ask ever more rarely."""
        failures = 0
        while True:
            try:
                await self._handle(await self._receive())
            except (BotoCoreError, ClientError, SQLAlchemyError, QuireError, OSError) as error:
                if not failures:
                    log.warning("notices_away", queue=self.queue_url, error=str(error) or type(error).__name__)
            except Exception:  # a defect must not end what nothing would start again
                log.exception("notices_crashed", queue=self.queue_url)
            else:
                if failures:
                    log.info("notices_back", queue=self.queue_url)
                failures = 0
                continue
            failures += 1
            await asyncio.sleep(_pause(failures))

    async def _receive(self) -> "Sequence[MessageTypeDef]":
        answer = await self.client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=self.wait_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return answer.get("Messages", [])

    async def _handle(self, messages: "Sequence[MessageTypeDef]") -> None:
        """Hand on the notices; what is neither known nor junk comes again."""
        heard, done = _sorted_out(messages)
        known = await self.on_ended([each.notice for each in heard]) if heard else set()
        again = []
        for each in heard:
            if each.notice.engine_job_id in known:
                done.append(each.message)
            elif _receive_count(each.message) > UNKNOWN_AT_MOST:
                log.warning("notice_of_unknown_job", engine_job_id=each.notice.engine_job_id, status=each.notice.status)
                done.append(each.message)
            else:
                again.append(each.message)
        await self._delete(done)
        await self._put_off(again)

    async def _delete(self, messages: "Sequence[MessageTypeDef]") -> None:
        if not messages:
            return
        entries: Any = [
            {"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(_handles(messages))
        ]
        answer = await self.client.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)
        if failed := answer.get("Failed"):
            log.warning("notices_not_deleted", count=len(failed), code=failed[0].get("Code"))

    async def _put_off(self, messages: "Sequence[MessageTypeDef]") -> None:
        if not messages:
            return
        entries: Any = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": AGAIN_SECONDS}
            for number, handle in enumerate(_handles(messages))
        ]
        # One that fails comes again all the same, when the queue's own visibility timeout has passed.
        await self.client.change_message_visibility_batch(QueueUrl=self.queue_url, Entries=entries)


def _sorted_out(messages: "Iterable[MessageTypeDef]") -> "tuple[list[Heard], list[MessageTypeDef]]":
    """Notices, and junk, which is logged."""
    heard, junk = [], []
    for message in messages:
        try:
            heard.append(Heard(message, parse_notice(message.get("Body", ""))))
        except NoticeNotUnderstood as error:
            log.warning("notice_not_understood", message_id=message.get("MessageId"), error=str(error))
            junk.append(message)
    return heard, junk


def _pause(failures: int) -> float:
    """Seconds until the next try: doubling, and never at the same moment for a whole fleet."""
    longest = min(2.0 ** min(failures - 1, 10), LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311  # jitter is no secret


def _handles(messages: "Iterable[MessageTypeDef]") -> list[str]:
    return [message["ReceiptHandle"] for message in messages]


def _receive_count(message: "MessageTypeDef") -> int:
    count = message.get("Attributes", {}).get("ApproximateReceiveCount", "1")
    return int(count) if count.isdecimal() else 1


def _object(text: object) -> dict[str, Any]:
    if not isinstance(text, str):
        raise NoticeNotUnderstood("Its envelope holds no text.")
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NoticeNotUnderstood("It is not JSON.") from error
    if not isinstance(told, dict):
        raise NoticeNotUnderstood("It is not a JSON object.")
    return told


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
