"""What Redis keeps of documents and batches, and is so no longer."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import ARRAY, Uuid, bindparam, text

from app.batches.progress import progress_key
from app.db import Sessions
from app.documents.state_cache import state_key
from app.documents.text_cache import text_key
from app.repair.defect import AT_ONCE, Defect, Kind


@dataclass(frozen=True, slots=True)
class Caches:
    """Looks for stale keys, some at a time."""

    sessions: Sessions
    redis: Redis

    async def stale(self) -> AsyncGenerator[Defect, None]:
        """Keys of documents and batches that are gone, and of runs that are no longer the newest."""
        for of, look in ((state_key, self._states), (text_key, self._texts), (progress_key, self._batches)):
            prefix = _prefix(of)
            async for ids in self._ids(prefix):
                for found, detail in await look(ids):
                    key = f"{prefix}{found}"
                    yield Defect(Kind.CACHE, key, detail, "it is removed", partial(self._remove, key))

    async def _ids(self, prefix: str) -> AsyncIterator[list[UUID]]:
        some: list[UUID] = []
        async for key in self.redis.scan_iter(match=f"{prefix}*", count=AT_ONCE):
            name = (key.decode() if isinstance(key, bytes) else key).removeprefix(prefix)
            with suppress(ValueError):  # somebody else's
                some.append(UUID(name))
            if len(some) >= AT_ONCE:
                yield some
                some = []
        if some:
            yield some

    async def _remove(self, key: str) -> None:
        await self.redis.delete(key)

    async def _states(self, ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
        """One that is only older than its document is no defect: it is never told, and renewed when it is asked for."""
        there = {row.document_id for row in await self._rows(_NEWEST, ids)}
        return [(each, "its document is gone") for each in ids if each not in there]

    async def _texts(self, ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
        newest = {row.document_id for row in await self._rows(_NEWEST, ids)}
        async with self.redis.pipeline(transaction=False) as pipe:
            for each in ids:
                pipe.hget(text_key(each), "job_id")
            said = [UUID(job_id.decode()) if job_id else None for job_id in await pipe.execute()]
        jobs = {row.id for row in await self._rows(_JOBS, [job_id for job_id in said if job_id])}
        gone = [(each, "its document is gone") for each in ids if each not in newest]
        return gone + [
            (each, "its run is gone")
            for each, job_id in zip(ids, said, strict=True)
            if each in newest and job_id is not None and job_id not in jobs
        ]

    async def _batches(self, ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
        there = {row.id for row in await self._rows(_BATCHES, ids)}
        return [(each, "its batch is gone") for each in ids if each not in there]

    async def _rows(self, statement: Any, ids: Sequence[UUID]) -> Sequence[Any]:
        async with self.sessions() as session:
            return (await session.execute(statement, {"ids": list(ids)})).all()


def _prefix(of: Any) -> str:
    """What the keys of a cache begin with."""
    example = UUID(int=0)
    return str(of(example)).removesuffix(str(example))


_NEWEST = text("""
    SELECT newest.* FROM unnest(:ids) AS wanted (id) CROSS JOIN LATERAL (
        SELECT document_id FROM jobs WHERE document_id = wanted.id ORDER BY created_at DESC LIMIT 1
    ) AS newest
""").bindparams(bindparam("ids", type_=ARRAY(Uuid())))
_JOBS = text("SELECT id FROM jobs WHERE id = ANY(:ids)").bindparams(bindparam("ids", type_=ARRAY(Uuid())))
_BATCHES = text("SELECT id FROM batches WHERE id = ANY(:ids)").bindparams(bindparam("ids", type_=ARRAY(Uuid())))
