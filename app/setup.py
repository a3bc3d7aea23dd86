"""`python -m app.setup WHAT ...`: what a deployment needs before it serves: tables, bucket, first API key."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import alembic.command
import alembic.config

from app.config import Settings
from app.db import open_engine, open_sessions
from app.mistakes import settings_or_end
from app.projects.service import DEFAULT_PROJECT, Projects, new_key
from app.resources import aws_session, open_bucket


def migrate() -> None:
    """Bring the database's tables up to date."""
    config = alembic_config()
    config.attributes["settings"] = settings_or_end()
    alembic.command.upgrade(config, "head")


def ensure_bucket() -> None:
    """Make the bucket where it isn't there yet."""
    asyncio.run(_ensure_bucket(settings_or_end()))


def ensure_key(project: str) -> None:
    """Have the key in QUIRE_API_KEY open a project, made where it isn't there."""
    settings = settings_or_end()
    if settings.quire_api_key is None:
        sys.exit("QUIRE_API_KEY is not set; `quire keys create` makes a new key.")
    asyncio.run(_ensure_key(settings, settings.quire_api_key.get_secret_value(), project))


def create_key(project: str) -> None:
    """Make a new key and print it, once: only its hash is kept."""
    key = new_key()
    asyncio.run(_ensure_key(settings_or_end(), key, project))
    sys.stdout.write(f"{key}\n")


def alembic_config() -> alembic.config.Config:
    """Alembic's configuration, wherever the command is called from."""
    return alembic.config.Config(Path(__file__).parents[1] / "alembic.ini")


async def _ensure_key(settings: Settings, key: str, project: str) -> None:
    engine = open_engine(settings)
    try:
        await Projects(open_sessions(engine)).ensure_key(key, project=project)
    finally:
        await engine.dispose()


async def _ensure_bucket(settings: Settings) -> None:
    async with open_bucket(aws_session(settings), settings) as bucket:
        await bucket.ensure()


def main() -> None:
    """Do what is named, in the order in which it is named."""
    parser = argparse.ArgumentParser(prog="python -m app.setup", description=__doc__)
    parser.add_argument("--project", default=DEFAULT_PROJECT, help="the project that a key opens")
    steps: Mapping[str, Callable[[str], None]] = {
        "tables": lambda _: migrate(),
        "bucket": lambda _: ensure_bucket(),
        "key": ensure_key,
        "new-key": create_key,
    }
    parser.add_argument("steps", nargs="+", choices=steps)
    arguments = parser.parse_args()
    for step in arguments.steps:
        steps[step](arguments.project)


if __name__ == "__main__":
    main()
