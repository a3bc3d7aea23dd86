"""What requests pass before they are answered: the rate of their key, and whether more documents are taken in."""

from dataclasses import dataclass

from fastapi import Request
from prometheus_client import Counter

from app.errors import QueueFull, QuireError, RateLimited, TooManyOpenDocuments
from app.limits.intake import Intake
from app.limits.rates import Rate, RateLimits
from app.projects.service import Caller

REFUSED = Counter("quire_limited_requests", "Requests that a limit refused, by its code.", ["code"])


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in force."""

    rates: RateLimits
    intake: Intake
    default: Rate | None
    """Of keys that have none of their own."""

    async def count(self, request: Request, caller: Caller) -> None:
        """Count a request against its key's limit, and have the answer say how the key stands. Raises `RateLimited`."""
        rate = self._rate_of(caller)
        if rate is None:
            return
        standing = await self.rates.take(caller.key_id, rate)
        request.state.rate_limit = standing.headers()
        if not standing.allowed:
            REFUSED.labels(RateLimited.code).inc()
            raise RateLimited(retry_in_seconds=standing.retry_in_seconds)

    async def admit(self, caller: Caller, documents: int = 1) -> None:
        """Take some documents in. Raises `QueueFull` and `TooManyOpenDocuments`."""
        try:
            await self.intake.admit(caller.project_id, limit=caller.max_open_documents, documents=documents)
        except QuireError as error:
            REFUSED.labels(error.code).inc()
            raise

    def _rate_of(self, caller: Caller) -> Rate | None:
        if caller.requests_per_second is None:
            return self.default
        return Rate(caller.requests_per_second, caller.request_burst or max(1, round(caller.requests_per_second)))


LIMITED = (QueueFull, TooManyOpenDocuments)
"""What every call that takes a document in may end in, too."""
