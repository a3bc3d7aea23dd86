"""Any model behind an OpenAI-compatible `/v1/embeddings` endpoint: in batches, at a pace, tried again as it asks."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import structlog

from app.embeddings.answers import check_status, most_bytes, read_answer
from app.embeddings.batches import Batch, batches
from app.embeddings.pace import Pace
from app.errors import EmbeddingError, EmbeddingResultInvalid, EmbeddingUnavailable

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS = 15.0
"""A longer wait than this is not spent in a worker: the job is told when to come back."""

BACKOFF_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint may be asked for."""

    batch_items: int = 128
    batch_tokens: int = 50_000
    text_tokens: int = 8000
    concurrent_requests: int = 4
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    tries: int = 4
    timeout_seconds: float = 30.0


@dataclass(slots=True)
class RemoteEmbedder:
    """A model behind an endpoint, asked over a client that this owns."""

    client: httpx.AsyncClient
    url: str
    model: str
    dimensions: int
    limits: Limits
    shorten: bool = False
    _slots: asyncio.Semaphore = field(init=False)
    _requests: Pace = field(init=False)
    _tokens: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.limits.concurrent_requests)
        self._requests = Pace(self.limits.requests_per_minute)
        self._tokens = Pace(self.limits.tokens_per_minute)

    @property
    def name(self) -> str:
        """The model and its dimensions: shortened vectors can't be compared with whole ones."""
        return f"{self.model}/{self.dimensions}"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts, in their order. Raises the errors under `EmbeddingError`."""
        limits = self.limits
        parts = batches(texts, items=limits.batch_items, tokens=limits.batch_tokens, text_tokens=limits.text_tokens)
        try:
            async with asyncio.TaskGroup() as group:
                made = [group.create_task(self._batch(part)) for part in parts]
        except ExceptionGroup as failed:
            raise _worst(failed) from failed
        return [vector for part in made for vector in part.result()]

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def _batch(self, batch: Batch) -> list[list[float]]:
        """One request, sent again while that may help."""
        async with self._slots:
            attempt = 1
            while True:
                await self._requests.take(1)
                await self._tokens.take(batch.tokens)
                try:
                    return await self._request(batch)
                except EmbeddingError as error:
                    if (wait := self._wait(error, attempt)) is None:
                        raise
                    log.info("embedding_tried_again", code=error.code, in_seconds=round(wait, 2), attempt=attempt)
                attempt += 1
                await asyncio.sleep(wait)

    def _wait(self, error: EmbeddingError, attempt: int) -> float | None:
        """How long to wait before the next try; None where there should be none from here."""
        asked = error.retry_in_seconds
        if asked is not None:
            self._requests.hold(min(asked, LONGEST_WAIT_SECONDS))
        if not error.retryable or attempt >= self.limits.tries or (asked or 0) > LONGEST_WAIT_SECONDS:
            return None
        most = min(LONGEST_WAIT_SECONDS, BACKOFF_SECONDS * 2**attempt)
        return random.uniform(0, most) if asked is None else asked  # noqa: S311 (spreads load, guards nothing)

    async def _request(self, batch: Batch) -> list[list[float]]:
        asked: dict[str, Any] = {"model": self.model, "input": batch.texts, "encoding_format": "float"}
        if self.shorten:
            asked["dimensions"] = self.dimensions
        body = await self._answer(orjson.dumps(asked), most_bytes(len(batch.texts), self.dimensions))
        # Megabytes of numbers: longer than others should have to wait.
        vectors, tokens = await asyncio.to_thread(read_answer, body, len(batch.texts), self.dimensions)
        self._tokens.correct((tokens or batch.tokens) - batch.tokens)
        return vectors

    async def _answer(self, body: bytes, most: int) -> bytes:
        """The body of the endpoint's answer, once it is one of success and no longer than it can be."""
        headers, received = {"Content-Type": "application/json"}, bytearray()
        try:
            async with (
                asyncio.timeout(self.limits.timeout_seconds),
                self.client.stream("POST", self.url, content=body, headers=headers) as response,
            ):
                async for part in response.aiter_bytes():
                    received += part
                    if len(received) > most:
                        raise EmbeddingResultInvalid("The embedding model's answer is longer than so many vectors are.")
                check_status(response.status_code, response.headers.get("retry-after"), bytes(received))
        except (httpx.TransportError, TimeoutError) as error:
            raise EmbeddingUnavailable(f"The embedding model doesn't answer ({type(error).__name__}).") from error
        except httpx.DecodingError as error:
            raise EmbeddingResultInvalid("The embedding model's answer can't be decompressed.") from error
        return bytes(received)


def _worst(failed: ExceptionGroup[Exception]) -> Exception:
    """Of what failed at once, what says most: a defect of ours, then what can't pass, then the longest wait."""

    def weight(error: Exception) -> tuple[bool, bool, float]:
        if not isinstance(error, EmbeddingError):
            return (True, True, 0.0)
        return (False, not error.retryable, error.retry_in_seconds or 0.0)

    return max(failed.exceptions, key=weight)
