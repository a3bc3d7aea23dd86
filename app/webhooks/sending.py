"""One try to bring a message to its endpoint."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import certifi
import httpcore

from app.errors import WebhookUrlRefused
from app.webhooks.addresses import AddressNotAllowed, GuardedBackend, Reach

ANSWER_BYTES = 1024
"""So much of an answer is read, and kept to show."""
CONNECTIONS_KEPT = 20
GONE = 410
LONGEST_WAIT_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a try."""

    status: int | None = None
    error: str | None = None
    """Why there was no answer."""
    answer: str = ""
    duration_seconds: float = 0.0
    retry_after_seconds: float | None = None
    is_hopeless: bool = False
    """Trying again can't help: the address may not be called."""

    @property
    def arrived(self) -> bool:
        """Whether the endpoint has taken the message. A redirect is none: it could lead anywhere."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 (RFC 9110)

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint asks not to be called any more."""
        return self.status == GONE


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends messages to where they may go."""

    pool: httpcore.AsyncConnectionPool
    reach: Reach
    timeout_seconds: float

    async def send(self, url: str, body: str, headers: Mapping[str, str]) -> Result:
        """Post a message, and read the beginning of the answer, within the time there is."""
        began = time.monotonic()
        try:
            self.reach.check(url)
            async with asyncio.timeout(self.timeout_seconds):
                result = await self._post(url, body, headers)
        except (WebhookUrlRefused, AddressNotAllowed) as error:
            result = Result(error=str(error), is_hopeless=True)
        except (TimeoutError, httpcore.TimeoutException):
            result = Result(error=f"There was no whole answer within {self.timeout_seconds:g} seconds.")
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError, ValueError) as error:
            result = Result(error=_reason(error))
        return _with_duration(result, time.monotonic() - began)

    async def _post(self, url: str, body: str, headers: Mapping[str, str]) -> Result:
        said = [(name.encode(), value.encode()) for name, value in headers.items()]
        async with self.pool.stream("POST", url, headers=said, content=body.encode()) as response:
            answer = b""
            async for piece in response.aiter_stream():
                answer += piece[: ANSWER_BYTES - len(answer)]
                if len(answer) >= ANSWER_BYTES:
                    break
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Result(
            status=response.status,
            answer=answer.decode(errors="replace").replace("\x00", "\ufffd"),
            retry_after_seconds=retry_after(told.get("retry-after")),
        )


@asynccontextmanager
async def open_sender(
    reach: Reach, *, timeout_seconds: float, at_once: int, backend: GuardedBackend | None = None
) -> AsyncIterator[Sender]:
    """A sender, whose connections are closed at the end; `backend` is what opens them."""
    pool = httpcore.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(cafile=certifi.where()),
        max_connections=at_once,
        max_keepalive_connections=CONNECTIONS_KEPT,
        keepalive_expiry=5,
        network_backend=backend or GuardedBackend(reach),
    )
    async with pool:
        yield Sender(pool, reach, timeout_seconds)


def retry_after(said: str | None) -> float | None:
    """The seconds of a `Retry-After`, which is a number or a date (RFC 9110, 10.2.3); None for anything else."""
    if said is None:
        return None
    try:
        seconds = float(said) if said.isdecimal() else _until(said)
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _reason(error: Exception) -> str:
    """Why a connection failed, in a sentence that tells nothing of the network inside."""
    said = str(error)[:200].rstrip(".")
    return f"The connection failed: {said or type(error).__name__}."


def _with_duration(result: Result, seconds: float) -> Result:
    return Result(
        status=result.status,
        error=result.error,
        answer=result.answer,
        duration_seconds=round(seconds, 3),
        retry_after_seconds=result.retry_after_seconds,
        is_hopeless=result.is_hopeless,
    )
