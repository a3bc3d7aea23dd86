"""`quire keys`: API keys, made, listed and revoked in the database itself."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.cli.connection import CommandError
from app.cli.operating import on_database, operator_settings
from app.cli.output import age, say, table
from app.projects.keys import KeyRead, Keys, KeyTerms
from app.projects.service import Projects

MOST_DAYS = 36_500
"""A hundred years, in days."""


async def create(project: str, name: str, terms: KeyTerms, *, days: float | None, as_json: bool) -> None:
    """Make a key that holds for some days, or for ever, and print it, once: only its hash is kept."""
    terms = replace(terms, expires_at=_ends_in(days))
    async with on_database() as sessions:
        key, made = await Keys(sessions).create(project=project, name=name, terms=terms)
    if as_json:
        say({**_said(made), "key": key})
    else:
        print(key)


async def show(project: str | None, *, as_json: bool) -> None:
    """List the keys, of one project or of all."""
    async with on_database() as sessions:
        keys = await Keys(sessions).list(project=project)
    if as_json:
        for key in keys:
            say(_said(key))
        return
    rows = [(key.id, key.prefix + "…", key.project, key.name, _rate(key), _state(key), _age(key)) for key in keys]
    table(("id", "key", "project", "name", "limit", "state", "age"), rows)


async def revoke(key: str, *, as_json: bool) -> None:
    """Have a key open nothing from now on."""
    async with on_database() as sessions:
        revoked = await Keys(sessions).revoke(key)
    if as_json:
        say(_said(revoked))
    else:
        print(f"{revoked.prefix}… of {revoked.project} opens nothing any more, within ten seconds.")


async def limit(project: str, *, weight: float | None, max_open_documents: int | None, as_json: bool) -> None:
    """Say how much a project may have under way and how many turns it has, and print what holds now."""
    async with on_database() as sessions:
        limits = await Keys(sessions).limit_project(project, weight=weight, max_open_documents=max_open_documents)
    if as_json:
        say({"project": project, **asdict(limits)})
        return
    most = limits.max_open_documents
    documents = f"{most} documents at most" if most is not None else "as many documents as MAX_OPEN_DOCUMENTS says"
    print(f"{project}: weight {limits.weight:g}, {documents} under way.")


async def ensure(project: str) -> None:
    """Have the key in QUIRE_API_KEY open a project. Raises `CommandError` where it is not set."""
    key = operator_settings().quire_api_key
    if key is None:
        raise CommandError("QUIRE_API_KEY is not set; `quire keys create` makes a new key.")
    async with on_database() as sessions:
        await Projects(sessions).ensure_key(key.get_secret_value(), project=project)


def _ends_in(days: float | None) -> datetime | None:
    """When a key ends that is to hold for some days. Raises `CommandError`."""
    if days is None:
        return None
    if not 0 < days <= MOST_DAYS:
        raise CommandError(
            f"--days must be more than 0 and at most {MOST_DAYS}; leave it out for a key without an end."
        )
    return datetime.now(UTC) + timedelta(days=days)


def _said(key: KeyRead) -> dict[str, Any]:
    terms = {name: getattr(key.terms, name) for name in ("requests_per_second", "request_burst", "expires_at")}
    names = ("id", "project", "name", "prefix", "created_at", "revoked_at")
    return {name: getattr(key, name) for name in names} | terms


def _rate(key: KeyRead) -> str:
    return f"{key.terms.requests_per_second:g}/s" if key.terms.requests_per_second else ""


def _state(key: KeyRead) -> str:
    if key.revoked_at is not None:
        return "revoked"
    ends = key.terms.expires_at
    if ends is None:
        return "open"
    return "expired" if ends <= datetime.now(UTC) else f"until {ends:%Y-%m-%d %H:%M}"


def _age(key: KeyRead) -> str:
    return age(key.created_at.isoformat())
