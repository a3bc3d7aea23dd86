"""Whether every part that Quire needs answers, and how fast."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httpx
import structlog
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.errors import NoWorkers, OcrUnavailable, QuireError
from app.jobs.presence import unserved
from app.ocr.circuit import Position
from app.ocr.engine import EngineName
from app.resources import Resources

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 3.0
ENGINE = "engine_"
"""What the names of the engines' checks begin with."""


@dataclass(frozen=True, slots=True)
class Check:
    """How one part answered."""

    ok: bool
    latency_seconds: float
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Asks every part."""

    resources: Resources
    queues: tuple[str, ...]
    """The queues that some live worker must serve."""

    async def check(self) -> dict[str, Check]:
        """Every part's answer, by name; all are asked at once."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "postgres": self._postgres,
            "redis": self._redis,
            "s3": self.resources.bucket.check,
            **{f"{ENGINE}{name}": partial(self._engine, name) for name in self.resources.ocr.engines},
            "workers": self._workers,
        }
        checks = await asyncio.gather(*(_timed(ask) for ask in parts.values()))
        return dict(zip(parts, checks, strict=True))

    def is_ready(self, checks: Mapping[str, Check]) -> bool:
        """Whether documents can be taken in and read: every part answers, and of the engines one at least."""
        engines = [check.ok for name, check in checks.items() if name.startswith(ENGINE)]
        return any(engines) and all(check.ok for name, check in checks.items() if not name.startswith(ENGINE))

    async def _postgres(self) -> None:
        async with self.resources.sessions() as session:
            await session.execute(text("SELECT 1"))

    async def _redis(self) -> None:
        await self.resources.redis.ping()

    async def _engine(self, name: EngineName) -> None:
        """Any answer will do, also a refusal: what counts is that somebody is there, and that its breaker is closed."""
        state = (await self.resources.ocr.router.states())[name]
        if state.state is not Position.CLOSED:
            since = state.opened_at.isoformat(timespec="seconds") if state.opened_at else "a while ago"
            raise OcrUnavailable(
                f"Left alone since {since} ({state.reason}); probed in {state.retry_in_seconds:.0f} s."
            )
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            await client.get(self.resources.ocr.engines[name].endpoint_url)

    async def _workers(self) -> None:
        if missing := await unserved(self.resources.sessions, self.queues):
            raise NoWorkers(f"No live worker serves: {', '.join(missing)}.")


async def _timed(ask: Callable[[], Awaitable[None]]) -> Check:
    began = time.perf_counter()
    detail: str | None = None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await ask()
    except QuireError as error:
        detail = error.detail
    except TimeoutError:
        detail = f"No answer within {TIMEOUT_SECONDS:.0f} s."
    except (SQLAlchemyError, RedisError, httpx.HTTPError, OSError) as error:
        log.warning("readiness_check_failed", error=str(error))
        detail = "It doesn't answer."
    return Check(detail is None, round(time.perf_counter() - began, 6), detail)
