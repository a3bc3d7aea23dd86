"""Telling a topic that a job has ended, as Textract does: in the background, again and again while the topic's service is away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from app.textract_server.faults import Fault, Faults
from app.textract_server.orders import JSON, JobOrder
from app.textract_server.results import JobStatus
from app.textract_server.statistics import Statistics
from app.textract_server.topics import TopicRefused, Topics, TopicUnreachable

PUBLISHERS = 16
"""How many notices are on their way at once."""
RETRY_SECONDS = (0.5, 1, 2, 4, 8, 15, 30)
"""How long to wait after each failure; the last holds for all that follow."""

logger = logging.getLogger(__name__)

Settle = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Notice:
    """That a job has ended, with its status, at a time in seconds since 1970."""

    job_id: str
    order: JobOrder
    status: JobStatus
    ended_at: float

    def message(self) -> str:
        """Textract's own message. It has no word for a partial success: what was read is there to be got."""
        place = self.order.location
        tag = self.order.request.get("JobTag")
        content: JSON = {
            "JobId": self.job_id,
            "Status": "FAILED" if self.status is JobStatus.FAILED else "SUCCEEDED",
            "API": self.order.family.start,
            **({"JobTag": tag} if tag is not None else {}),
            "Timestamp": round(self.ended_at * 1000),
            "DocumentLocation": {"S3ObjectName": place.name, "S3Bucket": place.bucket},
        }
        return orjson.dumps(content).decode()


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends notices. `settle` is told of each that needn't be sent again."""

    topics: Topics
    faults: Faults
    statistics: Statistics
    settle: Settle
    _waiting: asyncio.Queue[Notice] = field(default_factory=asyncio.Queue)

    def announce(self, notice: Notice) -> None:
        """Send a notice soon, if its job has a topic; it is drawn here what goes wrong with it."""
        if notice.order.topic_arn is None:
            return
        start = notice.order.family.start
        late = self.faults.drawn(Fault.LATE_NOTICE, start)
        if late is None:
            self._waiting.put_nowait(notice)
        else:
            self.statistics.notices["late"] += 1
            asyncio.get_running_loop().call_later(late.seconds or 0.0, self._waiting.put_nowait, notice)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is announced, until the end of the block."""
        tasks = [asyncio.create_task(self._publish_all(), name="publisher of notices") for _ in range(PUBLISHERS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish_all(self) -> None:
        while True:
            notice = await self._waiting.get()
            try:
                await self._send(notice)
                await self.settle(notice.job_id)
            except Exception:
                # The outermost edge of a publisher: one notice's surprise may not keep all others from being sent.
                logger.exception("notice not sent job_id=%s", notice.job_id)

    async def _send(self, notice: Notice) -> None:
        start = notice.order.family.start
        if self.faults.drawn(Fault.LOST_NOTICE, start):
            self.statistics.notices["lost"] += 1
            return
        await self._publish(notice)
        if self.faults.drawn(Fault.DOUBLE_NOTICE, start):
            self.statistics.notices["doubled"] += 1
            await self._publish(notice)

    async def _publish(self, notice: Notice) -> None:
        failures = 0
        while True:
            try:
                await self.topics.publish(notice.order.topic_arn or "", notice.message())
            except TopicUnreachable as error:
                logger.warning("notice waits job_id=%s: %s", notice.job_id, error)
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
            except TopicRefused as error:
                self.statistics.notices["refused"] += 1
                logger.warning("notice refused job_id=%s: %s", notice.job_id, error)
                return
            else:
                self.statistics.notices["published"] += 1
                return
