"""Searching a project's chunks: by words, by vectors, or by both, fused by rank."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Sessions, one_statement
from app.embeddings.embedder import Embedder
from app.errors import EmbeddingError, EmbeddingUnavailable
from app.knowledge import search_sql
from app.knowledge.fusion import Fused, fuse
from app.knowledge.negation import wanted
from app.knowledge.numbers import in_all_forms
from app.knowledge.search_sql import NARROW_CHUNKS, RANKED_MATCHES, RARE_MENTIONS, Shape
from app.knowledge.searched_model import SearchedModel
from app.knowledge.vectors import as_text

CANDIDATES = 100
"""How many each ranking has at least: what is far down in both is no hit."""

DEEPEST = 500
"""How far down a search can be followed."""


class Mode(StrEnum):
    """What a search goes by."""

    HYBRID = "hybrid"
    """Words and vectors."""
    TEXT = "text"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which chunks are searched; all of the project without any."""

    document_ids: Sequence[UUID] | None = None
    batch_ids: Sequence[UUID] | None = None
    """Of documents that were taken with one of these batches."""
    entity_ids: Sequence[UUID] | None = None
    """Chunks in which one of them is named; what was merged into them counts as they do."""
    created_after: datetime | None = None
    """Of documents that came in then or later."""
    created_before: datetime | None = None

    @property
    def dated(self) -> bool:
        """Whether it matters when documents came in."""
        return self.created_after is not None or self.created_before is not None


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for."""

    text: str
    mode: Mode = Mode.HYBRID
    filters: Filters = field(default_factory=Filters)
    min_similarity: float | None = None
    """By meaning, nothing is found that is less near than this (-1 to 1, by cosine)."""
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a search that its hits don't show."""

    code: str
    detail: str


NOT_ALL_RANKED = Note(
    "matches_not_all_ranked",
    f"The words are in so many chunks that only {RANKED_MATCHES} of them were ranked, and those that are near in meaning; "
    "use rarer words too.",
)

STOP_WORDS_ALONE = Note(
    "stop_words_alone",
    'The query has none of the words that are searched for: such as "the" are passed over, for they are everywhere.',
)
WORDS_NOT_FOUND = Note(
    "words_not_found",
    "No chunk has all of the words; what was found is the nearest in meaning, be it far.",
)
NEGATIONS_ALONE = Note(
    "negations_alone",
    "The query says only what is not to be there, so that nothing can be near to it in meaning.",
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found: its row, and why it stands where it does."""

    row: Any
    fused: Fused
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found."""

    hits: list[Hit]
    more: bool
    notes: list[Note]


@dataclass(frozen=True, slots=True)
class Search:
    """Searches, in a transaction of their own."""

    sessions: Sessions
    model: SearchedModel
    embedding_seconds: float

    async def find(self, project_id: UUID, query: Query) -> Found:
        """The chunks that answer a query, the best first.

        What can't be searched by vectors at the moment is searched by words alone, and noted; where vectors alone were asked
        for, that raises one of the errors under `EmbeddingError`.
        """
        notes: list[Note] = []
        told = _parameters(project_id, query)
        async with self._searching() as session:
            await _read(session, told)
            shape = await _shape(session, query.filters, told)
        # Each with a connection of its own, so that they are made side by side; neither waits for one while it holds one.
        ranks, distances = await asyncio.gather(
            self._words(shape, told, query, notes), self._near(shape, told, query, notes)
        )
        if NOT_ALL_RANKED in notes and distances:
            ranks = await self._with_near(told, ranks, distances)
        elif distances and not ranks and query.mode is Mode.HYBRID and STOP_WORDS_ALONE not in notes:
            notes.append(WORDS_NOT_FOUND)
        fused = fuse({"text": list(ranks), "vector": list(distances)})
        shown = fused[query.offset : query.offset + query.limit]
        async with one_statement(self.sessions) as session:
            rows = await _rows(session, told["query"], shown)
        hits = [
            Hit(rows[each.found_id], each, _similarity(distances.get(each.found_id)))
            for each in shown
            if each.found_id in rows
        ]
        return Found(hits, len(fused) > query.offset + query.limit, notes)

    @asynccontextmanager
    async def _searching(self) -> AsyncIterator[AsyncSession]:
        async with self.sessions.begin() as session:
            await session.execute(search_sql.SETTINGS)
            yield session

    async def _words(self, shape: Shape, told: Mapping[str, Any], query: Query, notes: list[Note]) -> dict[UUID, float]:
        """What matches the words, the best first, with its rank by them."""
        if query.mode is Mode.VECTOR:
            return {}
        if not told["query"]:
            notes.append(STOP_WORDS_ALONE)
            return {}
        async with self._searching() as session:
            rows = (await session.execute(search_sql.by_text(shape), told)).all()
        if rows and rows[0].matches == RANKED_MATCHES:
            notes.append(NOT_ALL_RANKED)
        return {row.id: row.rank for row in rows}

    async def _with_near(
        self, told: Mapping[str, Any], ranks: Mapping[UUID, float], near: Iterable[UUID]
    ) -> dict[UUID, float]:
        """The ranking by words of some matches, with those that are near in meaning: what both would find is not missed."""
        async with one_statement(self.sessions) as session:
            rows = await session.execute(search_sql.RANKS, {"ids": list(near), "query": told["query"]})
        both = {**ranks, **{row.id: row.rank for row in rows}}
        return dict(sorted(both.items(), key=lambda each: (-each[1], each[0]))[: told["most"]])

    async def _near(self, shape: Shape, told: Mapping[str, Any], query: Query, notes: list[Note]) -> dict[UUID, float]:
        asked = await self._asked(query, notes)
        if asked is None:
            return {}
        async with self._searching() as session:
            near = await _by_vector(session, shape, told, asked)
        furthest = math.inf if query.min_similarity is None else 1 - query.min_similarity
        return {chunk_id: distance for chunk_id, distance in near.items() if distance <= furthest}

    async def _asked(self, query: Query, notes: list[Note]) -> tuple[Embedder, list[float]] | None:
        """The model that is searched and the query's vector; None where there is none to search by."""
        if query.mode is Mode.TEXT:
            return None
        sought = wanted(query.text).sought
        if not sought:
            notes.append(NEGATIONS_ALONE)
            return None
        try:
            embedder = await self.model.get()
            return None if embedder is None else (embedder, await self._vector(embedder, sought))
        except EmbeddingError as error:
            if query.mode is Mode.VECTOR:
                raise
            notes.append(Note(error.code, f"Searched by words alone. {error.detail}"))
            return None

    async def _vector(self, embedder: Embedder, text: str) -> list[float]:
        try:
            async with asyncio.timeout(self.embedding_seconds):
                return (await embedder.embed([text]))[0]
        except TimeoutError as error:
            raise EmbeddingUnavailable("The embedding model took too long to answer.") from error


def _parameters(project_id: UUID, query: Query) -> dict[str, Any]:
    filters = query.filters
    return {
        "project": project_id,
        "query": query.text,
        "unwanted": wanted(query.text).unwanted,
        "documents": list(filters.document_ids or ()),
        "batches": list(filters.batch_ids or ()),
        "entities": list(filters.entity_ids or ()),
        "after": filters.created_after,
        "before": filters.created_before,
        "most": min(DEEPEST, max(CANDIDATES, query.offset + query.limit + 1)),
    }


async def _read(session: AsyncSession, told: dict[str, Any]) -> None:
    """Have Postgres read a query's words; what they are told as becomes what it has read, with all forms of numbers."""
    read = (await session.execute(search_sql.AS_POSTGRES, told)).one()
    told["query"] = in_all_forms(read.query)
    told["unwanted"] = None if read.unwanted is None else in_all_forms(read.unwanted)


async def _shape(session: AsyncSession, filters: Filters, told: dict[str, Any]) -> Shape:
    """The way to search; what the entities are told as becomes them and what was merged into them."""
    flags = {
        "documents": filters.document_ids is not None,
        "batches": filters.batch_ids is not None,
        "dates": filters.dated,
        "entities": filters.entity_ids is not None,
        "unwanted": told["unwanted"] is not None,
    }
    if flags["entities"]:
        told["entities"] = list(await session.scalars(search_sql.FAMILY, told))
        if (await session.scalar(search_sql.MENTIONS, told) or 0) <= RARE_MENTIONS:
            return Shape(**flags, narrow=True, named_rarely=True)
    count = await session.scalar(search_sql.scope(Shape(**flags)), told) or 0
    return Shape(**flags, narrow=count <= NARROW_CHUNKS)


async def _by_vector(
    session: AsyncSession, shape: Shape, told: Mapping[str, Any], asked: tuple[Embedder, list[float]]
) -> dict[UUID, float]:
    """The chunks that are nearest, in order, with their distances; those without a direction have none."""
    embedder, vector = asked
    statement = search_sql.by_vector(shape, embedder.name, embedder.dimensions)
    rows = await session.execute(statement, {**told, "vector": as_text(vector)})
    return {row.id: row.distance for row in rows if row.distance == row.distance}


async def _rows(session: AsyncSession, query: str, shown: Sequence[Fused]) -> dict[UUID, Any]:
    if not shown:
        return {}
    told = {"ids": [each.found_id for each in shown], "query": query}
    return {row.id: row for row in await session.execute(search_sql.HITS, told)}


def _similarity(distance: float | None) -> float | None:
    return None if distance is None else 1 - distance
