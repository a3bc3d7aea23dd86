"""The models of a process, as its settings name them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from app.config import Settings
from app.embeddings.embedder import Embedder
from app.embeddings.remote import Limits, RemoteEmbedder
from app.embeddings.wordllama_embedder import WordLlamaEmbedder

CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Embedders:
    """The models that a process can make vectors with."""

    current: Embedder
    """The one that the settings name."""
    coming: Embedder | None
    """The one that is to take its place, while models change."""
    offline: Embedder
    """The one that is always there; it takes no memory before it is used."""

    @property
    def written(self) -> tuple[Embedder, ...]:
        """The models that every new chunk gets a vector of."""
        if self.coming is None or self.coming.name == self.current.name:
            return (self.current,)
        return (self.current, self.coming)

    def named(self, name: str) -> Embedder | None:
        """The model of a name; None where this process can't open it."""
        return next((each for each in (*self.written, self.offline) if each.name == name), None)


@asynccontextmanager
async def open_embedders(settings: Settings) -> AsyncIterator[Embedders]:
    """The models that the settings name; nothing is loaded or connected before it is used."""
    async with AsyncExitStack() as stack:
        offline = WordLlamaEmbedder()
        stack.push_async_callback(offline.aclose)
        current = _current(settings) or offline
        stack.push_async_callback(current.aclose)
        coming = _coming(settings)
        if coming is not None:
            stack.push_async_callback(coming.aclose)
        yield Embedders(current, coming, offline)


def _current(settings: Settings) -> Embedder | None:
    key = settings.embedding_api_key
    return _remote(
        settings,
        settings.embedding_url,
        settings.embedding_model,
        settings.embedding_dimensions,
        key.get_secret_value() if key else None,
    )


def _coming(settings: Settings) -> Embedder | None:
    key = settings.embedding_next_api_key
    return _remote(
        settings,
        settings.embedding_next_url,
        settings.embedding_next_model,
        settings.embedding_next_dimensions,
        key.get_secret_value() if key else None,
    )


def _remote(settings: Settings, url: str | None, model: str, dimensions: int, key: str | None) -> Embedder | None:
    if url is None:
        return None
    client = httpx.AsyncClient(
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=httpx.Timeout(settings.embedding_timeout_seconds, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=settings.embedding_concurrent_requests),
    )
    return RemoteEmbedder(client, address(url), model, dimensions, _limits(settings), settings.embedding_shorten)


def address(url: str) -> str:
    """Where requests go: a URL that ends before `/embeddings`, as most clients are given it, is completed."""
    whole = url.rstrip("/")
    return whole if whole.endswith("/embeddings") else f"{whole}/embeddings"


def _limits(settings: Settings) -> Limits:
    return Limits(
        batch_items=settings.embedding_batch_items,
        batch_tokens=settings.embedding_batch_tokens,
        text_tokens=settings.embedding_text_tokens,
        concurrent_requests=settings.embedding_concurrent_requests,
        requests_per_minute=settings.embedding_requests_per_minute,
        tokens_per_minute=settings.embedding_tokens_per_minute,
        tries=settings.embedding_tries,
        timeout_seconds=settings.embedding_timeout_seconds,
    )
