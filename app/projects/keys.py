"""Making, listing and revoking API keys, and what projects may have under way; each change is an event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.db import Sessions, new_id, table_of
from app.errors import KeyNotFound, ProjectNotFound, RequestInvalid
from app.events import EventDraft, EventType
from app.projects.models import ApiKey, Project
from app.projects.service import DEFAULT_PROJECT, SHOWN_CHARACTERS, ensure_project, hash_key, new_key

keys = table_of(ApiKey)
projects = table_of(Project)


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do; None is what the settings say, or for ever."""

    requests_per_second: float | None = None
    request_burst: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyRead:
    """A key as it can be shown: never the key itself."""

    id: UUID
    project: str
    name: str
    prefix: str
    terms: KeyTerms
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProjectLimits:
    """What a project may have under way."""

    weight: float
    max_open_documents: int | None
    """None is what the settings say."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What operators can ask about keys."""

    sessions: Sessions

    async def create(
        self,
        *,
        project: str = DEFAULT_PROJECT,
        name: str = "",
        terms: KeyTerms = KeyTerms(),
    ) -> tuple[str, KeyRead]:
        """A new key to a project, which is made where it isn't there. The key is told this once: only its hash is kept.

        Raises `RequestInvalid` for terms that no key can have.
        """
        _check(terms)
        key, key_id = new_key(), new_id()
        async with self.sessions.begin() as session:
            project_id = await ensure_project(session, project)
            row = {"id": key_id, "project_id": project_id, "name": name, "prefix": key[:SHOWN_CHARACTERS]}
            limits = {"requests_per_second": terms.requests_per_second, "request_burst": _burst(terms)}
            values = {**row, **limits, "expires_at": terms.expires_at, "key_sha256": hash_key(key)}
            await session.execute(insert(keys).values(values))
            made = await _find(session, str(key_id))
            await _note(session, "api_key_created", project_id, made)
        return key, made

    async def list(self, *, project: str | None = None) -> Sequence[KeyRead]:
        """All keys, of one project or of all, the oldest first; revoked ones too."""
        query = _READ.order_by(keys.c.created_at, keys.c.id)
        if project is not None:
            query = query.where(projects.c.name == project)
        async with self.sessions() as session:
            return [_read(row) for row in await session.execute(query)]

    async def revoke(self, key: str) -> KeyRead:
        """Have a key, named by its id or the prefix that is shown of it, open nothing from now on.

        Revoking it again changes nothing. Processes may know it for ten seconds more. Raises `KeyNotFound`.
        """
        async with self.sessions.begin() as session:
            found = await _find(session, key)
            over = update(keys).where(keys.c.id == found.id, keys.c.revoked_at.is_(None)).values(revoked_at=func.now())
            project_id = await session.scalar(over.returning(keys.c.project_id))
            if project_id is not None:
                await _note(session, "api_key_revoked", project_id, found)
            return await _find(session, str(found.id))

    async def limit_project(
        self, project: str, *, weight: float | None = None, max_open_documents: int | None = None
    ) -> ProjectLimits:
        """Say how many turns a project has where others have one, and how many documents it may have under way.

        What isn't said stays; returns what holds then. Raises `RequestInvalid`, and `ProjectNotFound`.
        """
        if (weight is not None and not 0 < weight < inf) or (max_open_documents is not None and max_open_documents < 0):
            raise RequestInvalid("A weight must be more than 0, and a number of documents no less than 0.")
        said = {"weight": weight, "max_open_documents": max_open_documents}
        changes = {name: value for name, value in said.items() if value is not None}
        async with self.sessions.begin() as session:
            if changes:
                project_id = await _change_project(session, project, changes)
                draft = EventDraft(EventType.ACTION, changes, code="project_limits_changed")
                await events.note(session, draft, project_id=project_id)
            held = select(projects.c.weight, projects.c.max_open_documents).where(projects.c.name == project)
            row = (await session.execute(held)).one_or_none()
        if row is None:
            raise ProjectNotFound
        return ProjectLimits(*row)


_READ = select(keys, projects.c.name.label("project")).join(projects, projects.c.id == keys.c.project_id)


def _read(row: Any) -> KeyRead:
    terms = KeyTerms(row.requests_per_second, row.request_burst, row.expires_at)
    return KeyRead(row.id, row.project, row.name, row.prefix, terms, row.created_at, row.revoked_at)


async def _change_project(session: AsyncSession, project: str, changes: Mapping[str, Any]) -> UUID:
    change = update(projects).where(projects.c.name == project).values(changes).returning(projects.c.id)
    project_id: UUID | None = await session.scalar(change)
    if project_id is None:
        raise ProjectNotFound
    return project_id


async def _find(session: AsyncSession, key: str) -> KeyRead:
    named = or_(keys.c.prefix == key, keys.c.id == _id_of(key)) if _id_of(key) else keys.c.prefix == key
    rows = (await session.execute(_READ.where(named).limit(2))).all()
    if not rows:
        raise KeyNotFound
    if len(rows) > 1:
        raise RequestInvalid("Several keys begin like this; name one by its id.")
    return _read(rows[0])


def _id_of(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


def _check(terms: KeyTerms) -> None:
    numbers = (terms.requests_per_second, terms.request_burst)
    if any(number is not None and number <= 0 for number in numbers):
        raise RequestInvalid("A key's limits must be more than 0.")
    if terms.request_burst is not None and terms.requests_per_second is None:
        raise RequestInvalid("A burst needs a rate: say how many requests a second, too.")


def _burst(terms: KeyTerms) -> int | None:
    """Without a word of it, what may be made in a second may be made at once."""
    if terms.requests_per_second is None or terms.request_burst is not None:
        return terms.request_burst
    return max(1, round(terms.requests_per_second))


async def _note(session: AsyncSession, code: str, project_id: UUID, key: KeyRead) -> None:
    said = {"key_id": str(key.id), "name": key.name, "prefix": key.prefix}
    limits = {
        "requests_per_second": key.terms.requests_per_second,
        "request_burst": key.terms.request_burst,
        "expires_at": key.terms.expires_at.isoformat() if key.terms.expires_at else None,
    }
    await events.note(session, EventDraft(EventType.ACTION, said | limits, code=code), project_id=project_id)
