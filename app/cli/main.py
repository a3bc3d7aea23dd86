"""The `quire` command: run the whole, or a part, and set up what a part needs."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import alembic.command
import alembic.config
import typer

from app.config import Settings
from app.db import open_engine, open_sessions
from app.logs import configure_logs
from app.projects.service import Projects, new_key
from app.resources import open_resources

cli = typer.Typer(
    help="Quire reads documents.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
key_cli = typer.Typer(help="API keys.", no_args_is_help=True)
bucket_cli = typer.Typer(help="The bucket that documents are kept in.", no_args_is_help=True)
cli.add_typer(key_cli, name="key")
cli.add_typer(bucket_cli, name="bucket")


def main() -> None:
    """Run the `quire` command."""
    cli()


@cli.command()
def up() -> None:
    """Run the whole of Quire on this machine: every part that no setting places elsewhere."""
    _become(["-m", "app.embedded.up"])


@cli.command()
def api() -> None:
    """Serve the HTTP API."""
    settings = Settings()
    _become(["-m", "app.serve", "--host", settings.quire_host, "--port", str(settings.quire_port)])


@cli.command()
def worker(queues: str = typer.Option("", help="Comma-separated queues to serve; all where none are named.")) -> None:
    """Serve queues of background tasks: all of them, unless some are named."""
    _become(["-m", "workers", *(["--queues", queues] if queues else [])])


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    alembic.command.upgrade(alembic_config(), "head")


@key_cli.command("ensure")
def ensure_key(project: str = typer.Option("default", help="The project that the key opens.")) -> None:
    """Have the key in QUIRE_API_KEY open a project."""
    settings = Settings()
    if settings.quire_api_key is None:
        raise typer.BadParameter("QUIRE_API_KEY is not set; `quire key create` makes a new key.")
    asyncio.run(_ensure_key(settings, settings.quire_api_key.get_secret_value(), project))


@key_cli.command("create")
def create_key(
    project: str = typer.Option("default", help="The project that the key opens; made where it isn't there."),
) -> None:
    """Make a new key and print it, once: only its hash is kept."""
    key = new_key()
    asyncio.run(_ensure_key(Settings(), key, project))
    print(key)


@bucket_cli.command("ensure")
def ensure_bucket() -> None:
    """Make the bucket where it isn't there yet."""
    asyncio.run(_ensure_bucket(Settings()))


def alembic_config() -> alembic.config.Config:
    """Alembic's configuration, wherever the command is called from."""
    return alembic.config.Config(Path(__file__).parents[2] / "alembic.ini")


async def _ensure_key(settings: Settings, key: str, project: str) -> None:
    engine = open_engine(settings)
    try:
        await Projects(open_sessions(engine)).ensure_key(key, project=project)
    finally:
        await engine.dispose()


async def _ensure_bucket(settings: Settings) -> None:
    configure_logs(settings)
    async with open_resources(settings) as resources:
        await resources.bucket.ensure()


def _become(arguments: Sequence[str]) -> None:
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 (our own modules)
