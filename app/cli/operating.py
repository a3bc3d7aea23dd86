"""Commands of operators, which work on the database, Redis and the bucket themselves: where these are, and who asks."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson
from pydantic import ValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.cli.connection import AWAY, CommandError
from app.config import Settings
from app.db import Sessions, open_engine, open_sessions
from app.embedded.data_dir import DataDir
from app.embedded.environment import Environment, stack_environment
from app.embedded.errors import StackError
from app.embedded.parts import parts_to_run
from app.embedded.secrets_file import load_secrets
from app.errors import QuireError
from app.mistakes import mistakes

PORTS = frozenset({"postgres", "valkey", "textract"})
"""Without these nothing has ever run in a data directory."""


def operator_settings() -> Settings:
    """The settings of the environment, or of the stack that runs in this folder. Raises `CommandError`."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise CommandError("\n".join(mistakes(error))) from error
    values: dict[str, Any] = {name.lower(): value for name, value in environment_here(settings).items()}
    return Settings(**values) if values else settings


def environment_here(settings: Settings) -> Environment:
    """What leads to the stack of this folder, but for what a setting places elsewhere; empty where there is none."""
    data_dir = DataDir(settings.quire_data_dir.expanduser().resolve())
    if not data_dir.ports.exists() or not data_dir.secrets.exists():
        return {}
    try:
        ports = orjson.loads(data_dir.ports.read_bytes())
        if not ports.keys() >= PORTS:
            return {}
        return stack_environment(settings, data_dir, load_secrets(data_dir.secrets), ports, parts_to_run(settings))
    except (OSError, orjson.JSONDecodeError, TypeError) as error:
        raise CommandError(
            f"{data_dir.root} can't be read ({error}); call the command as the user who runs Quire."
        ) from error
    except StackError as error:
        raise CommandError(str(error)) from error


def full_environment() -> Environment:
    """The environment of this process, and in it what leads to the stack of this folder."""
    try:
        settings = Settings()
    except ValidationError:
        return dict(os.environ)  # what is called will say so itself
    return {**os.environ, **environment_here(settings)}


@asynccontextmanager
async def on_database() -> AsyncIterator[Sessions]:
    """Sessions on the database alone. Raises `CommandError` for what goes wrong with it."""
    engine = open_engine(operator_settings())
    try:
        with told():
            yield open_sessions(engine)
    finally:
        await engine.dispose()


@contextmanager
def told() -> Iterator[None]:
    """Turn what can go wrong with the database, Redis and the bucket into a sentence."""
    try:
        yield
    except QuireError as error:
        raise CommandError(f"{error.detail} [{error.code}]") from error
    except (SQLAlchemyError, OSError) as error:
        raise CommandError(
            "Postgres can't be reached, or its tables are not there: is DATABASE_URL right, and was `quire migrate` run? "
            "`quire check` says more.",
            AWAY,
        ) from error
    except RedisError as error:
        raise CommandError("Redis can't be reached: is REDIS_URL right? `quire check` says more.", AWAY) from error
