"""Requests that name themselves by an `Idempotency-Key`: the same name gives the first answer again.

A request takes its key before it does anything, and writes its answer in the transaction that creates what it asks for:
either both are there, or neither is. The key of a request that died is taken over once its lock has run out.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Interval, bindparam, delete, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Sessions, new_id, table_of
from app.errors import IdempotencyInProgress

LOCK = timedelta(minutes=5)
"""How long a request may take before another with its key counts it as dead."""
KEPT = timedelta(hours=24)

Made = TypeVar("Made")
Keep = Callable[[AsyncSession, Made], Awaitable[None]]
"""What a use case calls in the transaction that makes what was asked for: it keeps the answer, where one is to be kept."""


async def keep_nothing(session: AsyncSession, made: object) -> None:
    """For requests without a key."""


class IdempotencyKey(Base):
    """A request that named itself, and its answer once there is one. Names are of a project and a route."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint(
            "(status IS NULL) = (fingerprint IS NULL) AND (status IS NULL) = (body IS NULL)", name="answered_is_whole"
        ),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[UUID]
    """The request that has the key: one that was taken for dead can no longer answer."""
    locked_until: Mapped[datetime]
    fingerprint: Mapped[str | None]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[str | None]
    """The answer's JSON, as it was sent."""
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), index=True)
    """What the answer is about: it is erased with the document."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


keys = table_of(IdempotencyKey)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    document_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request under the same key was, and what it was answered with."""

    fingerprint: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that is held."""

    project_id: UUID
    route: str
    key: str
    holder: UUID


@dataclass(frozen=True, slots=True)
class Keys:
    """Takes keys for requests, and lets them go."""

    sessions: Sessions

    async def take(self, project_id: UUID, route: str, key: str) -> Claim | Answered:
        """Take a key, or find what it was answered with. Raises `IdempotencyInProgress` while another request has it."""
        claim = Claim(project_id, route, key, new_id())
        async with self.sessions.begin() as session:
            earlier = await take(session, claim)
        return claim if earlier is None else earlier

    async def release(self, claim: Claim) -> None:
        """Let a key go whose request made nothing."""
        async with self.sessions.begin() as session:
            await session.execute(delete(keys).where(*_held(claim)))


async def take(session: AsyncSession, claim: Claim) -> Answered | None:
    """Take a key; the earlier answer where there is one. Raises `IdempotencyInProgress` while another request has it."""
    statement = upsert(keys).values(
        project_id=claim.project_id,
        route=claim.route,
        key=claim.key,
        holder=claim.holder,
        locked_until=func.now() + bindparam("lock", type_=Interval),
    )
    taken = statement.on_conflict_do_update(
        index_elements=[keys.c.project_id, keys.c.route, keys.c.key],
        set_={"locked_until": statement.excluded.locked_until, "holder": statement.excluded.holder},
        where=keys.c.status.is_(None) & (keys.c.locked_until < func.now()),
    ).returning(keys.c.key)
    if await session.scalar(taken, {"lock": LOCK}) is not None:
        return None
    found = await session.get(IdempotencyKey, (claim.project_id, claim.route, claim.key), populate_existing=True)
    if found is None or found.status is None or found.fingerprint is None:  # or let go of meanwhile
        raise IdempotencyInProgress
    return Answered(found.fingerprint, Answer(found.status, found.body or "", dict(found.headers or {})))


async def keep(session: AsyncSession, claim: Claim, fingerprint: str, answer: Answer) -> None:
    """Bind a key to its request's answer. Doesn't commit. Raises `IdempotencyInProgress` where it was taken over.

    That can be where a request outlived its lock: only one of the two may count.
    """
    values = {"fingerprint": fingerprint, "status": answer.status, "headers": answer.headers, "body": answer.body}
    kept = update(keys).where(*_held(claim)).values(**values, document_id=answer.document_id).returning(keys.c.key)
    if await session.scalar(kept) is None:
        raise IdempotencyInProgress


async def forget_old_keys(session: AsyncSession) -> None:
    """Forget keys past their time."""
    await session.execute(_FORGET_OLD)


def _held(claim: Claim) -> tuple[Any, ...]:
    return (
        keys.c.project_id == claim.project_id,
        keys.c.route == claim.route,
        keys.c.key == claim.key,
        keys.c.holder == claim.holder,
        keys.c.status.is_(None),
    )


_FORGET_OLD = delete(keys).where(keys.c.created_at < func.now() - KEPT)
