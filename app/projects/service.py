"""Who may come in: API keys, checked by hash."""

import hashlib
import secrets
import string
import time
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Sessions, new_id
from app.errors import Unauthorized
from app.projects.models import ApiKey, Project

KEY_PREFIX = "qk_"
SHOWN_CHARACTERS = 8
CACHE_SECONDS = 10.0
CACHE_ENTRIES = 10_000
LONGEST_KEY = 200
DEFAULT_PROJECT = "default"

_FIND = (
    select(ApiKey.project_id, ApiKey.id, ApiKey.requests_per_second, ApiKey.request_burst, Project.max_open_documents)
    .join(Project, Project.id == ApiKey.project_id)
    .where(ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))
)


def new_key() -> str:
    """A key that nobody guesses: 40 letters and digits, about 238 bits."""
    return KEY_PREFIX + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))


def hash_key(key: str) -> str:
    """What is kept of a key. One round of SHA-256 is enough: the key is random, not a password."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a project, by one of its keys."""

    project_id: UUID
    key_id: UUID
    requests_per_second: float | None = None
    """The key's own limit; None where that of the settings counts."""
    request_burst: int | None = None
    max_open_documents: int | None = None
    """The project's own limit."""


@dataclass(frozen=True, slots=True)
class Projects:
    """What can be asked about projects and their keys."""

    sessions: Sessions
    known: dict[str, tuple[float, Caller]] = field(default_factory=dict)

    async def authenticate(self, key: str | None) -> Caller:
        """Whose a key is, and the project that it opens. Raises `Unauthorized`. A revoked key may work for ten seconds more."""
        if not key or len(key) > LONGEST_KEY:
            raise Unauthorized
        digest, now = hash_key(key), time.monotonic()
        expires_at, caller = self.known.get(digest, (0.0, None))
        if caller is not None and now < expires_at:
            return caller
        async with self.sessions() as session:
            row = (await session.execute(_FIND.where(ApiKey.key_sha256 == digest))).one_or_none()
        if row is None:
            self.known.pop(digest, None)
            raise Unauthorized
        if len(self.known) >= CACHE_ENTRIES:
            self.known.clear()
        caller = Caller(row.project_id, row.id, row.requests_per_second, row.request_burst, row.max_open_documents)
        self.known[digest] = (now + CACHE_SECONDS, caller)
        return caller

    async def ensure_key(self, key: str, *, project: str = DEFAULT_PROJECT, name: str = "first") -> UUID:
        """Have a key open a project, both made where they aren't there; returns the project's id."""
        async with self.sessions.begin() as session:
            project_id = await ensure_project(session, project)
            statement = upsert(ApiKey).values(
                id=new_id(), project_id=project_id, name=name, prefix=key[:SHOWN_CHARACTERS], key_sha256=hash_key(key)
            )
            await session.execute(statement.on_conflict_do_nothing(index_elements=[ApiKey.key_sha256]))
            return project_id


async def ensure_project(session: AsyncSession, name: str) -> UUID:
    """The id of a project, made where it isn't there."""
    await session.execute(upsert(Project).values(id=new_id(), name=name).on_conflict_do_nothing())
    project_id = await session.scalar(select(Project.id).where(Project.name == name))
    assert project_id is not None  # noqa: S101 (it was made above)
    return project_id
