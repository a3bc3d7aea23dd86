"""The extractor that the settings ask for: found here, or names by a model elsewhere and the rest here."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from app.config import Settings
from app.entities.finding import RANKS
from app.entities.local_extractor import LocalExtractor
from app.entities.mentions import EntityExtractor, Mention, Passage
from app.entities.remote import Limits, RemoteExtractor


@dataclass(frozen=True, slots=True)
class Together:
    """Several extractors as one; where mentions overlap, the better type, the surer, then the longer one stays."""

    extractors: tuple[EntityExtractor, ...]

    @property
    def name(self) -> str:
        """Their names."""
        return "+".join(each.name for each in self.extractors)

    async def extract(self, passages: Sequence[Passage]) -> list[list[Mention]]:
        """The mentions of each passage. Raises what any of them raises."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each.extract(passages)) for each in self.extractors]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        by_passage = zip(*(task.result() for task in tasks), strict=True)
        return [without_overlaps([mention for found in those for mention in found]) for those in by_passage]

    async def aclose(self) -> None:
        """Close them all."""
        for each in self.extractors:
            await each.aclose()


def without_overlaps(mentions: Sequence[Mention]) -> list[Mention]:
    """Mentions in their order in the document, none overlapping another."""
    kept: list[Mention] = []
    for mention in sorted(mentions, key=_precedence):
        if all(mention.end <= other.start or mention.start >= other.end for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda mention: mention.start)


def _precedence(mention: Mention) -> tuple[int, float, int, int, str]:
    rank = RANKS.get(mention.type, len(RANKS))
    return rank, -mention.confidence, mention.start - mention.end, mention.start, mention.source


@asynccontextmanager
async def open_extractor(settings: Settings) -> AsyncIterator[EntityExtractor]:
    """Open it; models are loaded at first use, in a process of their own, and dropped when they have long been idle."""
    extractor = _extractor(settings)
    try:
        yield extractor
    finally:
        await extractor.aclose()


def _extractor(settings: Settings) -> EntityExtractor:
    local = LocalExtractor(names=settings.entity_url is None, timeout_seconds=settings.entity_timeout_seconds)
    if settings.entity_url is None:
        return local
    key = settings.entity_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    limits = Limits(
        request_characters=settings.entity_request_characters,
        concurrent_requests=settings.entity_concurrent_requests,
        requests_per_minute=settings.entity_requests_per_minute,
        tries=settings.entity_tries,
        timeout_seconds=settings.entity_timeout_seconds,
    )
    client = httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(settings.entity_timeout_seconds))
    return Together((RemoteExtractor(client, settings.entity_url, settings.entity_model, limits), local))
