"""The `quire` command: run the whole, or a part, and set up what a part needs.

Each command becomes the program that does it, so that none pays for what the others import.
"""

import os
import sys

import typer

from app.config import Settings

cli = typer.Typer(help="Quire reads documents.", no_args_is_help=True, add_completion=False)
key_cli = typer.Typer(help="API keys.", no_args_is_help=True)
bucket_cli = typer.Typer(help="The bucket that documents are kept in.", no_args_is_help=True)
cli.add_typer(key_cli, name="key")
cli.add_typer(bucket_cli, name="bucket")

PROJECT = typer.Option("default", help="The project that the key opens; made where it isn't there.")


def main() -> None:
    """Run the `quire` command."""
    cli()


@cli.command()
def up() -> None:
    """Run the whole of Quire on this machine: every part that no setting places elsewhere."""
    _become("app.embedded.up")


@cli.command()
def api() -> None:
    """Serve the HTTP API."""
    settings = Settings()
    _become("app.serve", "--host", settings.quire_host, "--port", str(settings.quire_port))


@cli.command()
def worker(queues: str = typer.Option("", help="Comma-separated queues to serve; all where none are named.")) -> None:
    """Serve queues of background tasks: all of them, unless some are named."""
    _become("workers", *(["--queues", queues] if queues else []))


@cli.command()
def setup() -> None:
    """Make what a deployment needs: tables, bucket, and the key in QUIRE_API_KEY."""
    _become("app.setup", "tables", "bucket", "key")


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    _become("app.setup", "tables")


@key_cli.command("ensure")
def ensure_key(project: str = PROJECT) -> None:
    """Have the key in QUIRE_API_KEY open a project."""
    _become("app.setup", "key", "--project", project)


@key_cli.command("create")
def create_key(project: str = PROJECT) -> None:
    """Make a new key and print it, once: only its hash is kept."""
    _become("app.setup", "new-key", "--project", project)


@bucket_cli.command("ensure")
def ensure_bucket() -> None:
    """Make the bucket where it isn't there yet."""
    _become("app.setup", "bucket")


def _become(module: str, *arguments: str) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 (our own modules)
