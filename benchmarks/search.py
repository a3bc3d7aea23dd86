"""`POST /v1/search` over 100,000 chunks, and how much of the exact answer the HNSW index finds."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import open_engine, open_sessions
from app.embeddings.wordllama_embedder import WordLlamaEmbedder
from app.knowledge import search_sql
from app.knowledge.search_sql import Shape
from app.knowledge.vector_index import ensure_index
from app.knowledge.vectors import as_text
from benchmarks.figures import milliseconds, percentile, verdict
from benchmarks.running import RunningStack
from benchmarks.search_rows import Rows, read_rows, write_rows
from benchmarks.search_texts import Texts, passages, vocabulary

MOST_SECONDS = 0.1
LEAST_RECALL = 0.95
SEARCHES = 200
RECALL_QUERIES = 200
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of searching that is measured."""

    name: str
    body: Callable[[Texts, Rows], dict[str, Any]]
    concurrency: int = 1


def _dated(rows: Rows, days: int) -> dict[str, Any]:
    return {"created_after": (rows.newest_at - timedelta(days=days)).isoformat()}


KINDS = (
    Kind("hybrid", lambda words, _: {"query": words.query()}),
    Kind("hybrid, a word that is everywhere", lambda words, _: {"query": words.query(common=True)}),
    Kind("hybrid, without a common word", lambda words, _: {"query": f"{words.query()} -{words.everywhere}"}),
    Kind("text", lambda words, _: {"query": words.query(), "mode": "text"}),
    Kind("text, one word that is everywhere", lambda words, _: {"query": words.everywhere, "mode": "text"}),
    Kind("vector", lambda words, _: {"query": words.query(), "mode": "vector"}),
    Kind("hybrid, a quarter by date", lambda words, rows: {"query": words.query(), "filters": _dated(rows, 52)}),
    Kind("hybrid, a hundredth by date", lambda words, rows: {"query": words.query(), "filters": _dated(rows, 2)}),
    Kind(
        "hybrid, one document",
        lambda words, rows: {
            "query": words.query(),
            "filters": {"document_ids": [str(words.rng.choice(rows.document_ids))]},
        },
    ),
    Kind(
        "hybrid, an entity of many chunks",
        lambda words, rows: {"query": words.query(), "filters": {"entity_ids": [str(rows.entity_ids[0])]}},
    ),
    Kind(
        "hybrid, an entity of few chunks",
        lambda words, rows: {"query": words.query(), "filters": {"entity_ids": [str(rows.entity_ids[-1])]}},
    ),
    Kind("hybrid, 100 hits", lambda words, _: {"query": words.query(), "limit": 100}),
    Kind("hybrid, 4 at once", lambda words, _: {"query": words.query()}, concurrency=4),
)


async def run(stack: RunningStack) -> None:
    """Over chunks of made-up texts."""
    print("\nsearch in 100,000 chunks")
    await _measure(stack, vocabulary())


async def run_real(stack: RunningStack) -> None:
    """Over chunks of real texts; skipped without a corpus."""
    corpus = os.environ.get("QUIRE_CORPUS")
    if not corpus:
        print("\nsearch-real: skipped, for QUIRE_CORPUS names no folder with documents")
        return
    print("\nsearch in 100,000 chunks put together of real passages")
    await _measure(stack, passages(Path(corpus)))


async def _measure(stack: RunningStack, words: Texts) -> None:
    """Write the rows, where an earlier run left none, then measure."""
    async with asyncpg.create_pool(
        stack.environment["DATABASE_URL"], min_size=1, max_size=2, command_timeout=600
    ) as pool:
        rows = await read_rows(pool)
        if rows is None:
            began = time.perf_counter()
            rows = await write_rows(pool, words)
            print(f"  rows and vectors written in {time.perf_counter() - began:.0f} s")
            began = time.perf_counter()
            await ensure_index(stack.environment["DATABASE_URL"], WordLlamaEmbedder.name, WordLlamaEmbedder.dimensions)
            print(f"  HNSW index made in {time.perf_counter() - began:.0f} s")
            await pool.execute("VACUUM ANALYZE")
    await _recall(stack, words, rows)
    await _latency(stack, words, rows)


async def _latency(stack: RunningStack, words: Texts, rows: Rows) -> None:
    async with httpx.AsyncClient(base_url=stack.address, headers=stack.authorization, timeout=60) as client:
        for kind in KINDS:
            bodies = [kind.body(words, rows) for _ in range(SEARCHES + 20)]
            await _searches(client, bodies[:20], kind.concurrency)  # the model is loaded before anything counts
            seconds = await _searches(client, bodies[20:], kind.concurrency)
            print(f"  {kind.name:34}  {milliseconds(seconds)}")
            if kind.concurrency == 1:
                print(f"  {'':34}  p95 {verdict(percentile(seconds, 0.95) * 1000, MOST_SECONDS * 1000, ' ms')}")


async def _searches(client: httpx.AsyncClient, bodies: Sequence[dict[str, Any]], concurrency: int) -> list[float]:
    left, seconds = iter(bodies), []

    async def one_after_another() -> None:
        for body in left:
            began = time.perf_counter()
            answer = await client.post("/v1/search", json=body)
            seconds.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text

    await asyncio.gather(*(one_after_another() for _ in range(concurrency)))
    return seconds


async def _recall(stack: RunningStack, words: Texts, rows: Rows) -> None:
    """The share of the exact ten nearest that the index finds, without filters and with one that leaves a quarter."""
    embedder = WordLlamaEmbedder()
    queries = await embedder.embed([words.query() for _ in range(RECALL_QUERIES)])
    engine = open_engine(stack.settings)
    async with open_sessions(engine)() as session:
        for name, shape in (("no filter", Shape()), ("a quarter by date", Shape(dates=True))):
            shares = [await _share(session, shape, rows, vector) for vector in queries]
            mean = sum(shares) / len(shares)
            holds = "holds" if mean > LEAST_RECALL else "FALLS SHORT"
            print(f"  recall of the nearest {DEPTH}, {name:20} {mean:.3f} (target: above {LEAST_RECALL}) {holds}")
    await engine.dispose()


async def _share(session: AsyncSession, shape: Shape, rows: Rows, vector: list[float]) -> float:
    told = {
        "project": rows.project_id,
        "after": rows.newest_at - timedelta(days=52),
        "before": None,
        "vector": as_text(vector),
        "most": DEPTH,
    }
    found = []
    for narrow in (False, True):
        each = Shape(dates=shape.dates, narrow=narrow)
        statement = search_sql.by_vector(each, WordLlamaEmbedder.name, WordLlamaEmbedder.dimensions)
        async with session.begin():
            await session.execute(search_sql.SETTINGS)
            # What a search asks for at least: recall grows with it.
            most = DEPTH if narrow else 100
            found.append([row.id for row in await session.execute(statement, {**told, "most": most})][:DEPTH])
    return len(set(found[0]) & set(found[1])) / DEPTH
