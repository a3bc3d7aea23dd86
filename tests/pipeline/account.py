"""A Textract account whose jobs take a while, and that keeps to its own quota of running jobs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.ocr.textract import GET, GET_ANALYSIS, STARTS, Answer, FakeTextract, Refusal


@dataclass
class Account(FakeTextract):
    """What runs, since when, and how much of it ran at once."""

    seconds: float | None = None
    """How long jobs take; None for those that end when they are told to."""
    most: int = 1000
    """The account's quota of running jobs."""
    away: Refusal | None = None
    """What every call is answered with, where there is something."""
    opened: dict[str, float] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    most_open: int = 0
    starts_at: list[float] = field(default_factory=list)
    """When Starts came in, all of them."""
    refused: int = 0
    """Starts that were one too many."""

    @property
    def running(self) -> set[str]:
        """The jobs that run now."""
        now = time.monotonic()
        over = {job for job, since in self.opened.items() if self.seconds is not None and now - since > self.seconds}
        return self.opened.keys() - self.ended - over

    def end(self) -> None:
        """Have all jobs end that run now."""
        self.ended |= self.running

    async def answer(self, operation: str, body: dict[str, Any]) -> Answer:
        """What this account says."""
        if self.away is not None:
            self.asked.append((operation, body))
            return self.away
        if operation in STARTS:
            self.starts_at.append(time.monotonic())
            if body["ClientRequestToken"] not in self.jobs and len(self.running) >= self.most:
                self.refused += 1
                return Refusal("LimitExceededException")
        if operation in (GET, GET_ANALYSIS) and body["JobId"] in self.running and not self.before:
            self.asked.append((operation, body))
            return {"JobStatus": "IN_PROGRESS"}
        answer = await FakeTextract.answer(self, operation, body)
        if operation in STARTS and isinstance(answer, dict):
            self.opened.setdefault(answer["JobId"], time.monotonic())
            self.most_open = max(self.most_open, len(self.running))
        return answer

    def count(self, *operations: str) -> int:
        """How often some operations were asked for."""
        return sum(operation in operations for operation, _ in self.asked)


@asynccontextmanager
async def running_account(**what: Any) -> AsyncIterator[Account]:
    """Run such an account."""
    account = Account(**what)
    server = await asyncio.start_server(account.serve, "127.0.0.1", 0)
    account.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield account
