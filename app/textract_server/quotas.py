"""Quotas per second, as an AWS account has them: a token bucket for each operation, all off unless they are asked for."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.textract_server.errors import ProvisionedThroughputExceededError


class CallKind(StrEnum):
    """What an operation does; each kind has a quota of its own."""

    START = "start"
    GET = "get"
    AT_ONCE = "detect"


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate` calls through each second, and after a pause as many at once as one second has, at least one."""

    rate: float
    tokens: float
    filled_at: float

    @classmethod
    def full(cls, rate: float, now: float) -> "TokenBucket":
        """A bucket that nobody has taken from yet."""
        return cls(rate, max(1.0, rate), now)

    def take(self, now: float) -> bool:
        """Take one token, if there is one."""
        self.tokens = min(max(1.0, self.rate), self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class Quotas:
    """Calls per second by kind; a kind without a rate is not limited."""

    rates: Mapping[CallKind, float | None]
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, TokenBucket] = field(default_factory=dict)

    def admit(self, operation: str, kind: CallKind) -> None:
        """Count a call of an operation; ProvisionedThroughputExceededError where it is one too many."""
        rate = self.rates.get(kind)
        if rate is None:
            return
        now = self.clock()
        if operation not in self._buckets:
            self._buckets[operation] = TokenBucket.full(rate, now)
        if not self._buckets[operation].take(now):
            raise ProvisionedThroughputExceededError
