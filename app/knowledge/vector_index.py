"""The HNSW index of each model: made without stopping anything, by one process at a time."""

import asyncio
import hashlib
import re

import asyncpg
import structlog

log = structlog.get_logger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,110}")
"""What the settings let names of models be; they stand in SQL as they are."""

LOCK_SPACE = 1_903_170
"""Advisory locks of this number and the hash of a model's name are held while its index is made."""

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


async def ensure_index(database_url: str, model: str, dimensions: int, *, wait: bool = False) -> bool:
    """Make a model's index where there is none; one that an earlier try left unfinished is made anew.

    Takes minutes for a million vectors, and stops nobody from reading or writing meanwhile. Returns whether the index is there:
    while another process makes it, at once and false, unless it is to be waited for.
    """
    # A connection of its own: those of the pool give up after a minute.
    connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)
    try:
        while not await _try_lock(connection, model):
            if not wait:
                return False
            # Not by waiting for the lock: who waits holds a snapshot, which making an index in turn waits for.
            await asyncio.sleep(1)
        await _make(connection, model, dimensions)
    finally:
        await connection.close()  # and the lock with it
    return True


async def drop_index(database_url: str, model: str) -> None:
    """Drop a model's index, without stopping anything."""
    connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)
    try:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index_name(model)}")
    finally:
        await connection.close()


async def _try_lock(connection: asyncpg.Connection, model: str) -> bool:
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", LOCK_SPACE, model))


async def _make(connection: asyncpg.Connection, model: str, dimensions: int) -> None:
    name = index_name(model)
    valid = await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name)
    if valid:
        return
    if valid is False:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    await connection.execute(BUILD_SETTINGS)
    log.info("vector_index_made", model=model, index=name)
    await connection.execute(
        f"CREATE INDEX CONCURRENTLY {name} ON chunk_vectors "
        f"USING hnsw ((embedding::{half(dimensions)}) halfvec_cosine_ops) WHERE model = {quoted(model)}"
    )
