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
embeddings_cli = typer.Typer(help="The models that vectors are made by.", no_args_is_help=True)
cli.add_typer(key_cli, name="key")
cli.add_typer(bucket_cli, name="bucket")
cli.add_typer(embeddings_cli, name="embeddings")

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


@embeddings_cli.command("status")
def embeddings_status() -> None:
    """Show the models that there are vectors of, and which one is searched."""
    _become("app.cli.embeddings", "status")


@embeddings_cli.command("switch")
def switch_embeddings() -> None:
    """Make the vectors that the next model lacks, then search by it; nothing stops meanwhile."""
    _become("app.cli.embeddings", "switch")


@embeddings_cli.command("forget")
def forget_embeddings(model: str) -> None:
    """Drop the vectors and the index of a model that is no longer searched."""
    _become("app.cli.embeddings", "forget", model)


@bucket_cli.command("ensure")
def ensure_bucket() -> None:
    """Make the bucket where it isn't there yet."""
    _become("app.setup", "bucket")


def _become(module: str, *arguments: str) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 (our own modules)
