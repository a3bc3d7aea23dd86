"""Whether Postgres, Redis and the bucket are there, are the right ones, and let us do what we need."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import alembic.config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.cli.finding import Finding, Grade, well
from app.db import new_id
from app.resources import Resources
from app.storage.s3 import translated_errors

OLDEST_POSTGRES = 150_000
"""15, as Postgres numbers it."""

SKEW_SECONDS = 5.0
WRONG_SKEW_SECONDS = 240.0
"""S3 refuses what was signed five minutes ago, or later than now."""


async def check_postgres(resources: Resources) -> Sequence[Finding]:
    """Its version, pgvector, the tables and the clock."""
    async with resources.sessions() as session:
        row = (await session.execute(_ABOUT)).one()
        has_tables = await session.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        version = await session.scalar(text("SELECT version_num FROM alembic_version")) if has_tables else None
    return [
        _version(row.number, row.version),
        _vector(row.vector, row.available),
        _tables(version),
        skew("the clock of Postgres", row.now),
    ]


def _version(number: int, said: str) -> Finding:
    if number < OLDEST_POSTGRES:
        return Finding("postgres", Grade.WRONG, f"it is version {said}.", "Quire needs PostgreSQL 15 or later.")
    return well("postgres", f"version {said} answers.")


def _vector(installed: str | None, available: str | None) -> Finding:
    if installed:
        return well("pgvector", f"version {installed}.")
    if available:
        return Finding("pgvector", Grade.WRONG, "it isn't in the database yet.", "Run `quire migrate`.")
    return Finding(
        "pgvector", Grade.WRONG, "Postgres doesn't have it.", "Install the extension pgvector on the server."
    )


def _tables(version: str | None) -> Finding:
    head = newest_migration()
    if version is None:
        return Finding("tables", Grade.WRONG, "there are none.", "Run `quire migrate`.")
    if version != head:
        return Finding(
            "tables", Grade.WRONG, f"they are at {version}, and should be at {head}.", "Run `quire migrate`."
        )
    return well("tables", f"they are up to date ({version}).")


def newest_migration() -> str | None:
    """The migration that the tables should be at."""
    config = alembic.config.Config(Path(__file__).parents[2] / "alembic.ini")
    return ScriptDirectory.from_config(config).get_current_head()


def skew(what: str, told: datetime) -> Finding:
    """How far a clock is from that of this machine."""
    seconds = abs((datetime.now(UTC) - told).total_seconds())
    grade = Grade.WRONG if seconds > WRONG_SKEW_SECONDS else Grade.WARNING if seconds > SKEW_SECONDS else Grade.OK
    mend = None if grade is Grade.OK else "Have both machines keep time by NTP."
    return Finding("clock", grade, f"{what} differs from this machine's by {seconds:.1f} s.", mend)


async def check_redis(resources: Resources) -> Sequence[Finding]:
    """Its version, and that it forgets nothing by itself."""
    about = await resources.redis.info()
    version = about.get("valkey_version") or about.get("redis_version")
    found = [well("redis", f"version {version} answers.")]
    if about.get("maxmemory_policy", "noeviction") != "noeviction":
        detail = f"its maxmemory-policy is {about['maxmemory_policy']}: tasks may be forgotten, and come late then."
        found.append(Finding("redis", Grade.WARNING, detail, "Set maxmemory-policy to noeviction."))
    return found


async def check_bucket(resources: Resources) -> Sequence[Finding]:
    """That objects can be written, read and removed, and the clock of the storage."""
    bucket = resources.bucket
    await bucket.check()
    key, body = f"checks/{new_id()}", b"written by quire check"
    with translated_errors():
        answer = await bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
    try:
        async with bucket.open(key) as chunks:
            read = b"".join([chunk async for chunk in chunks])
    finally:
        await bucket.delete(key)
    if read != body:
        return [Finding("bucket", Grade.WRONG, f"what was written to {bucket.name} is read otherwise.", "Look at it.")]
    if await bucket.head(key) is not None:
        detail = f"what is removed from {bucket.name} stays there."
        return [Finding("bucket", Grade.WRONG, detail, "Allow s3:DeleteObject to the key.")]
    found = [well("bucket", f"{bucket.name}: objects can be written, read and removed.")]
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return [*found, skew("the clock of the object storage", parsedate_to_datetime(date))] if date else found


_ABOUT = text("""
    SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version, clock_timestamp() AS now,
        (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector,
        (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available
""")
