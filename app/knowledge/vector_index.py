"""The HNSW index of each model: made without stopping anything, one at a time."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog

log = structlog.get_logger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,110}")
"""What the settings let names of models be; they stand in SQL as they are."""

LOCK_SPACE = 1_903_170
"""The first number of advisory locks that have to do with models."""
INDEX_LOCK = 1
"""The second, while an index is made or dropped."""
LOOK_SECONDS = 0.25
"""Between two looks whether another one still is."""

CONNECT_SECONDS = 10.0

BUILD_SETTINGS = """
    SELECT set_config('max_parallel_maintenance_workers', '0', false),
        set_config('maintenance_work_mem',
            greatest(pg_size_bytes(current_setting('maintenance_work_mem')) / 1024, 262144) || 'kB', false)
"""
"""One process, so that searches keep the other cores, and a container's little shared memory is no matter; and memory for some
300,000 vectors of 256 dimensions, past which making an index gets several times slower."""


def quoted(model: str) -> str:
    """A model's name as an SQL literal: partial indexes serve only queries that have theirs as one."""
    if not NAME.fullmatch(model):
        raise ValueError(f"not a model's name: {model!r}")
    return f"'{model}'"


def half(dimensions: int) -> str:
    """The type that an index keeps vectors as: half the memory of whole ones, and up to 4,000 dimensions."""
    return f"halfvec({dimensions})"


def index_name(model: str) -> str:
    """The name of a model's index: names of models are longer than those of indexes may be."""
    return f"ix_chunk_vectors_hnsw_{hashlib.sha256(model.encode()).hexdigest()[:16]}"


async def ensure_index(database_url: str, model: str, dimensions: int) -> None:
    """Make a model's index where there is none; one that an earlier try left unfinished is made anew.

    Takes minutes for a million vectors, and stops nobody from reading or writing meanwhile. While another index is being made,
    of this model or of another one, that is waited for.
    """
    async with _connected(database_url) as connection:
        if await _is_valid(connection, model):
            return
        await _take_turn(connection)
        await _make(connection, model, dimensions)


async def drop_index(database_url: str, model: str) -> None:
    """Drop a model's index, without stopping anything."""
    async with _connected(database_url) as connection:
        await _take_turn(connection)
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index_name(model)}")


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of its own: those of the pool give up after a minute."""
    connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)
    try:
        yield connection
    finally:
        await connection.close()  # and a lock with it


async def _take_turn(connection: asyncpg.Connection) -> None:
    """Wait until nobody else makes or drops an index of the table: two that do are a deadlock, whichever indexes they are.

    Not by waiting for the lock: who waits holds a snapshot, which making an index in turn waits for.
    """
    take = "SELECT pg_try_advisory_lock($1, $2)"
    while not await connection.fetchval(take, LOCK_SPACE, INDEX_LOCK):  # noqa: ASYNC110 (another process has it)
        await asyncio.sleep(LOOK_SECONDS)


async def _is_valid(connection: asyncpg.Connection, model: str) -> bool | None:
    """Whether a model's index can be used; None where there is none."""
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
    valid: bool | None = await connection.fetchval(query, index_name(model))
    return valid


async def _make(connection: asyncpg.Connection, model: str, dimensions: int) -> None:
    name = index_name(model)
    valid = await _is_valid(connection, model)
    if valid:  # somebody else's turn was this one's
        return
    if valid is False:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    await connection.execute(BUILD_SETTINGS)
    log.info("vector_index_made", model=model, index=name)
    await connection.execute(
        f"CREATE INDEX CONCURRENTLY {name} ON chunk_vectors "
        f"USING hnsw ((embedding::{half(dimensions)}) halfvec_cosine_ops) WHERE model = {quoted(model)}"
    )
